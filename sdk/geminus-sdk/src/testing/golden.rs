//! Golden states: a file for each released schema, with the bytes of a state as a running twin had it, rows that came
//! after it, and what they gave. Every later build must read those bytes and give the same, bit for bit; whatever
//! breaks that would break a twin in a plant. A test of the plugin's crate calls [`hold`].
//!
//! `GEMINUS_GOLDEN=record cargo test` writes what is not there yet and never changes what is: not the state, and not
//! what a version has recorded. A version that means to give something else gets a new number in Cargo.toml and then
//! records its own answers beside the older ones.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use super::{SEED, nanoseconds};
use crate::columns::{OpeningRequest, Rows, States};
use crate::{Behavior, Inputs, Outputs, SlotTable, State, behavior::Answer};

mod file;

pub use file::{Columns, Golden, Recorded};
pub(super) use file::{cell, quality_named};

/// The environment variable that [`hold`] reads.
pub const SWITCH: &str = "GEMINUS_GOLDEN";

/// One history that is worth keeping: what a twin had seen, and what came then.
pub struct Case<B: Behavior> {
    /// lower-case kebab-case; part of the file's name.
    pub name: &'static str,
    /// A JSON object.
    pub parameters: &'static str,
    /// Rows that make the state: seconds after 2026-01-01T00:00:00Z, inputs.
    pub before: Vec<(f64, B::Inputs)>,
    /// Rows after it, at least one.
    pub after: Vec<(f64, B::Inputs)>,
}

/// What to do about files that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are an error.
    Hold,
    /// Write them.
    Record,
}

/// Why golden states do not hold. Shown as its sentence also by `{:?}`, which is how a test prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct GoldenError(String);

impl fmt::Display for GoldenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GoldenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for GoldenError {}

impl<B: Behavior> fmt::Debug for Case<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (self.before.len(), self.after.len());
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("before", &before)
            .field("after", &after)
            .finish()
    }
}

/// Holds this build against every `schema-<number>-<case>.json` in `folder`, or records with `GEMINUS_GOLDEN=record`.
///
/// # Errors
/// A file is missing for one of `cases` or for a schema that is read; bytes cannot be restored, do not come back as
/// they were, or the rows after them give something else.
pub fn hold<B: Behavior>(folder: impl AsRef<Path>, cases: &[Case<B>]) -> Result<(), GoldenError> {
    let record = std::env::var_os(SWITCH).is_some_and(|value| value == "record");
    run(folder.as_ref(), cases, if record { Mode::Record } else { Mode::Hold })
}

/// As [`hold`], with the mode as an argument.
///
/// # Errors
/// As [`hold`]; when recording, also what cannot be written.
pub fn run<B: Behavior>(folder: &Path, cases: &[Case<B>], mode: Mode) -> Result<(), GoldenError> {
    let schema = B::State::SCHEMA;
    if schema == 0 {
        return wrong("a behavior without state has no golden state: hold its outputs in a test of its own");
    }
    for case in cases {
        let path = folder.join(format!("schema-{schema}-{}.json", case.name));
        if path.exists() {
            continue;
        }
        if mode == Mode::Hold {
            return wrong(format!(
                "{} is not there: run the tests with {SWITCH}=record and commit it",
                path.display()
            ));
        }
        write(&path, &made(case)?)?;
    }
    let files = files(folder)?;
    for read in B::State::READS.split(',') {
        let start = format!("schema-{read}-");
        if !files.iter().any(|path| name(path).starts_with(&start)) {
            return wrong(format!(
                "schema {read} is read but has no file {start}*.json in {}: take it from the version that wrote it",
                folder.display()
            ));
        }
    }
    files.iter().try_for_each(|path| held::<B>(path, mode))
}

fn held<B: Behavior>(path: &Path, mode: Mode) -> Result<(), GoldenError> {
    let about = |why: GoldenError| GoldenError(format!("{}: {why}", path.display()));
    let mut golden = Golden::read(path)?;
    let recorded = replayed::<B>(&golden).map_err(about)?;
    let known = golden.recorded.iter().find(|one| one.version == recorded.version);
    let Some(expected) = known.or(golden.recorded.last()) else {
        return Err(about(GoldenError("no version has recorded its answers".to_owned())));
    };
    let Some(difference) = expected.difference(&recorded) else { return Ok(()) };
    match (mode, known.is_some()) {
        (Mode::Record, false) => {
            golden.recorded.push(recorded);
            write(path, &golden)
        }
        (_, true) => Err(about(GoldenError(format!(
            "{difference}. A version that gives something else needs another number in Cargo.toml"
        )))),
        (Mode::Hold, false) => Err(about(GoldenError(format!(
            "{difference}. If {} means to, run the tests with {SWITCH}=record and commit what it adds",
            recorded.version
        )))),
    }
}

