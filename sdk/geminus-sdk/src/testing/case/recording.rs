//! A recording as the rows of a case: CSV with a `time` column in seconds, a column for each input, and columns
//! `gives <output>` for what must come. Cells are those of a case; an empty one is missing, or expects nothing.

use super::super::golden::cell;
use super::Case;
use super::expected::{Cell, Expected};

/// Fills inputs, rows, outputs and expectations of `case`.
pub(super) fn read(case: &mut Case, csv: &[u8], tolerance: f64) -> Result<(), String> {
    let text = std::str::from_utf8(csv).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').map(str::trim).collect();
    let Some((&"time", columns)) = header.split_first() else {
        return Err("its first column must be time, in seconds".to_owned());
    };
    let output = |column: &&&str| column.strip_prefix("gives ").map(|name| name.trim().to_owned());
    case.inputs =
        columns.iter().filter(|column| output(column).is_none()).map(|name| (*name).to_owned()).collect();
    case.outputs = columns.iter().filter_map(|column| output(&column)).collect();
    for (number, line) in (2..).zip(lines) {
        let about = |why: String| format!("line {number}: {why}");
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let Some((time, cells)) = cells.split_first().filter(|(_, cells)| cells.len() == columns.len())
        else {
            return Err(about(format!("{} cells are needed", header.len())));
        };
        let wrong = |text: &str| about(format!("{text:?} is no cell"));
        let seconds: f64 = time.parse().map_err(|_| wrong(time))?;
        let (mut values, mut expected) = (Vec::new(), Vec::new());
        for (column, text) in columns.iter().zip(cells) {
            match (column.starts_with("gives "), text.is_empty()) {
                (true, true) => expected.push(Cell::Any),
                (true, false) => expected.push(Cell::parse(text, tolerance).map_err(about)?),
                (false, true) => values.push((f64::NAN, 4)),
                (false, false) => values.push(cell(text).ok_or_else(|| wrong(text))?),
            }
        }
        case.rows.push((seconds, values));
        case.expected.push(Expected::of_cells(expected));
    }
    Ok(())
}
