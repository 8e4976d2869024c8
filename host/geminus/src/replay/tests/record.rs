//! A plant that records itself by hand, as the host does: three twins of `tests/guests/probe.wat` in one cohort, rows in
//! frames of changing size, states at borders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use geminus_behavior::{Cohort, ColdStart, Compiled, Engine, Limits, Opening, Snapshot, handover_schema};
use geminus_core::{Clock, Frame, ManualClock, Quality, Sample, SeriesId, Timestamp, TwinIndex};
use geminus_registry::{Package, Vault};
use geminus_store::{Border, Checkpoint, Options, Store};
use tempfile::TempDir;

use crate::replay::Subject;
use crate::runtime::cohorts::seed;
use crate::said::{self, Said};

/// The recorded twin; the others are its neighbours in the cohort.
pub(super) const TWIN: TwinIndex = TwinIndex(1);
pub(super) const TWINS: [&str; 3] = ["left", "middle", "right"];
/// Mode `f`: a row where `a` is 666 is answered with a fault.
pub(super) const PARAMETERS: &[u8] = br#"{"m":"f"}"#;

/// A running plant.
pub(super) struct Plant {
    pub(super) folder: TempDir,
    store: Store,
    engine: Engine,
    clock: Arc<ManualClock>,
    series: Vec<SeriesId>,
    cohort: Option<Cohort>,
    incarnation: u32,
    /// Who was at work before, and is given every row still.
    beside: Option<(Cohort, u32)>,
    second: u64,
    /// Whether it records what rows say besides outputs, as hosts did not always.
    pub(super) keeps_words: bool,
    /// Whether the row before gave a number.
    number_before: bool,
    /// What the last row was.
    last: Timestamp,
}

/// Brings the books of an older host to what this one reads, as a host does when it starts.
pub(super) fn migrate(data: &Path) {
    let clock = Arc::new(ManualClock::new(second(1)));
    let store = Store::open(data, Options::default(), clock as Arc<dyn Clock>).expect("store");
    store.close().expect("closed");
}

