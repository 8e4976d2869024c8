//! What an open page and a probe of the API notice of a host in trouble: the longest time without an event, the
//! slowest answer.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// How often the API is asked.
const PROBE_EVERY: Duration = Duration::from_millis(50);
/// An answer that takes longer counts as this long.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// The longest of some times, the one under way included.
#[derive(Debug)]
struct Longest {
    since: Option<Instant>,
    longest: Duration,
    failure: Option<String>,
}

#[derive(Clone, Debug)]
struct Record(Arc<Mutex<Longest>>);

impl Record {
    fn new(since: Option<Instant>) -> Self {
        Self(Arc::new(Mutex::new(Longest { since, longest: Duration::ZERO, failure: None })))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Longest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One has ended; the next begins now when it is to `go_on`.
    fn note(&self, go_on: bool) {
        let mut record = self.lock();
        let lasted = record.since.map(|since| since.elapsed()).unwrap_or_default();
        record.longest = record.longest.max(lasted);
        record.since = go_on.then(Instant::now);
    }

    fn fail(&self, why: String) {
        self.lock().failure.get_or_insert(why);
    }

    /// The longest since this was asked the last time.
    fn take(&self) -> anyhow::Result<Duration> {
        let mut record = self.lock();
        if let Some(why) = &record.failure {
            anyhow::bail!("{why}");
        }
        let under_way = record.since.map(|since| since.elapsed()).unwrap_or_default();
        Ok(std::mem::take(&mut record.longest).max(under_way))
    }
}

/// An open page that follows one twin.
#[derive(Debug)]
pub struct Page {
    socket: TcpStream,
    record: Record,
    thread: Option<JoinHandle<()>>,
}

impl Page {
    /// Opens the stream of events of a twin.
    ///
    /// # Errors
    /// When the host does not answer.
    pub fn open(port: u16, twin: &str) -> anyhow::Result<Self> {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).context("no host")?;
        socket.set_nodelay(true)?;
        write!(
            socket,
            "GET /api/v1/events?twins={twin} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        )?;
        let record = Record::new(Some(Instant::now()));
        let (mut reader, mine) = (socket.try_clone()?, record.clone());
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) => return mine.fail("the stream of events has ended".to_owned()),
                    Err(error) => return mine.fail(format!("the stream of events broke: {error}")),
                    Ok(length) if contains(&buffer[..length], b"event: values") => mine.note(true),
                    Ok(_) => {}
                }
            }
        });
        Ok(Self { socket, record, thread: Some(thread) })
    }

    /// The longest time without new values since this was asked the last time.
    ///
    /// # Errors
    /// When the stream has ended.
    pub fn longest_silence(&self) -> anyhow::Result<Duration> {
        self.record.take()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Already closed when the host has gone.
        drop(self.socket.shutdown(Shutdown::Both));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Somebody who asks the API all the time.
#[derive(Debug)]
pub struct Probe {
    stop: Arc<AtomicBool>,
    record: Record,
    thread: Option<JoinHandle<()>>,
}

impl Probe {
    /// Asks for these paths in turn, twenty times a second.
    #[must_use]
    pub fn start(port: u16, paths: &[&str]) -> Self {
        let (stop, record) = (Arc::new(AtomicBool::new(false)), Record::new(None));
        let (stopped, mine) = (Arc::clone(&stop), record.clone());
        let urls: Vec<String> = paths.iter().map(|path| format!("http://127.0.0.1:{port}{path}")).collect();
        let config = ureq::config::Config::builder().timeout_global(Some(ANSWER_MAX)).build();
        let agent = ureq::Agent::new_with_config(config);
        let thread = std::thread::spawn(move || {
            for url in urls.iter().cycle() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                mine.lock().since = Some(Instant::now());
                if let Err(error) = agent.get(url).call() {
                    mine.fail(format!("{url}: {error}"));
                }
                mine.note(false);
                std::thread::sleep(PROBE_EVERY);
            }
        });
        Self { stop, record, thread: Some(thread) }
    }

    /// The slowest answer since this was asked the last time.
    ///
    /// # Errors
    /// When there was none, or one that was no success.
    pub fn slowest(&self) -> anyhow::Result<Duration> {
        self.record.take()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
