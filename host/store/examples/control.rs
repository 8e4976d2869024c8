//! Prints what checkpoints cost, and what recording rows for replay costs and gives back. The folder is made in the
//! current directory, so that it lies on the disk that is to be measured, and removed at the end.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Clock, Quality, Sample, SeriesId, SystemClock, Timestamp};
use geminus_store::{Border, Checkpoint, ControlReader, Options, Reader, Store};

const TWINS: usize = 10_000;
const STATE_BYTES: usize = 400;
const ROWS: u64 = 1_000_000;
const INPUTS: u32 = 14;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = Path::new("store-figures");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let result = checkpoints(dir, &clock).and_then(|()| rows(dir, &clock)).and_then(|()| fleet(dir, &clock));
    std::fs::remove_dir_all(dir)?;
    result
}

fn checkpoints(dir: &Path, clock: &Arc<dyn Clock>) -> Result<(), Box<dyn Error>> {
    let store = Store::open(dir, Options::default(), Arc::clone(clock))?;
    let control = store.control();
    let hour = 3_600_000_000_000u64;
    for round in 0..110u64 {
        // First 30 borders, then a periodic one each hour, which fills what is kept of each twin.
        let border = if round < 30 { Border::Switch } else { Border::Periodic };
        let all: Vec<Checkpoint> = (0..TWINS)
            .map(|twin| Checkpoint {
                binding: "thermal".to_owned(),
                twin: format!("motor-{twin:05}"),
                row_time: Timestamp(round * hour),
                rows: round,
                incarnation: 1,
                schema: 1,
                border,
                bytes: (0..STATE_BYTES as u64)
                    .map(|at| (at * (round + 3) * (twin as u64 + 7)) as u8)
                    .collect(),
            })
            .collect();
        let begin = clock.monotonic();
        control.checkpoint_save(&all)?;
        let took = clock.monotonic() - begin;
        if round % 10 == 0 || round > 107 {
            println!("save {TWINS} checkpoints, {round} there: {took:.0?}");
        }
    }
    let begin = clock.monotonic();
    let found =
        ControlReader::open(dir)?.checkpoint_before("thermal", "motor-00077", Timestamp(100 * hour))?;
    println!("open and find one: {:.1?} ({})", clock.monotonic() - begin, found.is_some());
    let begin = clock.monotonic();
    store.close()?;
    println!("close: {:.1?}, {} MiB", clock.monotonic() - begin, mib(dir, "control.db")?);
    let begin = clock.monotonic();
    drop(Store::open(dir, Options::default(), Arc::clone(clock))?);
    println!("open again: {:.1?}", clock.monotonic() - begin);
    Ok(())
}

