//! The smallest HTTP client that a measurement needs: answers of a known length over one connection, and an ear for
//! an event stream. By hand, because it must cost nothing beside what it measures.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

/// Silence after which a connection is given up.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// Address in `http://address/`.
pub(crate) fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    address.parse().with_context(|| format!("{url} is no address"))
}

/// One connection that asks and waits for the answer.
#[derive(Debug)]
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    request: String,
    body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self { reader: BufReader::new(open(address)?), request: String::new(), body: Vec::new() })
    }

    /// The body of the answer.
    pub(crate) fn get(&mut self, path: &str) -> anyhow::Result<&[u8]> {
        self.request.clear();
        self.request.push_str(&request(path));
        self.reader.get_mut().write_all(self.request.as_bytes())?;
        let length = head(&mut self.reader)?.context("the answer has no length")?;
        self.body.resize(length, 0);
        self.reader.read_exact(&mut self.body)?;
        Ok(&self.body)
    }
}

fn open(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(SILENCE_MAX))?;
    Ok(socket)
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Reads status line and headers; gives Content-Length, if there is one.
fn head(reader: &mut BufReader<TcpStream>) -> anyhow::Result<Option<usize>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    ensure!(line.starts_with("HTTP/1.1 200"), "the host answered: {}", line.trim());
    let mut length = None;
    loop {
        line.clear();
        ensure!(reader.read_line(&mut line)? > 0, "the host hung up");
        let Some((name, value)) = line.trim().split_once(':') else { return Ok(length) };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse()?);
        }
    }
}

/// Hears an event stream on a thread of its own, and counts.
#[derive(Debug)]
pub(crate) struct Ear {
    socket: TcpStream,
    thread: JoinHandle<()>,
    heard: Arc<Heard>,
}

/// What an ear has heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    values: AtomicU64,
    bytes: AtomicU64,
}

impl Ear {
    /// Subscribes to values of these twins and returns when the stream is open.
    pub(crate) fn open(address: SocketAddr, twins: &[String]) -> anyhow::Result<Self> {
        let mut socket = open(address)?;
        socket.write_all(request(&format!("/api/v1/events?twins={}", twins.join(","))).as_bytes())?;
        let mut reader = BufReader::new(socket.try_clone()?);
        head(&mut reader)?;
        let heard = Arc::new(Heard::default());
        let counts = Arc::clone(&heard);
        let thread = std::thread::Builder::new().name("ear".to_owned()).spawn(move || {
            let mut line = Vec::new();
            while let Ok(bytes @ 1..) = reader.read_until(b'\n', &mut line) {
                counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                if line.starts_with(b"event: values") || line.starts_with(b"event:values") {
                    counts.values.fetch_add(1, Ordering::Relaxed);
                }
                line.clear();
            }
        })?;
        Ok(Self { socket, thread, heard })
    }

    /// Hangs up; gives the events with values and the bytes that came. A reader that heard nothing is an error:
    /// then the way to the page was not measured.
    pub(crate) fn close(self) -> anyhow::Result<(u64, u64)> {
        self.socket.shutdown(Shutdown::Both)?;
        if self.thread.join().is_err() {
            bail!("the reader of the event stream panicked");
        }
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (values, bytes) = (of(&self.heard.values), of(&self.heard.bytes));
        ensure!(values > 0, "the event stream had no values in {bytes} bytes");
        Ok((values, bytes))
    }
}
