//! The file of a golden state: one flat JSON object that people can read in a diff and that keeps every bit. Numbers are
//! written with the fewest digits that come back as the same `f64`; lines of answers are compared as texts.

use std::fmt;
use std::path::Path;

use super::GoldenError;
use crate::behavior::Answer;
use crate::columns::{Outcome, States};
use crate::json::{self, Value};
use crate::{Alerts, Behavior, Commands, Inputs, Outputs, Quality};

/// Words for `Quality`, by its number.
const QUALITY: [&str; 5] = ["good", "uncertain", "bad", "stale", "missing"];

/// A state of a released schema, rows after it, and what versions gave for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Golden {
    /// Name of the plugin.
    pub plugin: String,
    /// Schema of the bytes.
    pub schema: u32,
    /// JSON object that the slot was opened with.
    pub parameters: String,
    /// The state, with the slot table's envelope.
    pub state: Vec<u8>,
    /// Names of the inputs, in the order of a row's cells.
    pub inputs: Vec<String>,
    /// Rows: time in nanoseconds, a colon, a cell for each input.
    pub rows: Vec<String>,
    /// What versions gave, in the order in which they recorded it.
    pub recorded: Vec<Recorded>,
}

/// What one version gave for the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The plugin's version.
    pub version: String,
    /// Names of the outputs, in the order of a line's cells.
    pub outputs: Vec<String>,
    /// A line for each row: cells, alerts, proposals.
    pub lines: Vec<String>,
}

/// Times, values and quality of rows, as `Rows` wants them.
pub type Columns = (Vec<u64>, Vec<f64>, Vec<u8>);

impl Recorded {
    /// The first thing that `other` gives otherwise, in words.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        let (mine, theirs) = (&self.version, &other.version);
        if self.outputs != other.outputs {
            return Some(format!(
                "outputs of {mine} are {:?}, of {theirs} {:?}",
                self.outputs, other.outputs
            ));
        }
        if self.lines.len() != other.lines.len() {
            let (all, rest) = (self.lines.len(), other.lines.len());
            return Some(format!("{mine} recorded {all} rows, {theirs} gives {rest}"));
        }
        let rows = self.lines.iter().zip(&other.lines).enumerate();
        rows.filter(|(_, (a, b))| a != b).map(|(row, pair)| self.in_row(row, pair, theirs)).next()
    }

    fn in_row(&self, row: usize, (before, after): (&String, &String), theirs: &str) -> String {
        let cells = before.split(", ").zip(after.split(", ")).zip(&self.outputs);
        let (output, was, is) = cells
            .filter(|((was, is), _)| was != is)
            .map(|((was, is), output)| (output.as_str(), was, is))
            .next()
            .unwrap_or(("the answer", before, after));
        format!("row {}, {output}: {} recorded {was}, {theirs} gives {is}", row + 1, self.version)
    }
}

impl Golden {
    /// Reads a file.
    ///
    /// # Errors
    /// What is not as [`Golden`]'s `Display` writes it.
    pub fn read(path: &Path) -> Result<Self, GoldenError> {
        let about = |why: String| GoldenError(format!("{}: {why}", path.display()));
        let text = std::fs::read(path).map_err(|error| about(error.to_string()))?;
        Self::parse(&text).map_err(about)
    }

    fn parse(json: &[u8]) -> Result<Self, String> {
        let mut golden = Self {
            plugin: String::new(),
            schema: 0,
            parameters: String::new(),
            state: Vec::new(),
            inputs: Vec::new(),
            rows: Vec::new(),
            recorded: Vec::new(),
        };
        for (name, value) in json::object(json)? {
            match (name.as_str(), value) {
                ("plugin", Value::Text(text)) => golden.plugin = text,
                ("schema", Value::Number(number)) => {
                    golden.schema = whole(number).ok_or("schema is no number")?
                }
                ("parameters", Value::Text(text)) => golden.parameters = text,
                ("state", Value::Text(text)) => {
                    golden.state = bytes(&text).ok_or("state is not hexadecimal")?
                }
                ("inputs", value) => golden.inputs = texts(value)?,
                ("rows", value) => golden.rows = texts(value)?,
                (other, value) => golden.answers(other, value)?,
            }
        }
        if golden.schema == 0
            || golden.state.is_empty()
            || golden.rows.is_empty()
            || golden.recorded.is_empty()
        {
            return Err("schema, state, rows or what they gave is not there".to_owned());
        }
        Ok(golden)
    }

