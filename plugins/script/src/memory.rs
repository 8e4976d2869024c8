//! What a script keeps from row to row: a few named numbers, its `state`. As bytes they are in the order of their names, so
//! that the same state has the same bytes.

use geminus_sdk::pack::Unpacker;
use geminus_sdk::prelude::*;
use rhai::{Dynamic, Map};

/// Most numbers that a script keeps.
pub const CELLS_MAX: usize = 16;
/// Longest name of one, in bytes.
pub const CELL_NAME_BYTES_MAX: usize = 32;

/// What is remembered of a twin. Schema 1.
#[derive(Clone, Debug, Default, PartialEq, State)]
#[state(schema = 1)]
pub struct Memory {
    /// In the order of their names.
    pub cells: Vec<Cell>,
}

/// One member of `state`.
#[derive(Clone, Debug, PartialEq, Pack)]
pub struct Cell {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub content: Content,
}

/// What a member of `state` may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Content {
    /// A finite number.
    Number(f64),
    /// A whole number.
    Whole(i64),
    /// Yes or no.
    Flag(bool),
}

impl Pack for Content {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => (0_u8, *number).pack(out),
            Self::Whole(number) => (1_u8, *number).pack(out),
            Self::Flag(flag) => (2_u8, *flag).pack(out),
        }
    }

    fn unpack(input: &mut Unpacker<'_>) -> Result<Self, Fault> {
        match u8::unpack(input)? {
            0 => match f64::unpack(input)? {
                number if number.is_finite() => Ok(Self::Number(number)),
                number => Err(Fault::state(format!("{number} is kept, which no script can have kept"))),
            },
            1 => i64::unpack(input).map(Self::Whole),
            2 => bool::unpack(input).map(Self::Flag),
            other => {
                Err(Fault::state(format!("{other} is neither number (0), whole number (1) nor flag (2)")))
            }
        }
    }
}

/// The cells as the script sees them.
pub(crate) fn shown(cells: &[Cell]) -> Map {
    let value = |content| match content {
        Content::Number(number) => Dynamic::from_float(number),
        Content::Whole(number) => Dynamic::from_int(number),
        Content::Flag(flag) => Dynamic::from_bool(flag),
    };
    cells.iter().map(|cell| (cell.name.as_str().into(), value(cell.content))).collect()
}

/// What the script left in `state`; a member that it set to `()` is forgotten.
///
/// # Errors
/// Names the member that cannot be kept, and why.
pub(crate) fn kept(state: &Dynamic) -> Result<Vec<Cell>, String> {
    let Ok(members) = state.as_map_ref() else {
        let is = state.type_name();
        return Err(format!(
            "state was replaced by a value ({is}): assign its members, as in state.count = 1"
        ));
    };
    let mut cells = Vec::new();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_unit()) {
        if name.len() > CELL_NAME_BYTES_MAX {
            return Err(format!(
                "state.{name} has a name of {} bytes, {CELL_NAME_BYTES_MAX} are kept",
                name.len()
            ));
        }
        let content = match (value.as_float(), value.as_int(), value.as_bool()) {
            (Ok(number), ..) if number.is_finite() => Content::Number(number),
            (Ok(number), ..) => return Err(format!("state.{name} is {number}, which is not kept")),
            (_, Ok(number), _) => Content::Whole(number),
            (.., Ok(flag)) => Content::Flag(flag),
            _ => {
                let is = value.type_name();
                return Err(format!("state.{name} is no number and no flag ({is}), which alone are kept"));
            }
        };
        cells.push(Cell { name: name.to_string(), content });
    }
    match cells.len() {
        0..=CELLS_MAX => Ok(cells),
        more => Err(format!("state has {more} members, {CELLS_MAX} are kept: set those not needed to ()")),
    }
}
