//! Follows one rollout over the event stream: a line for each change, until it ends.
//!
//! The stream only says that something changed; what is printed is read from the rollout itself, whose history has
//! every phase. So nothing is lost when events are merged, and a stream that breaks is simply opened again.

use std::io::{BufRead, Read as _, Write};
use std::time::Duration;

use anyhow::{anyhow, bail};
use geminus_api::view::{RolloutEvent, RolloutTwins, RolloutView};
use geminus_rollout::{Phase, Verdict, VerdictState};
use serde::Deserialize as _;

use super::door::Host;
use super::table::plain;
use super::{address, show};

/// How often in a row the host may be out of reach before it is given up.
const FAILURES_MAX: u32 = 30;
/// What is waited before it is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest line of an event stream, in bytes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Prints a line for each change of rollout `id` until it ends.
///
/// # Errors
/// When it did not become permanent, with how it ended and why; when the host stays out of reach.
pub(super) fn follow(host: &Host, id: u64, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    follow_with(host, id, json, out, &mut || std::thread::sleep(PAUSE))
}

/// As [`follow`], with what is done before a host that went away is asked again.
pub(super) fn follow_with(
    host: &Host,
    id: u64,
    json: bool,
    out: &mut impl Write,
    pause: &mut dyn FnMut(),
) -> anyhow::Result<()> {
    let mut watch =
        Watch { host, id, json, out, last: None, printed: 0, shown: None, ended: None, failures: 0 };
    watch.print(host.get(&address(id))?)?;
    loop {
        let broken = match watch.listen() {
            Ok(()) => anyhow!("the host ended its event stream"),
            Err(Broken::Out(error)) => return Err(error),
            Err(Broken::Host(error)) => error,
        };
        if let Some(view) = &watch.ended {
            return verdict(view);
        }
        watch.failures += 1;
        if watch.failures > FAILURES_MAX {
            return Err(broken.context(format!("`geminus rollout status {id}` will say how it went")));
        }
        pause();
    }
}

/// How it ended, as success or failure.
fn verdict(view: &RolloutView) -> anyhow::Result<()> {
    match view.phase {
        Phase::Permanent => Ok(()),
        phase => bail!(
            "rollout {} ended as {phase}: {}",
            view.id,
            plain(view.reason.as_deref().unwrap_or("no reason is given"))
        ),
    }
}

/// What is worth a line when it differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    phase: Phase,
    /// Tenths of the twins that are taken in, are warm, are answered by the new version.
    tenths: [u64; 3],
    verdict: Option<VerdictState>,
}

impl Shown {
    fn new(phase: Phase, twins: &RolloutTwins, verdict: Option<VerdictState>) -> Self {
        let all = twins.all.max(1);
        let tenths =
            [twins.enrolled, twins.warm, twins.authoritative].map(|count| count.saturating_mul(10) / all);
        Self { phase, tenths, verdict }
    }
}

/// What went wrong while listening.
enum Broken {
    /// With the host: it may be there again soon.
    Host(anyhow::Error),
    /// With whoever reads what is printed.
    Out(anyhow::Error),
}

struct Watch<'a, W> {
    host: &'a Host,
    id: u64,
    json: bool,
    out: &'a mut W,
    /// Id of the last event.
    last: Option<String>,
    /// Steps of the history that were printed.
    printed: usize,
    shown: Option<Shown>,
    ended: Option<RolloutView>,
    failures: u32,
}