    fn answers(&mut self, name: &str, value: Value) -> Result<(), String> {
        let texts = texts(value)?;
        match (name.split_once(' '), self.recorded.last_mut()) {
            (Some(("outputs", version)), _) => {
                let version = version.to_owned();
                self.recorded.push(Recorded { version, outputs: texts, lines: Vec::new() });
                Ok(())
            }
            (Some(("gives", version)), Some(last)) if last.version == version && last.lines.is_empty() => {
                last.lines = texts;
                Ok(())
            }
            _ => Err(format!("{name:?} is not expected there")),
        }
    }

    /// The state as `restore` takes it, in slot 0.
    #[must_use]
    pub fn states(&self) -> States {
        let end = u32::try_from(self.state.len()).unwrap_or(u32::MAX);
        States { schema: self.schema, slots: vec![0], bytes: self.state.clone(), ends: vec![end] }
    }

    /// The rows with inputs in the order of `names`; one that the file does not have is missing.
    ///
    /// # Errors
    /// For a row that is not written as it should be.
    pub fn columns(&self, names: &[&str]) -> Result<Columns, GoldenError> {
        let (mut times, mut values, mut quality) = (Vec::new(), Vec::new(), Vec::new());
        for row in &self.rows {
            let wrong = || GoldenError(format!("row {row:?} is not \"time: cell, cell, …\""));
            let (time, cells) = row.split_once(": ").ok_or_else(wrong)?;
            times.push(time.parse().map_err(|_| wrong())?);
            let cells: Vec<(f64, u8)> =
                cells.split(", ").map(cell).collect::<Option<_>>().ok_or_else(wrong)?;
            for name in names {
                let place = self.inputs.iter().position(|input| input == name);
                let found = place.and_then(|place| cells.get(place)).copied();
                let (value, told) = found.unwrap_or((f64::NAN, Quality::Missing as u8));
                values.push(value);
                quality.push(told);
            }
        }
        Ok((times, values, quality))
    }
}

impl fmt::Display for Golden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{{\n  \"plugin\": {},\n  \"schema\": {},", Quoted(&self.plugin), self.schema)?;
        writeln!(f, "  \"parameters\": {},", Quoted(&self.parameters))?;
        let hex: String = self.state.iter().map(|byte| format!("{byte:02x}")).collect();
        write!(f, "  \"state\": {}", Quoted(&hex))?;
        list(f, "inputs", &self.inputs)?;
        list(f, "rows", &self.rows)?;
        for Recorded { version, outputs, lines } in &self.recorded {
            list(f, &format!("outputs {version}"), outputs)?;
            list(f, &format!("gives {version}"), lines)?;
        }
        f.write_str("\n}\n")
    }
}

fn list(f: &mut fmt::Formatter<'_>, name: &str, texts: &[String]) -> fmt::Result {
    write!(f, ",\n  {}: [", Quoted(name))?;
    for (place, text) in texts.iter().enumerate() {
        write!(f, "{}\n    {}", if place == 0 { "" } else { "," }, Quoted(text))?;
    }
    f.write_str("\n  ]")
}

/// A text as JSON.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// A row of typed inputs.
pub(super) fn row<I: Inputs>(time: u64, inputs: &I) -> String {
    let (values, quality) = inputs.cells();
    let cells =
        values.as_ref().iter().zip(quality.as_ref()).map(|(value, quality)| written(*value, *quality));
    format!("{time}: {}", cells.collect::<Vec<_>>().join(", "))
}

/// What one row gave: cells, then `! code value` for each alert (its detail is for people and may be reworded) and `> command value confidence for` for each
/// proposal.
pub(super) fn line<B: Behavior>(outcome: &Outcome) -> String {
    let width = <<B::Answer as Answer>::Outputs as Outputs>::WIDTH;
    let quality = outcome.quality.iter().copied().chain(std::iter::repeat(0));
    let cells =
        outcome.values.iter().zip(quality).take(width).map(|(value, quality)| written(*value, quality));
    let mut line = cells.collect::<Vec<_>>().join(", ");
    for alert in &outcome.alerts {
        let code = B::Alerts::CODES.get(alert.alert as usize).copied().unwrap_or("undeclared");
        line.push_str(&format!(" ! {code} {:?}", alert.value));
    }
    for wish in &outcome.proposals {
        let command = B::Commands::NAMES.get(wish.command as usize).copied().unwrap_or("undeclared");
        line.push_str(&format!(
            " > {command} {:?} {:?} {} ms",
            wish.value, wish.confidence, wish.valid_for_ms
        ));
    }
    line
}

/// A cell: a number with its quality where that is not good, or why there is none.
fn written(value: f64, quality: u8) -> String {
    let word = QUALITY.get(usize::from(quality)).copied().unwrap_or("bad");
    match (value.is_nan(), quality) {
        (true, _) => word.to_owned(),
        (false, 0) => format!("{value:?}"),
        (false, _) => format!("{value:?} {word}"),
    }
}

