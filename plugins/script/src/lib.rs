//! Interprets a small rule that an operator writes: a script in Rhai, given as a parameter of the site.
//!
//! `parameters` holds the script, `measured` what it may read, `language` what it may say and how much of it, `program`
//! parses it and runs it for a row, `memory` is what it keeps, and this file is what the host sees. What the language has,
//! and what it was kept from having, stands in the README.

mod language;
mod measured;
mod memory;
mod operators;
mod parameters;
mod program;

use std::rc::Rc;

use geminus_sdk::prelude::*;
pub use language::{EXPRESSION_DEPTH_MAX, OPERATIONS_MAX, TEXT_BYTES_MAX, VARIABLES_MAX};
pub use measured::Measured;
pub use memory::{CELL_NAME_BYTES_MAX, CELLS_MAX, Cell, Content, Memory};
pub use parameters::{SCRIPT_BYTES_MAX, ScriptParameters};
use program::{Given, Program};

/// What the script assigned in a row. What it did not assign has no value.
#[derive(Clone, Copy, Debug, Outputs)]
pub struct Judged {
    /// 1 healthy, 0 failed.
    #[output(unit = "1", role = "health-index")]
    pub health: Output,
    /// Whatever the script means by it; its unit is lost.
    #[output(unit = "1")]
    pub x: Output,
    /// Whatever the script means by it; its unit is lost.
    #[output(unit = "1")]
    pub y: Output,
    /// Whatever the script means by it; its unit is lost.
    #[output(unit = "1")]
    pub z: Output,
}

/// What the script may raise. The text is the script's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Alerts)]
pub enum Alarm {
    /// The script said alert_low: look when there is time.
    #[alert(priority = "low", unit = "1")]
    ScriptLow,
    /// The script said alert: act soon.
    #[alert(priority = "medium", unit = "1")]
    ScriptMedium,
    /// The script said alert_high: act promptly.
    #[alert(priority = "high", unit = "1")]
    ScriptHigh,
}

/// A twin with its rule.
#[derive(Debug)]
pub struct Script {
    program: Rc<Program>,
}

#[health_rule(budget(fuel_per_row = 2_000_000, memory_bytes = 67_108_864))]
impl Behavior for Script {
    fn open(parameters: ScriptParameters, _: &Opening<'_>) -> Result<Self, Fault> {
        Ok(Self { program: Program::parsed(&parameters.script)? })
    }

    fn start(&self) -> Memory {
        Memory::default()
    }

    fn step(&self, memory: &mut Memory, row: &mut Row<Measured, Alarm>) -> Result<Judged, Fault> {
        let Given { outputs, uncertain, cells, raised } =
            self.program.run(&row.inputs, row.elapsed(), &memory.cells)?;
        memory.cells = cells;
        for one in raised {
            row.alert(one.alarm, one.value, one.text);
        }
        let judge = if uncertain { Output::uncertain } else { Output::good };
        let [health, x, y, z] = outputs.map(|value| value.map_or(Output::missing(), judge));
        Ok(Judged { health, x, y, z })
    }
}
