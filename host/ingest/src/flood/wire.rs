//! One client of the flood, from CONNECT to the end. Blocking; a second thread reads acknowledgements.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::publishes::{Publishes, packet_of};
use super::{FloodCounts, FloodOptions, Pace};
use crate::mqtt::QoS;

/// How often a waiting flood looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);
/// How long a flood with a full window rests before it looks for acknowledgements again.
const NAP: Duration = Duration::from_micros(100);
/// Silence after which a client has subscribed to all it wants.
const SUBSCRIBES_WITHIN: Duration = Duration::from_millis(3);
const PACKET_BYTES_MAX: usize = 1 << 20;

/// What the client said in CONNECT.
struct Client {
    v5: bool,
    receive_maximum: u16,
}

/// Serves one client until it goes.
pub(super) fn serve(
    mut socket: TcpStream,
    options: &FloodOptions,
    pace: Option<&Pace>,
    counts: &FloodCounts,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut reader = BufReader::new(socket.try_clone()?);
    let client = introduce(&mut reader, &mut socket)?;
    if let Some(pace) = pace {
        pace.begin();
    }
    counts.connections.fetch_add(1, Ordering::Relaxed);
    let window = u64::from(options.window.min(client.receive_maximum).max(1));
    let first = counts.acknowledged.load(Ordering::Acquire);
    let room = Room::default();
    let done = AtomicU64::new(first);
    std::thread::scope(|scope| {
        let answers = socket.try_clone()?;
        let (room, done) = (&room, &done);
        let listener = scope.spawn(move || {
            let result = listen(&mut reader, answers, counts, done);
            room.close();
            result
        });
        let sent = match options.qos {
            QoS::AtMostOnce => pour(&mut socket, options, pace, client.v5, counts, room),
            QoS::AtLeastOnce => {
                let span = Span { first, window, done };
                pour_within(&mut socket, options, client.v5, counts, &span, room)
            }
        };
        room.wait_closed(counts);
        if let Err(error) = socket.shutdown(std::net::Shutdown::Both) {
            tracing::debug!(%error, "the flood's client was gone already");
        }
        let heard = listener.join().unwrap_or(Ok(()));
        sent.and(heard)
    })
}

