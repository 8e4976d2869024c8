//! What a row must give, as a line of a case: cells, then `! code` for each alert and `> command` for each proposal.
//!
//! A cell is a number, exact unless a tolerance follows (`26.3 ± 0.1`, `26.3 ± 2 %`), perhaps with its quality
//! (`26.3 ± 0.1 uncertain`); or why there is none (`missing`); or `any`. Alerts and proposals that are not written must
//! not come, unless the line ends with `~`.

use super::super::golden::quality_named;

/// What one row gave, by name, from the fake host or from a component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// Output, value (NaN for none), quality.
    pub cells: Vec<(String, f64, u8)>,
    /// Code and value of each alert.
    pub alerts: Vec<(String, f64)>,
    /// Command and value of each proposal.
    pub proposals: Vec<(String, f64)>,
}

/// What one row must give.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// One for each output of the case.
    pub cells: Vec<Cell>,
    alerts: Vec<(String, Cell)>,
    proposals: Vec<(String, Cell)>,
    /// Other alerts and proposals may come.
    open: bool,
}

/// What one number must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// Whatever it is.
    Any,
    /// No number, for this reason.
    None(u8),
    /// A number no farther off than that; the quality too when one is written.
    Number(f64, f64, Option<u8>),
}

impl Expected {
    /// Reads a line with that many cells.
    pub(super) fn parse(line: &str, outputs: usize, tolerance: f64) -> Result<Self, String> {
        let about = |why: String| format!("{line:?}: {why}");
        let (line_text, open) = match line.trim_end().strip_suffix('~') {
            Some(rest) => (rest, true),
            None => (line, false),
        };
        let events = line_text.find(['!', '>']).unwrap_or(line_text.len());
        let (cells, mut rest) = line_text.split_at(events);
        let cells = cells.split(',').map(str::trim).filter(|text| !text.is_empty());
        let cells: Vec<Cell> =
            cells.map(|text| Cell::parse(text, tolerance)).collect::<Result<_, _>>().map_err(about)?;
        if cells.len() != outputs {
            return Err(about(format!("{} cells for {outputs} outputs", cells.len())));
        }
        let mut expected = Self { cells, alerts: Vec::new(), proposals: Vec::new(), open };
        while let Some(sign) = rest.chars().next() {
            let tail = rest.get(1..).unwrap_or_default();
            let end = tail.find(['!', '>']).unwrap_or(tail.len());
            let (event, after) = tail.split_at(end);
            let (name, value) = event.trim().split_once(' ').unwrap_or((event.trim(), "any"));
            if name.is_empty() {
                return Err(about(format!("a name is missing after {sign:?}")));
            }
            let event = (name.to_owned(), Cell::parse(value.trim(), tolerance).map_err(about)?);
            if sign == '!' {
                expected.alerts.push(event)
            } else {
                expected.proposals.push(event)
            }
            rest = after;
        }
        Ok(expected)
    }

    /// From cells alone, as a recording has them; alerts and proposals may come.
    pub(super) fn of_cells(cells: Vec<Cell>) -> Self {
        Self { cells, alerts: Vec::new(), proposals: Vec::new(), open: true }
    }

    /// Whether nothing at all is expected.
    pub(super) fn is_open(&self) -> bool {
        let nothing = self.alerts.is_empty() && self.proposals.is_empty() && self.open;
        nothing && self.cells.iter().all(|cell| *cell == Cell::Any)
    }

    /// The first difference, in words.
    pub(super) fn difference(&self, outputs: &[String], given: &Given) -> Option<String> {
        for (name, cell) in outputs.iter().zip(&self.cells) {
            let found = given.cells.iter().find(|(known, ..)| known == name);
            let (value, quality) = found.map_or((f64::NAN, 4), |(_, value, quality)| (*value, *quality));
            if !cell.holds(value, quality) {
                return Some(format!("{name}: {cell} was expected, {value:?} came (quality {quality})"));
            }
        }
        self.events("alert", &self.alerts, &given.alerts)
            .or_else(|| self.events("proposal", &self.proposals, &given.proposals))
    }

    fn events(&self, kind: &str, expected: &[(String, Cell)], given: &[(String, f64)]) -> Option<String> {
        let mut left: Vec<&(String, f64)> = given.iter().collect();
        for (name, cell) in expected {
            let fits = |one: &&(String, f64)| one.0 == *name && cell.holds(one.1, 0);
            let Some(place) = left.iter().position(fits) else {
                return Some(format!("{kind} {name} {cell} was expected, {given:?} came"));
            };
            left.remove(place);
        }
        let more = left.first().filter(|_| !self.open)?;
        Some(format!("{kind} {} {:?} came, which was not expected", more.0, more.1))
    }
}

