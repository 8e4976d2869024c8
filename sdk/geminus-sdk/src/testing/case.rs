//! Declarative cases: a file with rows and what they must give, which the fake host runs natively under `cargo test`
//! ([`hold`]) and `geminus plugin test` runs through the component. A case is one flat JSON object, so that people who
//! do not program can write one; the rows may be a recording in CSV instead.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Host, nanoseconds};
use crate::json::{self, Value};
use crate::{Behavior, Inputs, Outputs, behavior::Answer};

mod expected;
mod recording;

pub use expected::{Cell, Expected, Given};

use super::golden::cell;

/// Largest case or recording that is read, in bytes.
pub const CASE_BYTES_MAX: u64 = 64 << 20;

/// Rows, and what each must give.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What the case shows, in words.
    pub name: String,
    /// JSON object that the slot is opened with.
    pub parameters: String,
    /// Names of the inputs, in the order of a row's cells; others are missing.
    pub inputs: Vec<String>,
    /// Rows: seconds after 2026-01-01T00:00:00Z, then value and quality for each input.
    pub rows: Vec<(f64, Vec<(f64, u8)>)>,
    /// Names of the outputs that are looked at.
    pub outputs: Vec<String>,
    /// What the rows must give, one for each.
    pub expected: Vec<Expected>,
}

/// Why a case cannot be read, or does not hold. Shown as its sentence also by `{:?}`, which is how a test prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct CaseError(pub String);

impl std::fmt::Display for CaseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for CaseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CaseError {}

/// Runs every case of a folder natively; gives how many there were.
///
/// # Errors
/// When the folder has no case, one cannot be read, or one does not hold.
pub fn hold<B: Behavior>(folder: impl AsRef<Path>) -> Result<usize, CaseError> {
    let files = files(folder.as_ref())?;
    for path in &files {
        run::<B>(&Case::read(path)?).map_err(|why| CaseError(format!("{}: {why}", path.display())))?;
    }
    Ok(files.len())
}

/// Runs one case natively.
///
/// # Errors
/// The first row that gives something else, in words.
pub fn run<B: Behavior>(case: &Case) -> Result<(), CaseError> {
    let inputs: Vec<&str> = B::Inputs::NAMES.to_vec();
    case.fits(&inputs, <<B::Answer as Answer>::Outputs as Outputs>::NAMES)?;
    let mut host =
        Host::<B>::open(&case.parameters).map_err(|fault| CaseError(format!("parameters: {fault}")))?;
    for (row, (seconds, _)) in case.rows.iter().enumerate() {
        let (values, quality) = case.columns(row, &inputs);
        let stepped = host.step_cells(nanoseconds(*seconds), &values, &quality);
        let stepped = stepped.map_err(|fault| CaseError(format!("row {}: {fault}", row + 1)))?;
        case.check(row, &stepped.given())?;
    }
    Ok(())
}

/// The case files of a folder, in order of their names.
///
/// # Errors
/// When the folder cannot be read or has none.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let entries =
        fs::read_dir(folder).map_err(|error| CaseError(format!("{}: {error}", folder.display())))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    paths.sort();
    if paths.is_empty() {
        return wrong(format!("{} has no case: write one as <name>.json", folder.display()));
    }
    Ok(paths)
}

