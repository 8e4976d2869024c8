//! Who is let in, who is not, and who is hung up on.

use std::net::Ipv4Addr;

use geminus_tests::PATIENCE;

use super::*;

/// A relay with this room before a server that says back what it hears.
async fn place(room: Room) -> SocketAddr {
    let bound = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (outside, inside) = (bound().await.expect("bound"), bound().await.expect("bound"));
    let (address, server) = (outside.local_addr().expect("address"), inside.local_addr().expect("address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = inside.accept().await {
            let (mut said, mut hear) = stream.into_split();
            tokio::spawn(async move { drop(tokio::io::copy(&mut said, &mut hear).await) });
        }
    });
    tokio::spawn(async move { Relay::new(outside, server, room).run(|| {}).await });
    address
}

/// Says something and hears it back.
async fn is_let_in(client: &mut TcpStream) -> bool {
    let mut heard = [0; 5];
    let exchange = async {
        client.write_all(b"hello").await?;
        client.read_exact(&mut heard).await
    };
    timeout(PATIENCE, exchange).await.expect("an end or an answer").is_ok_and(|_| &heard == b"hello")
}

async fn call(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("the system takes it")
}

/// Calls until somebody is let in.
async fn comes_in(address: SocketAddr) -> TcpStream {
    let tries = async {
        loop {
            let mut client = call(address).await;
            if is_let_in(&mut client).await {
                return client;
            }
        }
    };
    timeout(PATIENCE, tries).await.expect("there is room again")
}

async fn one_too_many(room: Room) {
    let address = place(room).await;
    let (mut first, mut second, mut third) = (call(address).await, call(address).await, call(address).await);
    assert!(is_let_in(&mut first).await && is_let_in(&mut second).await);
    assert!(!is_let_in(&mut third).await, "{room:?}: one too many");
    assert!(is_let_in(&mut first).await, "who is in stays in");
    drop(second);
    let mut next = comes_in(address).await;
    assert!(is_let_in(&mut next).await && is_let_in(&mut first).await);
    assert!(!is_let_in(&mut call(address).await).await, "{room:?}: the place is taken again");
}

#[tokio::test]
async fn connections_are_bounded_in_all_and_from_one_address() {
    one_too_many(Room { connections: 2, of_address: 9, silence: PATIENCE * 2 }).await;
    one_too_many(Room { connections: 9, of_address: 2, silence: PATIENCE * 2 }).await;
}

#[tokio::test]
async fn who_says_nothing_is_hung_up_on_and_leaves_its_place() {
    let silence = Duration::from_millis(200);
    let address = place(Room { connections: 1, of_address: 1, silence }).await;
    let mut silent = call(address).await;
    let mut heard = [0; 1];
    let read = timeout(PATIENCE, silent.read(&mut heard)).await.expect("it is hung up on");
    assert!(!read.is_ok_and(|many| many > 0));
    comes_in(address).await;
}
