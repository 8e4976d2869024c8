//! A field of cells that goes on: `a` and `b` of each, round after round, on a thread of its own. It remembers what it
//! sent, so that a scenario can say what every behavior must have answered, bit for bit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::field::Publisher;
use super::host::Host;
use super::question::PATIENCE;
use super::rounds::START_MS;
use super::wait::wait_for;

/// What a cell got in each round: `a` and `b`; `None` where it got nothing.
pub type Sent = Vec<Option<(f64, f64)>>;

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    paused: AtomicBool,
    /// Whether `b` is sent too.
    both: AtomicBool,
    done: AtomicU64,
    /// `a` of the coming rounds, by cell.
    poison: Mutex<BTreeMap<String, Vec<f64>>>,
    silent: Mutex<Vec<String>>,
    sent: Mutex<BTreeMap<String, Sent>>,
}

/// Cells that are fed in the background; stopped when dropped.
#[derive(Debug)]
pub struct Pulse {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

fn lock<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pulse {
    /// Feeds these cells, `rate` rounds a second; rounds are a second of source time apart.
    ///
    /// # Errors
    /// When the broker does not take the connection.
    pub fn start(port: u16, cells: &[String], rate: u32) -> anyhow::Result<Self> {
        Self::of(port, cells, rate, true)
    }

    /// The same with `a` alone; what is said of `b` is 0.
    ///
    /// # Errors
    /// As [`Pulse::start`].
    pub fn start_one_input(port: u16, cells: &[String], rate: u32) -> anyhow::Result<Self> {
        Self::of(port, cells, rate, false)
    }

    fn of(port: u16, cells: &[String], rate: u32, both: bool) -> anyhow::Result<Self> {
        let mut field = Publisher::connect(port, "pulse")?;
        let shared = Arc::new(Shared { both: AtomicBool::new(both), ..Shared::default() });
        let (mine, cells) = (Arc::clone(&shared), cells.to_vec());
        let thread = std::thread::spawn(move || {
            let (mut due, pause) = (Instant::now(), Duration::from_secs(1) / rate);
            while !mine.stop.load(Ordering::Relaxed) {
                if !mine.paused.load(Ordering::Relaxed) {
                    mine.round(&mut field, &cells)?;
                }
                due = (due + pause).max(Instant::now() - pause);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            Ok(())
        });
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Rounds that the broker has acknowledged.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }

    /// The next rounds of this cell have these values of `a`.
    pub fn poison(&self, cell: &str, values: &[f64]) {
        lock(&self.shared.poison).entry(cell.to_owned()).or_default().extend_from_slice(values);
    }

    /// This cell gets nothing from the next round on, until it is to speak.
    pub fn silence(&self, cell: &str) {
        lock(&self.shared.silent).push(cell.to_owned());
    }

    /// This cell gets something again, from the next round on.
    pub fn speak(&self, cell: &str) {
        lock(&self.shared.silent).retain(|silent| silent != cell);
    }

    /// Sends nothing until it is resumed; a round under way is finished.
    pub fn pause(&self) {
        self.shared.paused.store(true, Ordering::Relaxed);
    }

    /// Goes on with the next round.
    pub fn resume(&self) {
        self.shared.paused.store(false, Ordering::Relaxed);
    }

    /// What a cell was sent until now.
    #[must_use]
    pub fn sent(&self, cell: &str) -> Sent {
        lock(&self.shared.sent).get(cell).cloned().unwrap_or_default()
    }

    /// Waits until so many more rounds are acknowledged.
    ///
    /// # Errors
    /// When the feed stands still or failed.
    pub fn wait(&self, rounds: u64) -> anyhow::Result<()> {
        let until = self.done() + rounds;
        wait_for(&format!("round {until}"), PATIENCE, || {
            let failed = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
            anyhow::ensure!(!failed, "the feed has ended");
            Ok((self.done() >= until).then_some(()))
        })
    }

    /// Ends the feed and gives what each cell was sent, all of it acknowledged by the broker.
    ///
    /// # Errors
    /// When the feed failed meanwhile.
    pub fn stop(mut self) -> anyhow::Result<BTreeMap<String, Sent>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("already stopped")?;
        thread.join().map_err(|_| anyhow::anyhow!("the feed panicked"))??;
        Ok(std::mem::take(&mut lock(&self.shared.sent)))
    }
}

impl Shared {
    /// Values are multiples of a quarter, so that sums of them are exact and short in JSON.
    fn round(&self, field: &mut Publisher, cells: &[String]) -> anyhow::Result<()> {
        let round = self.done.load(Ordering::Relaxed);
        let silent = lock(&self.silent).clone();
        for (cell, number) in cells.iter().zip(0_u64..) {
            let poison =
                lock(&self.poison).get_mut(cell).filter(|left| !left.is_empty()).map(|v| v.remove(0));
            let a = poison.unwrap_or((round * 7 + number * 3) as f64 % 40.0 * 0.25);
            let both = self.both.load(Ordering::Relaxed);
            let b = if both { (round % 5) as f64 * 0.5 } else { 0.0 };
            let row = (!silent.contains(cell)).then_some((a, b));
            if row.is_some() {
                for (point, value) in [("a", a), ("b", b)].into_iter().take(1 + usize::from(both)) {
                    let time = START_MS + round * 1_000;
                    let payload = format!(r#"{{"value":{value:?},"time":{time},"quality":"good"}}"#);
                    field.publish(&format!("plant/{cell}/{point}"), payload.as_bytes(), 1)?;
                }
            }
            lock(&self.sent).entry(cell.clone()).or_default().push(row);
        }
        field.flush()?;
        self.done.store(round + 1, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A scenario that ends early has its own error to tell.
            drop(thread.join());
        }
    }
}

/// What a behavior must have answered to each row: time in ms; sum and number of rows, or `None` for no numbers.
pub type Answers = Vec<(f64, Option<[f64; 2]>)>;

/// What a behavior that was fed everything must have answered.
#[must_use]
pub fn tally(sent: &Sent) -> Answers {
    tally_without(sent, |_| false)
}

/// The same when rows with such an `a` were not answered, and left no trace.
#[must_use]
pub fn tally_without(sent: &Sent, skipped: impl Fn(f64) -> bool) -> Answers {
    let (mut sum, mut count) = (0.0, 0.0);
    let rows = sent.iter().zip(0_u64..).filter_map(|(row, round)| Some((round, (*row)?)));
    rows.map(|(round, (a, b))| {
        let answer = (!skipped(a)).then(|| {
            sum += a + b;
            count += 1.0;
            [sum, count]
        });
        ((START_MS + round * 1_000) as f64, answer)
    })
    .collect()
}

/// Waits until history has the answer of `behavior` to every row of `cell`, each once, bit for bit as in `expect`.
///
/// # Errors
/// Names the first row that is missing, doubled, or another than it must be.
pub fn answered(host: &Host, cell: &str, behavior: &str, expect: &Answers) -> anyhow::Result<()> {
    let end = expect.last().map_or(START_MS, |(time, _)| *time as u64 + 1_000);
    for (output, place) in [("sum", 0), ("count", 1)] {
        let point = format!("{behavior}.{output}");
        let found = wait_for(&format!("{} rows of {cell} {point}", expect.len()), PATIENCE, || {
            let found = host.stored(cell, &point, (START_MS, end), 1_000)?;
            anyhow::ensure!(
                found.len() >= expect.len(),
                "{} are there{}",
                found.len(),
                first(&found, expect, place)
            );
            Ok(Some(found))
        })?;
        let wrong = first(&found, expect, place);
        let same = found.len() == expect.len() && wrong.is_empty();
        anyhow::ensure!(same, "{cell} {point}: {} of {}{wrong}", found.len(), expect.len());
    }
    Ok(())
}

/// The first row that is not as it must be, in words.
fn first(found: &[(f64, Option<f64>)], expect: &Answers, place: usize) -> String {
    let wanted = |answer: &Option<[f64; 2]>| answer.map(|outputs| outputs[place]);
    let mut pairs = found.iter().zip(expect);
    let wrong = pairs.find(|((time, value), (due, answer))| time != due || *value != wanted(answer));
    wrong.map_or_else(String::new, |((time, value), (due, answer))| {
        let round = |time: f64| (time - START_MS as f64) / 1_000.0;
        let (is, should) = (round(*time), round(*due));
        format!(", first: round {is} is {value:?}, expected round {should} to be {:?}", wanted(answer))
    })
}