fn rows(dir: &Path, clock: &Arc<dyn Clock>) -> Result<(), Box<dyn Error>> {
    println!("{ROWS} rows of {INPUTS} inputs, an age each and who answered:");
    // Rows 100 ms apart with some jitter, as a field has it.
    let time = |row: u64| {
        Timestamp::from_millis(1_700_000_000_000 + row * 100 + row.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 7)
    };
    type Value = fn(u64, u32) -> f64;
    let kinds: [(&str, Value); 4] = [
        ("who answered, constant", |_, _| 17.0),
        ("two decimals, a wave with noise", |row, of| {
            let noise = (row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as f64 * 0.01;
            ((((row as f64) * 0.01 + f64::from(of)).sin() * 20.0 + 60.0 + noise) * 100.0).round() / 100.0
        }),
        ("all bits of a wave", |row, of| ((row as f64) * 0.01 + f64::from(of)).sin()),
        ("an age in whole milliseconds", |row, of| ((row * 37 + u64::from(of)) % 900) as f64),
    ];
    for (name, value) in kinds {
        let store = Store::open(&dir.join("one"), Options::default(), Arc::clone(clock))?;
        fill(&store, 1, time, value)?;
        let mixed = store.stats().bytes_written as f64 / ROWS as f64;
        store.fold()?;
        let folded = store.stats().file_bytes as f64 / ROWS as f64;
        println!("  {name}: {mixed:.2} bytes a point as committed, {folded:.2} folded");
        store.close()?;
        std::fs::remove_dir_all(dir.join("one"))?;
    }
    let series = INPUTS + 1;
    let store = Store::open(&dir.join("all"), Options::default(), Arc::clone(clock))?;
    let begin = clock.monotonic();
    fill(
        &store,
        series,
        time,
        |row, of| if of == 0 { 17.0 } else { ((row as f64) * 0.01 + f64::from(of)).sin() },
    )?;
    let took = clock.monotonic() - begin;
    println!("  written: {:.0} points/s", (ROWS * u64::from(series)) as f64 / took.as_secs_f64());
    store.fold()?;
    println!("  {:.2} bytes a row", store.stats().file_bytes as f64 / ROWS as f64);
    let asked: Vec<SeriesId> = (0..series).map(SeriesId).collect();
    let reader = Reader::open(&dir.join("all"))?;
    let begin = clock.monotonic();
    let (mut count, mut sum) = (0u64, 0.0);
    for row in reader.rows(&asked, Timestamp(0), Timestamp(u64::MAX))? {
        sum += row?.values.iter().flatten().map(|sample| sample.value).sum::<f64>();
        count += 1;
    }
    let took: Duration = clock.monotonic() - begin;
    println!(
        "  read beside the host: {:.0} rows/s of {series} series ({count}, {sum:.3})",
        count as f64 / took.as_secs_f64()
    );
    Ok(store.close()?)
}

/// Many twins, one row each in turn, as a plant writes them: what hidden series add to what is kept anyway.
fn fleet(dir: &Path, clock: &Arc<dyn Clock>) -> Result<(), Box<dyn Error>> {
    let (measured, estimated, turns) = (2u32, 9u32, 100u64);
    for hidden in [0u32, measured + 1] {
        let each = measured + estimated + hidden;
        let folder = dir.join(format!("fleet-{hidden}"));
        let store = Store::open(&folder, Options::default(), Arc::clone(clock))?;
        let begin = clock.monotonic();
        for turn in 0..turns {
            for part in 0..100u32 {
                let sample = |at: u32| {
                    let (twin, of) = (part * 100 + at / each, at % each);
                    let time =
                        Timestamp::from_millis(1_700_000_000_000 + turn * 1_000 + u64::from(twin % 997));
                    // The last one is who answered; the hidden inputs repeat the measured ones.
                    let of = if of < measured + estimated { of } else { of - measured - estimated };
                    let wave = ((turn as f64) * 0.1 + f64::from(twin + of)).sin() * 20.0 + 60.0;
                    let value = match at % each {
                        by if hidden > 0 && by == each - 1 => 17.0,
                        _ if of < measured => (wave * 100.0).round() / 100.0,
                        _ => wave,
                    };
                    let received = Timestamp::from_millis(time.millis() + 4 + u64::from(twin % 3));
                    Sample {
                        series: SeriesId(twin * each + at % each),
                        quality: Quality::Good,
                        value,
                        time,
                        received,
                    }
                };
                store.recorder().record((0..100 * each).map(sample).collect(), Vec::new());
            }
            store.flush()?;
        }
        let rows = (TWINS as u64 * turns) as f64;
        let took = (clock.monotonic() - begin).as_secs_f64();
        let mixed = store.stats().bytes_written as f64 / rows;
        store.fold()?;
        let folded = store.stats().file_bytes as f64 / rows;
        println!(
            "{TWINS} twins, {} points a row and {hidden} hidden: {:.0} rows/s ({:.0} points/s), {mixed:.1} bytes a row as committed, {folded:.1} folded",
            measured + estimated,
            rows / took,
            rows * f64::from(each) / took,
        );
        store.close()?;
    }
    Ok(())
}

fn fill(
    store: &Store,
    series: u32,
    time: impl Fn(u64) -> Timestamp,
    value: impl Fn(u64, u32) -> f64,
) -> Result<(), Box<dyn Error>> {
    for part in 0..ROWS / 1_000 {
        let rows = part * 1_000..(part + 1) * 1_000;
        let of = |row: u64| {
            let (time, value) = (time(row), &value);
            (0..series).map(move |of| Sample {
                series: SeriesId(of),
                quality: Quality::Good,
                value: value(row, of),
                time,
                received: Timestamp::from_millis(time.millis() + 4 + row % 3),
            })
        };
        store.recorder().record(rows.flat_map(of).collect(), Vec::new());
        store.flush()?;
    }
    Ok(())
}

fn mib(dir: &Path, file: &str) -> Result<u64, Box<dyn Error>> {
    Ok(std::fs::metadata(dir.join(file))?.len() >> 20)
}