/// Open until the client has gone.
#[derive(Default)]
struct Room {
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Room {
    fn close(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn is_closed(&self) -> bool {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_closed(&self, counts: &FloodCounts) {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        while !*closed && !counts.stop.load(Ordering::Acquire) {
            closed = self.changed.wait_timeout(closed, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Which messages go, and how many of them may be under way.
struct Span<'a> {
    first: u64,
    window: u64,
    done: &'a AtomicU64,
}

fn pour(
    socket: &mut TcpStream,
    options: &FloodOptions,
    pace: Option<&Pace>,
    v5: bool,
    counts: &FloodCounts,
    room: &Room,
) -> io::Result<()> {
    let mut publishes = Publishes::new(options, v5);
    let mut next = 0;
    while next < options.messages && !counts.stop.load(Ordering::Relaxed) && !room.is_closed() {
        let due = pace.map_or(options.messages, Pace::due).min(options.messages);
        if due <= next {
            std::thread::park_timeout(NAP);
            continue;
        }
        let (bytes, count) = publishes.run(next, due - next);
        socket.write_all(bytes)?;
        next += count;
        counts.sent.fetch_add(count, Ordering::Relaxed);
    }
    Ok(())
}

fn pour_within(
    socket: &mut TcpStream,
    options: &FloodOptions,
    v5: bool,
    counts: &FloodCounts,
    span: &Span<'_>,
    room: &Room,
) -> io::Result<()> {
    let mut publishes = Publishes::new(options, v5);
    let enough = (span.window / 4).max(1);
    let mut next = span.first;
    while next < options.messages {
        if counts.stop.load(Ordering::Relaxed) || room.is_closed() {
            return Ok(());
        }
        let under_way = next - span.done.load(Ordering::Acquire);
        let free = span.window.saturating_sub(under_way).min(options.messages - next);
        if free < enough && free < options.messages - next {
            // Asleep, not spinning: the cores are the client's. At a full window this is a small part of it.
            std::thread::park_timeout(NAP);
            continue;
        }
        let (bytes, count) = publishes.run(next, free);
        socket.write_all(bytes)?;
        next += count;
        counts.sent.fetch_add(count, Ordering::Relaxed);
    }
    Ok(())
}

/// Reads CONNECT and every SUBSCRIBE that comes at once, and answers them: from the first message on only one thread
/// may write.
fn introduce(reader: &mut BufReader<TcpStream>, socket: &mut TcpStream) -> io::Result<Client> {
    let mut body = Vec::new();
    if packet(reader, &mut body)? >> 4 != 1 {
        return Err(io::Error::other("the first packet was no CONNECT"));
    }
    let client = client(&body).ok_or_else(|| io::Error::other("CONNECT cannot be read"))?;
    socket.write_all(if client.v5 { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] })?;
    loop {
        match packet(reader, &mut body)? >> 4 {
            8 => {
                socket
                    .write_all(&suback(&body, client.v5).ok_or_else(|| io::Error::other("bad SUBSCRIBE"))?)?;
                reader.get_ref().set_read_timeout(Some(SUBSCRIBES_WITHIN))?;
                let more = reader.fill_buf().is_ok_and(|bytes| !bytes.is_empty());
                reader.get_ref().set_read_timeout(None)?;
                if !more {
                    return Ok(client);
                }
            }
            12 => socket.write_all(&[0xd0, 0])?,
            _ => return Err(io::Error::other("neither SUBSCRIBE nor PINGREQ")),
        }
    }
}

/// Reads until the client goes: counts PUBACKs, answers PINGREQs.
fn listen(
    reader: &mut impl Read,
    mut socket: TcpStream,
    counts: &FloodCounts,
    done: &AtomicU64,
) -> io::Result<()> {
    let mut body = Vec::new();
    loop {
        let kind = match packet(reader, &mut body) {
            Ok(kind) => kind,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        match kind >> 4 {
            4 => {
                let k = done.load(Ordering::Relaxed);
                if body.get(..2) != Some(&packet_of(k).to_be_bytes()) {
                    counts.out_of_order.fetch_add(1, Ordering::Relaxed);
                }
                done.store(k + 1, Ordering::Release);
                counts.acknowledged.fetch_max(k + 1, Ordering::AcqRel);
            }
            12 => socket.write_all(&[0xd0, 0])?,
            14 => return Ok(()),
            _ => {}
        }
    }
}

/// Reads one packet into `body`, gives its first byte.
fn packet(reader: &mut impl Read, body: &mut Vec<u8>) -> io::Result<u8> {
    let mut byte = [0];
    reader.read_exact(&mut byte)?;
    let [kind] = byte;
    let (mut remaining, mut shift) = (0, 0);
    loop {
        reader.read_exact(&mut byte)?;
        let [part] = byte;
        remaining |= usize::from(part & 0x7f) << shift;
        shift += 7;
        if part & 0x80 == 0 {
            break;
        }
        if shift > 21 {
            return Err(io::Error::other("a packet's length has more than four bytes"));
        }
    }
    if remaining > PACKET_BYTES_MAX {
        return Err(io::Error::other("a packet is larger than the flood reads"));
    }
    body.resize(remaining, 0);
    reader.read_exact(body)?;
    Ok(kind)
}

/// Writes a remaining length.
pub(super) fn length(to: &mut Vec<u8>, mut remaining: usize) {
    loop {
        let part = (remaining & 0x7f) as u8;
        remaining >>= 7;
        to.push(part | (u8::from(remaining > 0) << 7));
        if remaining == 0 {
            return;
        }
    }
}

/// Protocol level and Receive Maximum of a CONNECT.
fn client(body: &[u8]) -> Option<Client> {
    let v5 = *body.get(6)? == 5;
    let mut receive_maximum = u16::MAX;
    if v5 {
        let mut rest = body.get(11..)?;
        let size = usize::from(*body.get(10)?);
        rest = rest.get(..size)?;
        while let Some((id, after)) = rest.split_first() {
            let bytes = match id {
                0x21 => {
                    receive_maximum = u16::from_be_bytes(after.get(..2)?.try_into().ok()?);
                    2
                }
                0x22 => 2,
                0x11 | 0x27 => 4,
                0x17 | 0x19 => 1,
                _ => return None,
            };
            rest = after.get(bytes..)?;
        }
    }
    Some(Client { v5, receive_maximum })
}

/// Grants every filter what it asked for.
fn suback(body: &[u8], v5: bool) -> Option<Vec<u8>> {
    let mut rest = body.get(2..)?;
    if v5 {
        rest = rest.get(1 + usize::from(*rest.first()?)..)?;
    }
    let mut granted = Vec::new();
    while !rest.is_empty() {
        let topic = usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?));
        granted.push(rest.get(2 + topic)? & 0b11);
        rest = rest.get(3 + topic..)?;
    }
    let mut answer = vec![0x90];
    length(&mut answer, 2 + usize::from(v5) + granted.len());
    answer.extend_from_slice(body.get(..2)?);
    answer.extend(v5.then_some(0));
    answer.extend(granted);
    Some(answer)
}
