//! Whether one version may follow another, and why it may not. A behavior is never started cold silently.

use geminus_core::Declaration;

use crate::cohort::saving::RestoreError;
use crate::trouble::Refused;

/// Whether a swap may start twins without the state they had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColdStart {
    /// Refuse the swap instead.
    #[default]
    Refuse,
    /// Somebody has said so: start cold where no state can be carried.
    Allow,
}

/// Why the incumbent still runs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwapError {
    /// One of the two has no state to carry or to take.
    #[error(
        "{from} (schema {writes}) and {to} (schema {reads}) carry no state: allow a cold start, or keep {from}"
    )]
    NoState {
        /// Incumbent.
        from: String,
        /// Newcomer.
        to: String,
        /// Incumbent's schema; 0 without state.
        writes: u32,
        /// Newcomer's schema; 0 without state.
        reads: u32,
    },
    /// No schema that one writes and the other reads.
    #[error(
        "{to} reads state schemas {reads:?}, {from} writes {writes:?}: give {to} a migration, or allow a cold start"
    )]
    Schema {
        /// Incumbent.
        from: String,
        /// Newcomer.
        to: String,
        /// What the incumbent can write.
        writes: Vec<u32>,
        /// What the newcomer can read.
        reads: Vec<u32>,
    },
    /// The state to carry is none that the newcomer reads.
    #[error("state cannot be carried: {0}")]
    Restore(RestoreError),
    /// The newcomer does not take up the incumbent's twins.
    #[error("{to} refuses {} of the twins, first {}", refused.len(), first(refused))]
    Refused {
        /// Newcomer.
        to: String,
        /// Which twins, and why.
        refused: Vec<Refused>,
    },
    /// The newcomer cannot be instantiated, or takes up each twin but not all together.
    #[error("{to} cannot be started in place of the incumbent: {message}")]
    Start {
        /// Newcomer.
        to: String,
        /// What happened.
        message: String,
    },
}

fn first(refused: &[Refused]) -> String {
    refused.first().map_or_else(String::new, ToString::to_string)
}

/// The schema in which the state of `old` can be carried to `new`; `None` when there is nothing to carry, or a cold
/// start is allowed.
///
/// # Errors
/// When there is state that cannot be carried, and a cold start is not allowed.
pub fn handover_schema(
    old: &Declaration,
    new: &Declaration,
    cold: ColdStart,
) -> Result<Option<u32>, SwapError> {
    let (writes, reads) = (old.state.schema, new.state.schema);
    if writes == 0 && reads == 0 {
        return Ok(None);
    }
    let newest = Some(writes).filter(|schema| new.state.reads.contains(schema));
    let older = old.state.writes.iter().copied().filter(|schema| new.state.reads.contains(schema)).max();
    let (from, to) = (old.label(), new.label());
    match newest.or(older) {
        Some(schema) if writes > 0 && reads > 0 => Ok(Some(schema)),
        _ if cold == ColdStart::Allow => Ok(None),
        _ if writes == 0 || reads == 0 => Err(SwapError::NoState { from, to, writes, reads }),
        _ => Err(SwapError::Schema {
            from,
            to,
            writes: old.state.writes.clone(),
            reads: new.state.reads.clone(),
        }),
    }
}