impl<W: Write> Watch<'_, W> {
    /// Reads one stream until the rollout has ended, the host ends the stream, or it breaks.
    fn listen(&mut self) -> Result<(), Broken> {
        if self.ended.is_some() {
            return Ok(());
        }
        let mut stream = self.host.events(self.last.as_deref()).map_err(Broken::Host)?;
        while let Some(heard) = block(&mut stream).map_err(|error| Broken::Host(error.into()))? {
            if !heard.id.is_empty() {
                self.last = Some(heard.id.clone());
            }
            if self.is_news(&heard) {
                self.look()?;
            }
            if self.ended.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether an event may mean a line. The first of a stream does: something may have been missed.
    fn is_news(&self, heard: &Heard) -> bool {
        match heard.kind.as_str() {
            "hello" | "resync" => true,
            "rollout" => match serde_json::from_str::<RolloutEvent>(&heard.data) {
                Ok(event) if event.id != self.id => false,
                Ok(event) => Some(Shown::new(event.phase, &event.twins, event.verdict)) != self.shown,
                Err(_) => true,
            },
            _ => false,
        }
    }

    fn look(&mut self) -> Result<(), Broken> {
        let view = self.host.get(&address(self.id)).map_err(Broken::Host)?;
        self.failures = 0;
        self.print(view).map_err(Broken::Out)
    }

    /// Prints what is new.
    fn print(&mut self, mut view: RolloutView) -> anyhow::Result<()> {
        let judged = Verdict::deserialize(&view.verdict).ok();
        let shown = Shown::new(view.phase, &view.twins, judged.as_ref().map(|verdict| verdict.state));
        let steps = view.history.get(self.printed..).unwrap_or_default();
        if self.json {
            if !steps.is_empty() || self.shown != Some(shown) {
                // As in the list: the evidence is for `status`.
                let evidence = view.evidence.take();
                writeln!(self.out, "{}", serde_json::to_string(&view)?)?;
                view.evidence = evidence;
            }
        } else {
            if self.shown.is_none() {
                writeln!(self.out, "{}", show::line(&view))?;
            }
            for step in steps {
                writeln!(self.out, "{}", show::step(step))?;
            }
            if !view.phase.is_end() && self.shown.is_none_or(|before| before.tenths != shown.tenths) {
                writeln!(self.out, "  {}", show::twins(&view.twins))?;
            }
            if let Some(verdict) =
                judged.filter(|_| self.shown.is_none_or(|before| before.verdict != shown.verdict))
            {
                writeln!(self.out, "  verdict: {}", show::verdict_words(&verdict))?;
            }
        }
        self.out.flush()?;
        (self.printed, self.shown) = (view.history.len(), Some(shown));
        if view.phase.is_end() {
            self.ended = Some(view);
        }
        Ok(())
    }
}

/// One event of a stream.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    id: String,
    kind: String,
    data: String,
}

/// The next block of lines up to an empty one; `None` at the end of the stream.
fn block(stream: &mut impl BufRead) -> std::io::Result<Option<Heard>> {
    let mut heard = Heard::default();
    loop {
        let mut line = Vec::new();
        let read = stream.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            let message =
                format!("a line of the event stream is longer than {LINE_BYTES_MAX} bytes or broken off");
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\r', '\n']);
        match line.split_once(':').map(|(name, value)| (name, value.strip_prefix(' ').unwrap_or(value))) {
            None if line.is_empty() => return Ok(Some(heard)),
            Some(("id", id)) => heard.id = id.to_owned(),
            Some(("event", kind)) => heard.kind = kind.to_owned(),
            Some(("data", data)) => heard.data.push_str(data),
            // Comments, `retry` and what may come later.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_as_browsers_read_them() {
        let text = "retry: 2000\nid: 1-1\nevent: hello\ndata: {}\n\n: alive\nid: 1-2\n\nevent:rollout\r\ndata:{\"a\":\r\ndata: 1}\r\n\r\nid: cut";
        let mut stream = text.as_bytes();
        let heard =
            |id: &str, kind: &str, data: &str| Heard { id: id.into(), kind: kind.into(), data: data.into() };
        assert_eq!(block(&mut stream).expect("hello"), Some(heard("1-1", "hello", "{}")));
        assert_eq!(block(&mut stream).expect("sign of life"), Some(heard("1-2", "", "")));
        assert_eq!(block(&mut stream).expect("rollout"), Some(heard("", "rollout", "{\"a\":1}")));
        assert!(block(&mut stream).is_err(), "a line that is broken off is no line");
        assert_eq!(block(&mut &b""[..]).expect("end"), None);
    }

    #[test]
    fn a_line_that_never_ends_is_given_up() {
        let endless = std::io::repeat(b'x');
        assert!(block(&mut std::io::BufReader::new(endless)).is_err());
    }
}