impl Case {
    /// Reads a case, and the recording that it names.
    ///
    /// # Errors
    /// What is missing, unknown or not written as it should be.
    pub fn read(path: &Path) -> Result<Self, CaseError> {
        let about = |why: String| CaseError(format!("{}: {why}", path.display()));
        let text = read_bounded(path).map_err(about)?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("."))).map_err(about)
    }

    /// Times of the rows in nanoseconds since 1970.
    #[must_use]
    pub fn time(&self, row: usize) -> u64 {
        self.rows.get(row).map_or(0, |(seconds, _)| nanoseconds(*seconds))
    }

    /// Values and quality of a row, in the order of `names`; an input that the case does not have is missing.
    #[must_use]
    pub fn columns(&self, row: usize, names: &[&str]) -> (Vec<f64>, Vec<u8>) {
        let cells = self.rows.get(row).map(|(_, cells)| cells.as_slice()).unwrap_or_default();
        let find = |name: &&str| {
            let place = self.inputs.iter().position(|input| input == name);
            place.and_then(|place| cells.get(place)).copied().unwrap_or((f64::NAN, 4))
        };
        names.iter().map(find).unzip()
    }

    /// Holds what a row gave against what it must give.
    ///
    /// # Errors
    /// The first difference, with row, output and both numbers.
    pub fn check(&self, row: usize, given: &Given) -> Result<(), CaseError> {
        let Some(expected) = self.expected.get(row) else {
            return wrong(format!("row {} has nothing to give", row + 1));
        };
        expected
            .difference(&self.outputs, given)
            .map_or(Ok(()), |why| wrong(format!("row {}, {why}", row + 1)))
    }

    /// Names must be those of the behavior, so that a misspelt one is not simply missing.
    ///
    /// # Errors
    /// The first name that is not declared.
    pub fn fits(&self, inputs: &[&str], outputs: &[&str]) -> Result<(), CaseError> {
        let unknown =
            |mine: &[String], known: &[&str]| mine.iter().find(|one| !known.contains(&one.as_str())).cloned();
        if let Some(name) = unknown(&self.inputs, inputs) {
            return wrong(format!("there is no input {name:?}: it has {inputs:?}"));
        }
        if let Some(name) = unknown(&self.outputs, outputs) {
            return wrong(format!("there is no output {name:?}: it has {outputs:?}"));
        }
        Ok(())
    }

    fn parse(json: &[u8], folder: &Path) -> Result<Self, String> {
        let mut case = Self {
            name: String::new(),
            parameters: "{}".to_owned(),
            inputs: Vec::new(),
            rows: Vec::new(),
            outputs: Vec::new(),
            expected: Vec::new(),
        };
        let (mut rows, mut gives, mut tolerance, mut recording) = (Vec::new(), Vec::new(), 0.0, None);
        for (name, value) in json::object(json)? {
            match (name.as_str(), value) {
                ("case", Value::Text(text)) => case.name = text,
                ("parameters", Value::Text(text)) => case.parameters = text,
                ("tolerance", Value::Number(number)) if number >= 0.0 => tolerance = number,
                ("inputs", value) => case.inputs = texts(value)?,
                ("outputs", value) => case.outputs = texts(value)?,
                ("rows", value) => rows = texts(value)?,
                ("gives", value) => gives = texts(value)?,
                ("recording", Value::Text(text)) => recording = Some(text),
                (other, value) => return Err(format!("{other} cannot be {value:?}")),
            }
        }
        match (recording, rows.is_empty()) {
            (Some(_), false) => return Err("give rows or a recording, not both".to_owned()),
            (Some(file), true) => {
                let text = read_bounded(&folder.join(&file)).map_err(|why| format!("{file}: {why}"))?;
                recording::read(&mut case, &text, tolerance).map_err(|why| format!("{file}: {why}"))?;
            }
            (None, _) => {
                case.rows =
                    rows.iter().map(|row| row_of(row, case.inputs.len())).collect::<Result<_, _>>()?;
                let expected = |line: &String| Expected::parse(line, case.outputs.len(), tolerance);
                case.expected = gives.iter().map(expected).collect::<Result<_, _>>()?;
            }
        }
        case.whole()
    }

    /// A case that could not fail is none.
    fn whole(self) -> Result<Self, String> {
        if self.name.is_empty() || self.rows.is_empty() {
            return Err("a case needs a name (\"case\") and rows".to_owned());
        }
        if self.rows.len() != self.expected.len() {
            return Err(format!(
                "{} rows but {} lines in \"gives\": one for each",
                self.rows.len(),
                self.expected.len()
            ));
        }
        if self.expected.iter().all(Expected::is_open) {
            return Err("it expects nothing of any row, so it cannot fail".to_owned());
        }
        let times = self.rows.iter().map(|(seconds, _)| *seconds);
        if !times.is_sorted_by(|a, b| a < b) {
            return Err("times of rows must increase".to_owned());
        }
        Ok(self)
    }
}

/// `"12.5: 20.0, missing, 3.0 uncertain"`
fn row_of(text: &str, inputs: usize) -> Result<(f64, Vec<(f64, u8)>), String> {
    let wrong = || format!("row {text:?} is not \"seconds: cell, cell, …\" with {inputs} cells");
    let (seconds, cells) = text.split_once(':').ok_or_else(wrong)?;
    let seconds: f64 = seconds.trim().parse().map_err(|_| wrong())?;
    let cells: Option<Vec<_>> = cells.split(',').map(|text| cell(text.trim())).collect();
    let cells = cells.filter(|cells| cells.len() == inputs && seconds.is_finite()).ok_or_else(wrong)?;
    Ok((seconds, cells))
}