/// Restores the golden state in this build, as a start of the host would, and takes the rows after it.
///
/// # Errors
/// What cannot be restored, does not come back, or cannot be stepped.
pub fn replayed<B: Behavior>(golden: &Golden) -> Result<Recorded, GoldenError> {
    let plugin = declared::<B>("name");
    if golden.plugin != plugin {
        return wrong(format!("it belongs to {}, this is {plugin}", golden.plugin));
    }
    let mut table = opened::<B>(&golden.parameters)?;
    table.restore(&golden.states()).map_err(|fault| {
        GoldenError(format!("a released state of schema {} cannot be restored: {fault}", golden.schema))
    })?;
    let back =
        |schema: u32| table.snapshot(&[0], Some(schema)).map_err(|fault| GoldenError(fault.to_string()));
    if golden.schema == B::State::SCHEMA {
        if back(golden.schema)? != golden.states() {
            return wrong("restored and saved again, its bytes are others");
        }
    } else if B::State::WRITES.split(',').any(|one| one.parse() == Ok(golden.schema)) {
        back(golden.schema)?;
    }
    let (times, values, quality) = golden.columns(B::Inputs::NAMES)?;
    let mut lines = Vec::new();
    for (row, time) in times.iter().enumerate() {
        let cells = row * B::Inputs::WIDTH..(row + 1) * B::Inputs::WIDTH;
        let (values, quality) = (values.get(cells.clone()), quality.get(cells));
        let rows = Rows {
            slots: &[0],
            times: &[*time],
            values: values.unwrap_or_default(),
            quality: quality.unwrap_or_default(),
        };
        let outcome = table.step(rows).map_err(|fault| GoldenError(format!("row {}: {fault}", row + 1)))?;
        lines.push(file::line::<B>(&outcome));
    }
    let outputs = <<B::Answer as Answer>::Outputs as Outputs>::NAMES.iter().map(|name| (*name).to_owned());
    Ok(Recorded { version: declared::<B>("version"), outputs: outputs.collect(), lines })
}

/// A new golden state from a case.
fn made<B: Behavior>(case: &Case<B>) -> Result<Golden, GoldenError> {
    if case.after.is_empty() || case.before.is_empty() {
        return wrong(format!("case {:?} needs rows before and after the state", case.name));
    }
    let mut table = opened::<B>(case.parameters)?;
    for (seconds, inputs) in &case.before {
        let (values, quality) = inputs.cells();
        let times = [nanoseconds(*seconds)];
        let rows = Rows { slots: &[0], times: &times, values: values.as_ref(), quality: quality.as_ref() };
        table
            .step(rows)
            .map_err(|fault| GoldenError(format!("case {:?} at {seconds} s: {fault}", case.name)))?;
    }
    let states: States = table.snapshot(&[0], None).map_err(|fault| GoldenError(fault.to_string()))?;
    let mut golden = Golden {
        plugin: declared::<B>("name"),
        schema: states.schema,
        parameters: case.parameters.to_owned(),
        state: states.bytes,
        inputs: B::Inputs::NAMES.iter().map(|name| (*name).to_owned()).collect(),
        rows: case.after.iter().map(|(seconds, inputs)| file::row(nanoseconds(*seconds), inputs)).collect(),
        recorded: Vec::new(),
    };
    golden.recorded.push(replayed::<B>(&golden)?);
    Ok(golden)
}

fn opened<B: Behavior>(parameters: &str) -> Result<SlotTable<B>, GoldenError> {
    let mut table = SlotTable::new();
    let (twin, parameters) = ("test".to_owned(), parameters.as_bytes().to_vec());
    let opening = OpeningRequest { slot: 0, twin, parameters, seed: SEED };
    table.open(&[opening]).map_err(|fault| GoldenError(format!("its parameters: {fault}")))?;
    Ok(table)
}

/// A text member of the declaration, which the attribute writes without spaces and with this member near its front.
fn declared<B: Behavior>(member: &str) -> String {
    let rest = B::DECLARATION.split_once(&format!("\"{member}\":\"")).map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, GoldenError> {
    let entries =
        fs::read_dir(folder).map_err(|error| GoldenError(format!("{}: {error}", folder.display())))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| name(path).starts_with("schema-") && name(path).ends_with(".json"));
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn write(path: &Path, golden: &Golden) -> Result<(), GoldenError> {
    let written =
        path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, golden.to_string()));
    written.map_err(|error| GoldenError(format!("cannot write {}: {error}", path.display())))
}

fn wrong<T>(what: impl Into<String>) -> Result<T, GoldenError> {
    Err(GoldenError(what.into()))
}
