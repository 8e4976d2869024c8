//! `replay.rate`: how fast recorded rows of one twin are computed again and held against the record, by the component
//! in its sandbox and by the same Rust code called natively. Both read the same history from disk and compare the same
//! outputs; runs alternate. The ratio is how many times slower the component is.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use geminus_behavior::{Cohort, Engine, Limits, Opening};
use geminus_core::{Declaration, Frame, Quality, Sample, SeriesId, Timestamp, TwinIndex};
use geminus_registry::{Package, Vault};
use geminus_sdk::{OpeningRequest, Rows, SlotTable};
use geminus_store::{Border, Checkpoint, Reader, Row, Store};
use motor_thermal::MotorThermal;
use serde_json::json;

use super::figure::rounded;
use super::step::Deaf;
use super::{Figure, Workbench, median};
use crate::replay::{Archive, Span, Subject, run};
use crate::runtime::cohorts::seed;
use crate::said::{self, Said};

/// Rows of the history: two days and a third, one a second.
const ROWS: usize = 200_000;
/// Rows in one call, natively and when the history is made.
const ROWS_PER_CALL: usize = 4_096;
/// Runs of each side.
const RUNS: usize = 5;
const TWIN: &str = "rig";

pub(super) fn measure(bench: &Workbench) -> anyhow::Result<Figure> {
    let package = bench.plugins.motor_thermal()?;
    let folder = tempfile::tempdir()?;
    record(bench, package, folder.path())?;
    let subject = Subject { site: "bench".to_owned(), behavior: "thermal".to_owned(), twin: TWIN.to_owned() };
    let span = Span { from: Timestamp(0), to: Timestamp(u64::MAX) };
    let (mut again, mut native, mut reading) = (Vec::new(), Vec::new(), Vec::new());
    let mut fuel = 0;
    let mut archive = Archive::at(folder.path(), &folder.path().join("plugins"), Limits::default())?;
    // Compiled before the clock runs, as the native code is.
    run(&mut archive, &subject, Span { to: Timestamp(2_000_000_000), ..span }, None)?;
    for _ in 0..RUNS {
        let start = bench.clock.monotonic();
        let report = run(&mut archive, &subject, span, None)?;
        again.push((bench.clock.monotonic() - start).as_secs_f64());
        ensure!(report.equal && report.rows == ROWS as u64, "the replay is not what was recorded:\n{report}");
        fuel = report.fuel;
        let start = bench.clock.monotonic();
        let equal = natively(folder.path(), &package.declaration)?;
        native.push((bench.clock.monotonic() - start).as_secs_f64());
        ensure!(equal == ROWS, "{equal} of {ROWS} rows are the same natively");
        let start = bench.clock.monotonic();
        let reader = Reader::open(folder.path())?;
        let rows = reader.rows(&series(&reader, &package.declaration)?, span.from, span.to)?;
        ensure!(rows.count() == ROWS, "rows are missing");
        reading.push((bench.clock.monotonic() - start).as_secs_f64());
    }
    let rate = |seconds: Vec<f64>| ROWS as f64 / median(seconds);
    let (again, native) = (rate(again), rate(native));
    let detail = json!({
        "rows": ROWS, "runs": RUNS, "reading_ns_per_row": rounded(1e9 / rate(reading)), "fuel_per_row": fuel / ROWS as u64,
    });
    Ok(Figure::new(again, detail).slower_than("native slot table", native))
}

fn opening() -> Opening {
    let parameters = Arc::from(b"{}".as_slice());
    Opening { twin: TwinIndex(0), id: TWIN.to_owned(), parameters, seed: seed("bench", "thermal", TWIN) }
}

/// A motor whose current goes up and down through the day; surroundings are measured now and then.
fn frame(from: usize, to: usize) -> Frame {
    let mut frame = Frame::new(3);
    for row in from..to.min(ROWS) {
        let (noise, day) = (((row % 97) as f64 - 48.0) * 0.005, (row as f64 / 13_751.0).sin());
        frame.twins.push(TwinIndex(0));
        frame.times.push(Timestamp((row as u64 + 1) * 1_000_000_000));
        let ambient = row % 10 == 0;
        frame.values.extend([
            60.0 + 5.0 * day + noise,
            if ambient { 25.0 - noise } else { f64::NAN },
            2.0 + day,
        ]);
        let ambient = if ambient { Quality::Good } else { Quality::Missing };
        frame.quality.extend([Quality::Good, ambient, Quality::Good]);
    }
    frame
}