fn texts(value: Value) -> Result<Vec<String>, String> {
    let Value::List(values) = value else { return Err("a list of texts was expected".to_owned()) };
    let text = |value| match value {
        Value::Text(text) => Ok(text),
        other => Err(format!("{other:?} is no text")),
    };
    values.into_iter().map(text).collect()
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if bytes > CASE_BYTES_MAX {
        return Err(format!("it has {bytes} bytes, {CASE_BYTES_MAX} are read"));
    }
    fs::read(path).map_err(|error| error.to_string())
}

fn wrong<T>(what: impl Into<String>) -> Result<T, CaseError> {
    Err(CaseError(what.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"case": "it smooths", "inputs": ["a", "b"], "rows": ["0: 1.0, missing", "1.5: 2.0 uncertain, 3.0"],
        "outputs": ["o"], "gives": ["1.0 ± 0.5", "any ! hot"]}"#;

    fn parsed(text: &str) -> Result<Case, String> {
        Case::parse(text.as_bytes(), Path::new("."))
    }

    #[test]
    fn a_case_is_read() {
        let case = parsed(WHOLE).expect("whole");
        assert_eq!((case.name.as_str(), case.parameters.as_str(), case.rows.len()), ("it smooths", "{}", 2));
        let (values, quality) = case.columns(1, &["b", "c", "a"]);
        assert_eq!((values[0], values[2], quality), (3.0, 2.0, vec![0, 4, 1]));
        assert_eq!(case.time(1) - case.time(0), 1_500_000_000);
        assert!(case.fits(&["a", "b"], &["o"]).is_ok());
        assert!(case.fits(&["a"], &["o"]).expect_err("b").0.contains("\"b\""));
        assert!(case.fits(&["a", "b"], &["p"]).expect_err("o").0.contains("\"o\""));
    }

    #[test]
    fn a_case_that_says_too_little_is_refused() {
        for (from, to, says) in [
            ("\"it smooths\"", "\"\"", "needs a name"),
            ("[\"1.0 ± 0.5\", \"any ! hot\"]", "[\"1.0\"]", "2 rows but 1"),
            ("[\"1.0 ± 0.5\", \"any ! hot\"]", "[\"any ~\", \"any ~\"]", "cannot fail"),
            ("\"1.5:", "\"0:", "must increase"),
            ("\"1.5:", "\"x:", "is not \"seconds"),
            ("\"0: 1.0, missing\"", "\"0: 1.0\"", "with 2 cells"),
            ("\"case\"", "\"cases\"", "cases cannot be"),
            ("\"outputs\"", "\"recording\": \"r.csv\", \"outputs\"", "not both"),
        ] {
            let text = WHOLE.replace(from, to);
            assert_ne!(text, WHOLE);
            let error = parsed(&text).expect_err(&text);
            assert!(error.contains(says), "{error:?} for {says:?}");
        }
    }

    #[test]
    fn a_recording_stands_for_rows_and_what_they_give() {
        let folder = tempfile::tempdir().expect("folder");
        let csv = "time,a,b,gives o\n0,1.0,,1.0\n1.5,2.0 uncertain,3.0,\n";
        fs::write(folder.path().join("run.csv"), csv).expect("written");
        let text = r#"{"case": "as recorded", "recording": "run.csv", "tolerance": 0.1}"#;
        let case = Case::parse(text.as_bytes(), folder.path()).expect("whole");
        assert_eq!((case.inputs.len(), case.outputs.as_slice()), (2, ["o".to_owned()].as_slice()));
        let given = |value: f64| Given { cells: vec![("o".to_owned(), value, 0)], ..Given::default() };
        assert!(case.check(0, &given(1.05)).is_ok());
        assert!(case.check(0, &given(1.2)).is_err());
        assert!(case.check(1, &given(f64::NAN)).is_ok(), "nothing is expected of the second");
        for (csv, says) in [
            ("a,b\n1,2\n", "first column"),
            ("time,a,gives o\n0,1\n", "3 cells"),
            ("time,a,gives o\n0,x,1\n", "\"x\""),
            ("time,a\n0,1\n", "cannot fail"),
        ] {
            fs::write(folder.path().join("run.csv"), csv).expect("written");
            let error = Case::parse(text.as_bytes(), folder.path()).expect_err(csv);
            assert!(error.contains(says), "{error:?} for {says:?}");
        }
    }
}