/// The number of a quality's word.
pub(in crate::testing) fn quality_named(word: &str) -> Option<u8> {
    QUALITY.iter().position(|known| *known == word).and_then(|at| u8::try_from(at).ok())
}

/// A cell as [`Golden`] writes it: a number, perhaps with its quality, or why there is none.
pub(in crate::testing) fn cell(text: &str) -> Option<(f64, u8)> {
    match text.split_once(' ') {
        Some((number, word)) => Some((number.parse().ok()?, quality_named(word)?)),
        None => match quality_named(text) {
            Some(quality) => Some((f64::NAN, quality)),
            None => Some((text.parse().ok()?, 0)),
        },
    }
}

fn texts(value: Value) -> Result<Vec<String>, String> {
    let Value::List(values) = value else { return Err("a list of texts was expected".to_owned()) };
    let text = |value| match value {
        Value::Text(text) => Ok(text),
        other => Err(format!("{other:?} is no text")),
    };
    values.into_iter().map(text).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held by the comparison")]
fn whole(number: f64) -> Option<u32> {
    let whole = number as u32;
    (f64::from(whole) == number).then_some(whole)
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_every_bit() {
        let check = |value: f64, quality: u8, text: &str| {
            assert_eq!(written(value, quality), text);
            let (back, told) = cell(text).expect(text);
            assert!(
                (back.to_bits() == value.to_bits() || back.is_nan() && value.is_nan()) && told == quality,
                "{text}"
            );
        };
        check(0.1 + 0.2, 0, "0.30000000000000004");
        check(-0.0, 0, "-0.0");
        check(f64::MIN_POSITIVE, 1, "2.2250738585072014e-308 uncertain");
        check(f64::INFINITY, 2, "inf bad");
        check(f64::NAN, 4, "missing");
        check(f64::NAN, 3, "stale");
        check(12.0, 3, "12.0 stale");
        for text in ["", "1.0 well", "x", "1.0 good good"] {
            assert_eq!(cell(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_is_read_as_it_is_written() {
        let answer = |version: &str, line: &str| Recorded {
            version: version.to_owned(),
            outputs: vec!["o".to_owned()],
            lines: vec![line.to_owned()],
        };
        let golden = Golden {
            plugin: "probe".to_owned(),
            schema: 3,
            parameters: "{\"a\": \"\\n\"}".to_owned(),
            state: vec![0, 255, 16],
            inputs: vec!["a".to_owned(), "b".to_owned()],
            rows: vec!["5: 1.5, missing".to_owned()],
            recorded: vec![answer("1.0.0", "2.5 ! hot 1.0 (\"odd\"\t°)"), answer("1.1.0", "2.6")],
        };
        assert_eq!(Golden::parse(golden.to_string().as_bytes()), Ok(golden.clone()));
        let (times, values, quality) = golden.columns(&["b", "c", "a"]).expect("columns");
        assert_eq!((times, quality), (vec![5], vec![4, 4, 0]));
        assert!(values[0].is_nan() && values[1].is_nan() && values[2] == 1.5);
        let says = golden.recorded[0].difference(&golden.recorded[1]).expect("another answer");
        assert_eq!(says, "row 1, o: 1.0.0 recorded 2.5 ! hot 1.0 (\"odd\"\t°), 1.1.0 gives 2.6");
    }

    #[test]
    fn a_file_that_says_less_is_refused() {
        let whole = r#"{"plugin": "p", "schema": 1, "parameters": "{}", "state": "00", "inputs": ["a"],
            "rows": ["1: 1.0"], "outputs 1.0.0": ["o"], "gives 1.0.0": ["1.0"]}"#;
        Golden::parse(whole.as_bytes()).expect("whole");
        for (from, to) in [
            ("\"schema\": 1", "\"schema\": 0"),
            ("\"schema\": 1", "\"schema\": 1.5"),
            ("\"state\": \"00\"", "\"state\": \"0\""),
            ("\"state\": \"00\"", "\"state\": \"0g\""),
            ("\"state\": \"00\"", "\"state\": \"\""),
            ("[\"1: 1.0\"]", "[]"),
            ("[\"1: 1.0\"]", "[1]"),
            ("gives 1.0.0", "gives 1.0.1"),
            ("gives 1.0.0", "grants 1.0.0"),
            ("\"plugin\"", "plugin"),
        ] {
            let text = whole.replace(from, to);
            assert_ne!(text, whole);
            assert!(Golden::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