impl Plant {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let clock = Arc::new(ManualClock::new(second(1)));
        let store = Store::open(folder.path(), Options::default(), Arc::clone(&clock) as Arc<dyn Clock>);
        let store = store.expect("store");
        let names = ["in/a", "in/b", "age/a", "age/b", "by"].map(|name| ("middle", format!("sum up/{name}")));
        let outputs = ["sum", "count"].map(|name| ("middle", format!("sum up.{name}")));
        let said = [("middle", "sum up/said".to_owned())];
        let series = store.series(&[names.as_slice(), &outputs, &said].concat()).expect("series");
        let limits = Limits { instances_max: 40, memory_bytes_max: 64 << 20, ..Limits::default() };
        let engine = Engine::new(limits).expect("engine");
        let last = Timestamp(0);
        Self {
            folder,
            store,
            engine,
            clock,
            series,
            cohort: None,
            incarnation: 0,
            beside: None,
            second: 1000,
            keeps_words: true,
            number_before: false,
            last,
        }
    }

    pub(super) fn subject() -> Subject {
        Subject { site: "plant".to_owned(), behavior: "sum up".to_owned(), twin: "middle".to_owned() }
    }

    fn compiled(&self, package: &Package) -> Arc<Compiled> {
        let declaration = Arc::clone(&package.declaration);
        self.engine.compile(package.digest, &package.bytes, declaration, None).expect("compiles")
    }

    /// Keeps a package, and gives the number that it answers under.
    fn number(&self, package: &Package) -> u32 {
        Vault::new(self.folder.path().join("packages")).keep(package).expect("kept");
        let (label, digest) = (package.declaration.label(), package.digest.to_string());
        self.store.control().incarnation("sum up", &label, &digest, PARAMETERS).expect("a number")
    }

    /// Puts a version to work, with the state of the one before where there is one, and keeps that if it is told to.
    pub(super) fn run(&mut self, package: &Package, border: Option<Border>) {
        let number = self.number(package);
        let state = self.cohort.as_mut().map(|cohort| {
            let from = Arc::clone(cohort.compiled().declaration());
            let schema = handover_schema(&from, &package.declaration, ColdStart::Refuse).expect("carried");
            cohort.snapshot(schema).expect("state")
        });
        self.open(package, number, state.as_ref());
        border.into_iter().for_each(|border| self.keep(border));
    }

    /// Lets another version take over on trial: the one before goes on beside it.
    pub(super) fn try_out(&mut self, package: &Package) {
        let state = self.state();
        let before = self.cohort.take().expect("runs");
        self.beside = Some((before, self.incarnation));
        let number = self.number(package);
        self.open(package, number, Some(&state));
        self.keep(Border::Switch);
    }

    /// The version on trial fails in the next row: the one beside it answers that row and goes on.
    pub(super) fn fail(&mut self) {
        let (before, incarnation) = self.beside.take().expect("on trial");
        (self.cohort, self.incarnation) = (Some(before), incarnation);
        self.rows(1);
        self.keep(Border::Switch);
    }

    fn open(&mut self, package: &Package, number: u32, state: Option<&Snapshot>) {
        let opening = |(twin, name): (u32, &str)| Opening {
            twin: TwinIndex(twin),
            id: name.to_owned(),
            parameters: PARAMETERS.into(),
            seed: seed("plant", "sum up", name),
        };
        let openings = (0..).zip(TWINS).map(opening).collect();
        let (mut cohort, refused) =
            Cohort::start(self.compiled(package), Arc::new(Deaf), openings).expect("starts");
        assert_eq!(refused, []);
        if let Some(state) = state {
            assert_eq!(cohort.take_in(state).expect("readable"), []);
        }
        (self.cohort, self.incarnation) = (Some(cohort), number);
    }

    /// Keeps the state as it is now.
    pub(super) fn keep(&mut self, border: Border) {
        let checkpoint = self.checkpoint(border);
        self.write_down(checkpoint);
    }

    pub(super) fn write_down(&self, checkpoint: Checkpoint) {
        self.store.control().checkpoint_save(&[checkpoint]).expect("saved");
    }

    /// The state as it is now, to be written down later.
    pub(super) fn checkpoint(&mut self, border: Border) -> Checkpoint {
        let cohort = self.cohort.as_mut().expect("runs");
        let snapshot = cohort.copy(&[TWIN], None).expect("state");
        let saved = &snapshot.twins[0];
        Checkpoint {
            binding: "sum up".to_owned(),
            twin: "middle".to_owned(),
            row_time: self.last,
            rows: saved.rows,
            incarnation: self.incarnation,
            schema: snapshot.schema,
            border,
            bytes: saved.bytes.clone(),
        }
    }

    /// The state as it is now, to be put back later.
    pub(super) fn state(&mut self) -> Snapshot {
        self.cohort.as_mut().expect("runs").snapshot(None).expect("state")
    }

    /// Puts an older state back.
    pub(super) fn put_back(&mut self, state: &Snapshot) {
        let mut state = state.clone();
        state.twins.iter_mut().for_each(|saved| saved.time = self.last);
        assert_eq!(self.cohort.as_mut().expect("runs").take_in(&state).expect("readable"), []);
        self.keep(Border::Restore);
    }

    /// Rows of all twins, one a second, in one frame; values depend on the second alone.
    pub(super) fn rows(&mut self, rows: u64) {
        let mut frame = Frame::new(2);
        for _ in 0..rows {
            self.second += 1;
            for twin in 0..3 {
                let (a, b) = cells(self.second, twin);
                frame.twins.push(TwinIndex(twin));
                frame.times.push(second(self.second));
                for (value, quality) in [a, b] {
                    frame.values.push(value);
                    frame.quality.push(quality);
                    frame.ages_ms.push(if quality == Quality::Missing { u32::MAX } else { 7 });
                }
            }
        }
        self.step(&frame);
    }

    fn step(&mut self, frame: &Frame) {
        let cohort = self.cohort.as_mut().expect("runs");
        let stepped = cohort.step(frame).expect("fits");
        let outputs = &cohort.compiled().declaration().outputs;
        let places = [0, 1].map(|output: usize| if outputs[output].name == "sum" { 5 } else { 6 });
        if let Some((beside, _)) = &mut self.beside {
            beside.step(frame).expect("fits");
        }
        self.clock.advance(std::time::Duration::from_secs(frame.rows() as u64 / 3));
        let mut samples = Vec::new();
        let said: BTreeMap<usize, Said> = Said::of(&stepped.outcome).into_iter().collect();
        for row in (0..frame.rows()).filter(|row| frame.twins[*row] == TWIN) {
            let time = frame.times[row];
            self.last = time;
            let sample = |place: usize, value: f64, quality: Quality| Sample {
                series: self.series[place],
                quality,
                value,
                time,
                received: self.clock.now(),
            };
            for cell in 0..2 {
                let (value, quality) = (frame.values[row * 2 + cell], frame.quality[row * 2 + cell]);
                if quality != Quality::Missing {
                    samples.push(sample(cell, value, quality));
                    samples.push(sample(2 + cell, f64::from(frame.ages_ms[row * 2 + cell]), Quality::Good));
                }
            }
            let fault = stepped.faults.iter().any(|fault| fault.row == u32::try_from(row).ok());
            let half = if self.keeps_words { said::KEPT } else { 0.0 };
            let by = f64::from(self.incarnation) + half;
            samples.push(if fault { sample(4, 0.0, Quality::Bad) } else { sample(4, by, Quality::Good) });
            let words = said.get(&row).filter(|_| self.keeps_words);
            samples.extend(words.map(|said| sample(7, said.value(), Quality::Good)));
            let (mut number, first) = (false, row * 2);
            for (output, place) in places.into_iter().enumerate() {
                let (value, quality) =
                    (stepped.outcome.values[first + output], stepped.outcome.quality[first + output]);
                number |= !value.is_nan();
                if !value.is_nan() || self.number_before {
                    let quality = if value.is_nan() { Quality::Bad } else { quality };
                    samples.push(sample(place, value, quality));
                }
            }
            self.number_before = number;
        }
        self.store.recorder().record(samples, Vec::new());
    }

    /// Writes over what a row's `sum` was (5), its `a` (0) or its words (7), in a plant of its own: history keeps what
    /// came first, so this comes before the row.
    pub(super) fn forge(&mut self, place: usize, second_of: u64, value: f64) {
        let time = second(second_of);
        let (series, quality) = (self.series[place], Quality::Good);
        let sample = Sample { series, quality, value, time, received: self.clock.now() };
        self.store.recorder().record(vec![sample], Vec::new());
        self.store.flush().expect("flushed");
    }

    /// Everything on disk; the folder stays until the plant is dropped.
    pub(super) fn flush(&self) {
        self.store.flush().expect("flushed");
    }

    /// All history in its packed form.
    pub(super) fn fold(&self) {
        self.store.fold().expect("folded");
    }

    /// Closed, so that nothing stands beside the databases; the folder is what stays.
    pub(super) fn close(self) -> TempDir {
        drop(self.cohort);
        self.store.close().expect("closed");
        self.folder
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

/// What a twin sees in a second: now and then nothing, a stale value, an uncertain one, or one that is answered with a
/// fault.
fn cells(second: u64, twin: u32) -> ((f64, Quality), (f64, Quality)) {
    let value = ((second * 37 + u64::from(twin) * 11) % 101) as f64 * 0.1 - 3.0;
    let a = match second % 50 {
        7 => (f64::NAN, Quality::Missing),
        13 if second > 1100 => (666.0, Quality::Good),
        _ => (value, Quality::Good),
    };
    let b = match second % 10 {
        0..=4 => (f64::NAN, Quality::Missing),
        5 => (value * 0.25, Quality::Stale),
        6 => (value * 0.5, Quality::Uncertain),
        _ => (value * 2.0, Quality::Good),
    };
    (a, b)
}

pub(super) fn second(second: u64) -> Timestamp {
    Timestamp(second * 1_000_000_000)
}

struct Deaf;

impl geminus_behavior::HostCalls for Deaf {
    fn log(&self, _: Option<TwinIndex>, _: u8, _: &str) {}
    fn lookup(
        &self,
        _: TwinIndex,
        _: u32,
        _: Timestamp,
        _: Timestamp,
        _: u32,
    ) -> Result<geminus_behavior::Series, String> {
        Err(geminus_behavior::NO_LOOKUPS.to_owned())
    }
}
