//! Commands as the outbox keeps them. Whoever makes a change writes it down with these.

use geminus_api::Trouble;
use geminus_command::{Event as Step, Phase, Record};
use geminus_store::{CommandChange, CommandRow};

use super::show;

/// A record, what caused it to come from `before` to where it is, and what the journal is to be told of that, as they are kept.
pub(crate) fn change(
    record: &Record,
    step: &Step,
    (before, number): (Phase, u64),
) -> Result<CommandChange, Trouble> {
    let cause = serde_json::to_string(step).map_err(|error| Trouble::Internal(error.to_string()))?;
    let word = show::event(record, step, before);
    row(record, number).map(|row| CommandChange { row, cause, word })
}

/// A record as it is kept.
pub(crate) fn row(record: &Record, number: u64) -> Result<CommandRow, Trouble> {
    let command = record.command();
    let document = record.document().map_err(|error| Trouble::Internal(error.to_string()))?;
    Ok(CommandRow {
        number,
        id: *command.id.as_bytes(),
        twin: command.twin.clone(),
        target: command.target.clone(),
        digest: record.digest().to_string(),
        step: record.step(),
        state: record.phase().name().to_owned(),
        since: record.since(),
        open: !record.is_over(),
        document,
    })
}
