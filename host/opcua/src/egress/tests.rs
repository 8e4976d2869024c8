//! Orders whose time is over, and orders that are not answered: against a server of the library, with a line between that
//! can be held.

use std::net::SocketAddr;
use std::sync::mpsc::channel;

use geminus_core::{ManualClock, SystemClock, TwinIndex};
use geminus_tests::{PATIENCE, wait_for};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::*;
use crate::bench::{Field, node};
use crate::{Security, Subscribe, User};

const VALID: Duration = Duration::from_mins(1);

struct Place {
    runtime: Runtime,
    folder: tempfile::TempDir,
    server: SocketAddr,
    _field: Field,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let field = Field::start(&folder.path().join("server"), &["setpoint".to_owned()]).expect("a server");
        let server = field.endpoint().trim_start_matches("opc.tcp://").parse().expect("an address");
        Self { runtime: Runtime::new().expect("runtime"), folder, server, _field: field }
    }

    fn egress(&self, to: SocketAddr, answer_max: Duration, clock: Arc<dyn Clock>) -> OpcUaEgress {
        let options = OpcUaOptions {
            name: "plc".to_owned(),
            endpoint: format!("opc.tcp://{to}"),
            security: Security::None,
            user: User::Anonymous,
            pki: self.folder.path().join("client"),
            check_host: false,
            subscribe: Subscribe { publishing: RETRY.0, sampling: RETRY.0, queue: 1 },
            accept_future: VALID,
        };
        let egress = OpcUaEgress::start(options, &[], answer_max, clock, self.runtime.handle().clone());
        let egress = egress.expect("an egress");
        self.becomes(&egress, true);
        egress
    }

    fn becomes(&self, egress: &OpcUaEgress, wanted: bool) {
        let mut up = egress.up();
        let waited = self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, up.wait_for(|up| *up == wanted)).await.is_ok_and(|up| up.is_ok())
        });
        assert!(waited, "the line is not as it should: up is to be {wanted}");
    }
}

/// Sends an order to the setpoint that is valid for so long from `now` on.
fn order(egress: &mut OpcUaEgress, now: Timestamp, valid: Duration) -> std::sync::mpsc::Receiver<Answer> {
    let expires = now.plus(valid);
    let address = &node("setpoint");
    let order =
        Order { id: Uuid::nil(), twin: TwinIndex(0), address, value: 7.0, unit: "1", by: "t", expires };
    let (tell, told) = channel();
    egress.send(&order, now, Reply::new(move |answer| drop(tell.send(answer))));
    told
}

#[test]
fn an_order_whose_time_is_over_after_the_lookup_does_not_leave() {
    let place = Place::new();
    let clock = Arc::new(ManualClock::new(SystemClock::new().now()));
    let mut egress = place.egress(place.server, PATIENCE, Arc::clone(&clock) as _);
    let began = clock.now();
    let answer = order(&mut egress, began, VALID).recv_timeout(PATIENCE).expect("an answer");
    assert!(matches!(answer, Answer::Acknowledged { .. }), "it reaches the server in time: {answer:?}");
    // As after a stop of the process: the order is as old as it was, the time is not.
    clock.advance(VALID - Duration::from_nanos(1));
    let answer = order(&mut egress, began, VALID).recv_timeout(PATIENCE).expect("an answer");
    assert!(matches!(answer, Answer::Acknowledged { .. }), "a nanosecond is left: {answer:?}");
    clock.advance(Duration::from_nanos(1));
    let answer = order(&mut egress, began, VALID).recv_timeout(PATIENCE).expect("an answer");
    let Answer::NotSent { reason } = answer else { panic!("{answer:?}") };
    assert!(reason.contains("expired"), "{reason}");
}

/// A clock that a second passes on whenever it is asked: the process stands still all the time.
#[derive(Debug)]
struct Halting(ManualClock);

impl Clock for Halting {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.advance(LEAVES_WITHIN);
        self.0.monotonic()
    }
}