/// Makes the history, as the host records it.
fn record(bench: &Workbench, package: &Package, data: &Path) -> anyhow::Result<()> {
    let declaration = &package.declaration;
    ensure!(declaration.inputs.len() == 3 && !declaration.ages, "motor-thermal has other inputs");
    let store = Store::open(data, geminus_store::Options::default(), Arc::clone(&bench.clock))?;
    Vault::new(data.join("packages")).keep(package)?;
    let (label, digest) = (declaration.label(), package.digest.to_string());
    let control = store.control();
    let incarnation = control.incarnation("thermal", &label, &digest, b"{}")?;
    let compiled = Engine::new(Limits::default())?.compile(
        package.digest,
        &package.bytes,
        Arc::clone(declaration),
        None,
    )?;
    let (mut cohort, refused) = Cohort::start(compiled, Arc::new(Deaf), vec![opening()])?;
    ensure!(refused.is_empty(), "the twin was refused: {refused:?}");
    let state = cohort.snapshot(None)?;
    let saved = state.twins.first().context("state")?;
    control.checkpoint_save(&[Checkpoint {
        binding: "thermal".to_owned(),
        twin: TWIN.to_owned(),
        row_time: Timestamp(0),
        rows: 0,
        incarnation,
        schema: state.schema,
        border: Border::Start,
        bytes: saved.bytes.clone(),
    }])?;
    let names: Vec<(&str, String)> = names(declaration).into_iter().map(|name| (TWIN, name)).collect();
    let series = store.series(&names)?;
    let mut usable = vec![false; declaration.outputs.len()];
    for from in (0..ROWS).step_by(ROWS_PER_CALL) {
        let frame = frame(from, from + ROWS_PER_CALL);
        let outcome = cohort.step(&frame)?.outcome;
        let mut samples = Vec::new();
        let inputs = frame.values.chunks(3).zip(frame.quality.chunks(3));
        let outputs = outcome.values.chunks(outcome.outputs).zip(outcome.quality.chunks(outcome.outputs));
        let mut said = Said::of(&outcome).into_iter().peekable();
        let rows = frame.times.iter().zip(inputs).zip(outputs).enumerate();
        for (row, ((time, (values, quality)), (outputs, judged))) in rows {
            let by = (Some(f64::from(incarnation) + said::KEPT), Quality::Good);
            let input =
                |(value, quality): (&f64, &Quality)| (Some(*value).filter(|value| !value.is_nan()), *quality);
            let mut cells: Vec<(Option<f64>, Quality)> = vec![by];
            cells.extend(values.iter().zip(quality).map(input));
            for ((value, quality), usable) in outputs.iter().zip(judged).zip(&mut usable) {
                // As history keeps them: what is no number only where a number was before.
                cells.push(match value.is_nan() {
                    true => (Some(*value).filter(|_| *usable), Quality::Bad),
                    false => (Some(*value), *quality),
                });
                *usable = !value.is_nan() && quality.usable();
            }
            let words = said.next_if(|(of, _)| *of == row).map(|(_, said)| said.value());
            cells.push((words, Quality::Good));
            for (series, (value, quality)) in series.iter().zip(cells) {
                samples.extend(value.map(|value| Sample {
                    series: *series,
                    quality,
                    value,
                    time: *time,
                    received: *time,
                }));
            }
        }
        store.recorder().record(samples, Vec::new());
    }
    store.flush()?;
    store.fold()?;
    Ok(store.close()?)
}

/// Who answered, inputs, outputs, what was said besides.
fn names(declaration: &Declaration) -> Vec<String> {
    let inputs = declaration.inputs.iter().map(|input| format!("thermal/in/{}", input.name));
    let outputs = declaration.outputs.iter().map(|output| format!("thermal.{}", output.name));
    let by = std::iter::once("thermal/by".to_owned());
    by.chain(inputs).chain(outputs).chain(["thermal/said".to_owned()]).collect()
}

fn series(reader: &Reader, declaration: &Declaration) -> anyhow::Result<Vec<SeriesId>> {
    let found = names(declaration).into_iter().map(|name| reader.series(TWIN, &name)?.context(name));
    found.collect()
}

/// The native loop over the same history; the number of rows whose outputs are those of the record, bit for bit.
fn natively(data: &Path, declaration: &Declaration) -> anyhow::Result<usize> {
    let reader = Reader::open(data)?;
    let mut table = SlotTable::<MotorThermal>::new();
    let Opening { twin, id, parameters, seed } = opening();
    let request = OpeningRequest { slot: twin.0, twin: id, parameters: parameters.to_vec(), seed };
    table.open(&[request]).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
    let mut rows = reader.rows(&series(&reader, declaration)?, Timestamp(0), Timestamp(u64::MAX))?;
    let outputs = declaration.outputs.len();
    let mut equal = 0;
    loop {
        let part = rows.by_ref().take(ROWS_PER_CALL).collect::<Result<Vec<Row>, _>>()?;
        if part.is_empty() {
            return Ok(equal);
        }
        let cells = part.iter().flat_map(|row| row.values.iter().skip(1).take(3));
        let inputs: Vec<Option<Sample>> = cells.copied().collect();
        let values: Vec<f64> =
            inputs.iter().map(|cell| cell.map_or(f64::NAN, |sample| sample.value)).collect();
        let quality: Vec<u8> =
            inputs.iter().map(|cell| cell.map_or(Quality::Missing, |sample| sample.quality) as u8).collect();
        let times: Vec<u64> = part.iter().map(|row| row.time.0).collect();
        let slots = vec![0; part.len()];
        let outcome = table.step(Rows { slots: &slots, times: &times, values: &values, quality: &quality });
        let outcome = outcome.map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        for (row, computed) in part.iter().zip(outcome.values.chunks(outputs)) {
            let recorded = row.values.iter().skip(4).zip(computed);
            let same = |recorded: &Option<Sample>, computed: &f64| match recorded {
                Some(sample) => sample.value.to_bits() == computed.to_bits(),
                None => computed.is_nan(),
            };
            equal += usize::from(recorded.into_iter().all(|(recorded, computed)| same(recorded, computed)));
        }
    }
}
