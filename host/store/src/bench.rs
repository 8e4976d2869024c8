//! The store's own speed, measured: durable points a second, how long commits take, and what the writer costs.
//! Called by `geminus bench` and by hand; figures depend on the disk and on what else the machine does.

pub mod append;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Clock, Quality, Sample, SeriesId, Timestamp};

use crate::{Options, Stats, Store, StoreError};

/// What to write.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Points in all.
    pub points: usize,
    /// Series that they are spread over, in turns.
    pub series: u32,
    /// Points handed over at once.
    pub batch: usize,
    /// Points a second, or 0 for as fast as the store takes them.
    pub rate: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Figures {
    /// From the first batch to the last commit.
    pub elapsed: Duration,
    /// Points that were durable by then, each second.
    pub points_per_s: f64,
    /// Bytes of `hot.db` a point after folding everything.
    pub folded_bytes_per_point: f64,
    /// Bytes of mixed blocks a point.
    pub mixed_bytes_per_point: f64,
    /// The store's own counts.
    pub stats: Stats,
}

/// Writes a load into a fresh store in `dir`. Blocks until everything is durable, and then until it is folded.
///
/// # Errors
/// When the store fails.
pub fn write(
    dir: &Path,
    options: Options,
    clock: &Arc<dyn Clock>,
    load: Load,
) -> Result<Figures, StoreError> {
    let store = Store::open(dir, options.clone(), Arc::clone(clock))?;
    let recorder = store.recorder();
    let begin = clock.monotonic();
    let mut made = 0usize;
    while made < load.points {
        let count = load.batch.clamp(1, load.points - made);
        recorder.record(batch(made, count, load.series, clock.now()), Vec::new());
        made += count;
        pace(&store, clock, begin, made, load, options.queue_points_max)?;
    }
    store.flush()?;
    let elapsed = clock.monotonic().saturating_sub(begin);
    let stats = store.stats();
    store.fold()?;
    let folded = store.stats();
    let written = stats.points_written.max(1) as f64;
    let figures = Figures {
        elapsed,
        points_per_s: written / elapsed.as_secs_f64(),
        folded_bytes_per_point: folded.file_bytes as f64 / written,
        mixed_bytes_per_point: stats.bytes_written as f64 / written,
        stats,
    };
    store.close()?;
    Ok(figures)
}

/// Holds the source back: to its rate, or to half of what the queue takes.
fn pace(
    store: &Store,
    clock: &Arc<dyn Clock>,
    begin: Duration,
    made: usize,
    load: Load,
    queue_points_max: usize,
) -> Result<(), StoreError> {
    if load.rate == 0 {
        while store.stats().queue_points > queue_points_max as u64 / 2 {
            std::thread::yield_now();
        }
        return Ok(());
    }
    let due = begin + Duration::from_secs_f64(made as f64 / load.rate as f64);
    let wait = due.saturating_sub(clock.monotonic());
    if !wait.is_zero() {
        std::thread::park_timeout(wait);
    }
    Ok(())
}

/// Readings as a plant sends them: each series in turn, milliseconds, two decimals, a slow wave with some noise.
fn batch(from: usize, count: usize, series: u32, now: Timestamp) -> Vec<Sample> {
    let points = from as u64..(from + count) as u64;
    points
        .map(|point| {
            let (turn, of) = (point / u64::from(series.max(1)), (point % u64::from(series.max(1))) as u32);
            let noise = (point.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as f64 * 0.01;
            let wave = ((turn as f64) * 0.01 + f64::from(of)).sin() * 20.0 + 60.0;
            Sample {
                series: SeriesId(of),
                quality: Quality::Good,
                value: ((wave + noise) * 100.0).round() / 100.0,
                time: Timestamp::from_millis(1_700_000_000_000 + turn * 100),
                received: now,
            }
        })
        .collect()
}