#[test]
fn an_order_that_a_process_which_stood_still_finds_does_not_leave() {
    let place = Place::new();
    let clock = Arc::new(Halting(ManualClock::new(SystemClock::new().now())));
    let mut egress = place.egress(place.server, PATIENCE, Arc::clone(&clock) as _);
    let answer = order(&mut egress, clock.now(), VALID).recv_timeout(PATIENCE).expect("an answer");
    let Answer::NotSent { reason } = answer else { panic!("{answer:?}") };
    assert!(reason.contains("within 1000 ms"), "{reason}");
}

#[test]
fn an_order_does_not_wait_for_what_its_destination_takes() {
    let place = Place::new();
    let (hold, held) = watch::channel(false);
    let (tell, _gone) = watch::channel(0);
    let listener = place.runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("listener");
    let between = listener.local_addr().expect("address");
    place.runtime.spawn(pass(listener, place.server, held, tell));
    let clock = Arc::new(SystemClock::new());
    let mut egress = place.egress(between, PATIENCE, Arc::clone(&clock) as _);
    hold.send_replace(true);
    let soon = LEAVES_WITHIN * 30;
    let answer = order(&mut egress, clock.now(), VALID).recv_timeout(soon).expect("an answer, and soon");
    let Answer::NotSent { reason } = answer else { panic!("{answer:?}") };
    assert!(reason.contains("did not say in time"), "{reason}");
}

/// A line to `to` that passes on what the server says always, and what the client says while it is not held.
async fn pass(listener: TcpListener, to: SocketAddr, held: watch::Receiver<bool>, gone: watch::Sender<u32>) {
    while let Ok((client, _)) = listener.accept().await {
        let (held, gone) = (held.clone(), gone.clone());
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(to).await else { return };
            let ((mut said, mut hear), (mut answers, mut tell)) = (client.into_split(), server.into_split());
            let back = tokio::spawn(async move { drop(tokio::io::copy(&mut answers, &mut hear).await) });
            let mut bytes = vec![0; 8_192];
            while let Ok(many @ 1..) = said.read(&mut bytes).await {
                let is_held = *held.borrow();
                if !is_held && tell.write_all(&bytes[..many]).await.is_err() {
                    break;
                }
            }
            back.abort();
            gone.send_modify(|gone| *gone += 1);
        });
    }
}

#[test]
fn a_server_that_does_not_answer_an_order_is_hung_up_on_and_connected_to_anew() {
    let place = Place::new();
    let (hold, held) = watch::channel(false);
    let (tell, gone) = watch::channel(0);
    let listener = place.runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("listener");
    let between = listener.local_addr().expect("address");
    place.runtime.spawn(pass(listener, place.server, held, tell));
    let clock = Arc::new(SystemClock::new());
    let mut egress = place.egress(between, Duration::from_millis(300), Arc::clone(&clock) as _);
    let answer = order(&mut egress, clock.now(), VALID).recv_timeout(PATIENCE).expect("an answer");
    assert!(matches!(answer, Answer::Acknowledged { .. }), "{answer:?}");

    let before = *gone.borrow();
    hold.send_replace(true);
    let answer = order(&mut egress, clock.now(), VALID).recv_timeout(PATIENCE).expect("an answer");
    let Answer::Lost { reason } = answer else { panic!("{answer:?}") };
    assert!(reason.contains("did not answer in 300 ms"), "{reason}");
    wait_for("the connection to be gone", PATIENCE, || Ok((*gone.borrow() > before).then_some(())))
        .expect("hung up");
    hold.send_replace(false);
    place.becomes(&egress, true);
    let answer = wait_for("a line that stands again", PATIENCE, || {
        let answer = order(&mut egress, clock.now(), VALID).recv_timeout(PATIENCE)?;
        Ok((!matches!(answer, Answer::NotSent { .. })).then_some(answer))
    });
    let answer = answer.expect("an answer");
    assert!(matches!(answer, Answer::Acknowledged { .. }), "{answer:?}");
}