impl Cell {
    pub(super) fn parse(text: &str, tolerance: f64) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no number with a tolerance, no quality and not \"any\"");
        if text == "any" {
            return Ok(Self::Any);
        }
        if let Some(quality) = quality_named(text) {
            return Ok(Self::None(quality));
        }
        let (rest, quality) = match text.rsplit_once(' ').map(|(rest, word)| (rest, quality_named(word))) {
            Some((rest, Some(quality))) => (rest, Some(quality)),
            _ => (text, None),
        };
        let (number, off) =
            rest.split_once('±').map_or((rest, None), |(number, off)| (number, Some(off.trim())));
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        let off: f64 = match off.map(|off| (off.strip_suffix('%'), off)) {
            None => tolerance,
            Some((Some(percent), _)) => {
                percent.trim().parse::<f64>().map_err(|_| wrong())? / 100.0 * number.abs()
            }
            Some((None, off)) => off.parse().map_err(|_| wrong())?,
        };
        if !number.is_finite() || !off.is_finite() || off < 0.0 {
            return Err(wrong());
        }
        Ok(Self::Number(number, off, quality))
    }

    fn holds(self, value: f64, quality: u8) -> bool {
        match self {
            Self::Any => true,
            Self::None(expected) => value.is_nan() && quality == expected,
            Self::Number(number, off, told) => {
                (value - number).abs() <= off && told.is_none_or(|told| told == quality)
            }
        }
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::None(quality) => write!(f, "no value (quality {quality})"),
            Self::Number(number, off, None) => write!(f, "{number:?} ± {off:?}"),
            Self::Number(number, off, Some(quality)) => write!(f, "{number:?} ± {off:?} (quality {quality})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, value: f64, quality: u8, alerts: &[(&str, f64)], expect: &str) {
        let expected = Expected::parse(line, 1, 0.0).expect(line);
        let events = alerts.iter().map(|(code, value)| ((*code).to_owned(), *value)).collect();
        let given =
            Given { cells: vec![("o".to_owned(), value, quality)], alerts: events, proposals: Vec::new() };
        let found = expected.difference(&["o".to_owned()], &given).unwrap_or_default();
        assert!(found.contains(expect) && found.is_empty() == expect.is_empty(), "{line}: {found:?}");
    }

    #[test]
    fn numbers_are_held_inside_their_tolerance() {
        check("1.0", 1.0, 0, &[], "");
        check("1.0", 1.0 + 1e-15, 0, &[], "1.0 ± 0.0 was expected");
        check("1.0 ± 0.1", 1.09, 1, &[], "");
        check("1.0 ± 0.1", f64::NAN, 0, &[], "NaN came");
        check("-200.0 ± 2 %", -203.9, 0, &[], "");
        check("-200.0 ± 2 %", -204.1, 0, &[], "was expected");
        check("1.0 ± 0.1 uncertain", 1.0, 0, &[], "(quality 1)");
        check("1.0 uncertain", 1.0, 1, &[], "");
        check("missing", f64::NAN, 4, &[], "");
        check("missing", f64::NAN, 2, &[], "no value");
        check("missing", 1.0, 4, &[], "no value");
        check("any", f64::NAN, 2, &[], "");
    }

    #[test]
    fn alerts_come_as_written_and_no_others() {
        check("any ! hot", 0.0, 0, &[("hot", 3.0)], "");
        check("any ! hot 3.0 ± 0.1", 0.0, 0, &[("hot", 3.05)], "");
        check("any ! hot 3.0 ± 0.1", 0.0, 0, &[("hot", 3.5)], "alert hot 3.0");
        check("any ! hot", 0.0, 0, &[], "alert hot any");
        check("any", 0.0, 0, &[("hot", 3.0)], "not expected");
        check("any ~", 0.0, 0, &[("hot", 3.0)], "");
        check("any ! hot", 0.0, 0, &[("hot", 3.0), ("hot", 3.0)], "not expected");
    }

    #[test]
    fn a_line_that_is_none_is_refused() {
        for line in
            ["", "1.0, 2.0", "x", "1.0 ±", "1.0 ± -1", "nan", "1.0 ± inf", "any !", "any > ", "1.0 well"]
        {
            assert!(Expected::parse(line, 1, 0.0).is_err(), "{line}");
        }
    }
}
