//! Stands before the library's server and counts: the library takes as many connections as come, and keeps one that says
//! nothing for days, because it counts the milliseconds of a channel's life as seconds.
//!
//! Who is let in is passed on, byte for byte, to a port of loopback where the library listens. Who is one too many, in all or
//! from one address, is hung up on at once; who says nothing for longer than a session may, too.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections at a time beside one for each session, in all and from one address: for clients that look at endpoints or come
/// back before their old line is noticed to be gone.
pub(super) const SPARE: usize = 64;
pub(super) const SPARE_OF_ADDRESS: usize = 16;
/// Bytes that are passed on at a time.
const PIECE_BYTES: usize = 16 << 10;
/// Rest after a connection could not be taken, because the system has no room for it.
const REST: Duration = Duration::from_millis(100);

/// How much is let in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) connections: usize,
    pub(super) of_address: usize,
    /// Longest silence of a client.
    pub(super) silence: Duration,
}

/// What stands before the server.
pub(super) struct Relay {
    outside: TcpListener,
    inside: SocketAddr,
    room: Room,
    lines: JoinSet<IpAddr>,
    of_address: HashMap<IpAddr, usize>,
}

impl Relay {
    pub(super) fn new(outside: TcpListener, inside: SocketAddr, room: Room) -> Self {
        Self { outside, inside, room, lines: JoinSet::new(), of_address: HashMap::new() }
    }

    /// Lets clients in, for ever; `before` is called before each.
    pub(super) async fn run(&mut self, before: impl Fn()) {
        loop {
            let taken = tokio::select! {
                Some(ended) = self.lines.join_next() => {
                    match ended {
                        Ok(address) => self.ended(address),
                        Err(error) => tracing::error!(%error, "a line of an OPC UA client panicked"),
                    }
                    continue;
                }
                taken = self.outside.accept() => taken,
            };
            match taken {
                Ok((client, address)) => {
                    before();
                    self.take(client, address.ip().to_canonical());
                }
                Err(error) => {
                    tracing::warn!(%error, "an OPC UA client cannot be taken");
                    // Nothing but the time ends this.
                    drop(timeout(REST, std::future::pending::<()>()).await);
                }
            }
        }
    }

    fn take(&mut self, client: TcpStream, address: IpAddr) {
        let of_address = self.of_address.get(&address).copied().unwrap_or_default();
        if self.lines.len() >= self.room.connections || of_address >= self.room.of_address {
            tracing::debug!(%address, "an OPC UA client is one too many");
            return;
        }
        self.of_address.insert(address, of_address + 1);
        let (inside, silence) = (self.inside, self.room.silence);
        self.lines.spawn(async move {
            if let Err(error) = pass(client, inside, silence).await {
                tracing::debug!(%address, %error, "a line of an OPC UA client broke");
            }
            address
        });
    }

    fn ended(&mut self, address: IpAddr) {
        let Some(count) = self.of_address.get_mut(&address) else { return };
        *count -= 1;
        if *count == 0 {
            self.of_address.remove(&address);
        }
    }

    /// Waits until the last words of the server have left, for so long at most; no more are let in.
    pub(super) async fn finish(self, max: Duration) {
        let Self { outside, mut lines, .. } = self;
        drop(outside);
        let all = async { while lines.join_next().await.is_some() {} };
        if timeout(max, all).await.is_err() {
            tracing::debug!("lines of OPC UA clients are cut");
        }
    }
}

/// One line, until either side hangs up or the client is silent for too long.
async fn pass(client: TcpStream, inside: SocketAddr, silence: Duration) -> std::io::Result<()> {
    let server = TcpStream::connect(inside).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((mut said, mut hear), (mut answers, mut tell)) = (client.into_split(), server.into_split());
    let there = async {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let many = timeout(silence, said.read(&mut piece)).await??;
            let Some(read @ [_, ..]) = piece.get(..many) else { return Ok(()) };
            tell.write_all(read).await?;
        }
    };
    tokio::select! {
        ended = there => ended,
        ended = tokio::io::copy(&mut answers, &mut hear) => ended.map(drop),
    }
}

#[cfg(test)]
mod tests;
