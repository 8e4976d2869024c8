//! `geminus plugin inspect`: what a package says of itself, for people.

use std::fmt;
use std::path::Path;

use serde_json::Value;

use crate::{Package, PackageError};

/// A package to be shown.
#[derive(Debug)]
pub struct Inspection(pub Package);

/// Reads the package at `path`.
///
/// # Errors
/// As [`Package::read`].
pub fn inspect(path: &Path) -> Result<Inspection, PackageError> {
    Package::read(path).map(Inspection)
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Package { digest, declaration, stamp, bytes, .. } = &self.0;
        writeln!(f, "{}  {:?}", declaration.label(), declaration.kind)?;
        if !declaration.description.is_empty() {
            writeln!(f, "  {}", declaration.description)?;
        }
        writeln!(f, "  digest    {digest}")?;
        writeln!(f, "  size      {} bytes", bytes.len())?;
        writeln!(f, "  contract  {}   sdk {}   {}", stamp.contract, stamp.sdk, stamp.toolchain)?;
        writeln!(
            f,
            "  state     schema {} reads {:?} writes {:?}",
            declaration.state.schema, declaration.state.reads, declaration.state.writes
        )?;
        writeln!(
            f,
            "  budget    {} fuel per row, {} bytes of memory",
            declaration.budget.fuel_per_row, declaration.budget.memory_bytes
        )?;
        writeln!(f, "inputs")?;
        for input in &declaration.inputs {
            let need = if input.required { "" } else { " (optional)" };
            writeln!(
                f,
                "  {:<28} {:<8} {:?}{need}  {}",
                input.name, input.unit, input.arrival, input.description
            )?;
        }
        writeln!(f, "outputs")?;
        for output in &declaration.outputs {
            let of = output.of.as_deref().map(|of| format!(" of {of}")).unwrap_or_default();
            writeln!(
                f,
                "  {:<28} {:<8} {:?}{of}  {}",
                output.name, output.unit, output.role, output.description
            )?;
        }
        for alert in &declaration.alerts {
            writeln!(f, "alert    {:<20} {:?}  {}", alert.code, alert.priority, alert.text)?;
        }
        for command in &declaration.commands {
            writeln!(
                f,
                "command  {:<20} {} … {} {}",
                command.name, command.minimum, command.maximum, command.unit
            )?;
        }
        let members = declaration.parameters.get("properties").and_then(Value::as_object);
        for (name, schema) in members.into_iter().flatten() {
            let default = schema.get("default").map_or("none, must be given".to_owned(), Value::to_string);
            let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            writeln!(f, "parameter {name:<19} default {default}  {text}")?;
        }
        Ok(())
    }
}
