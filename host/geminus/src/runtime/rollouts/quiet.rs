//! Twins that send nothing while a version is tried: whom a phase waits for all the same, and in what words.
//!
//! Twins that somebody named for a canary are there to say something, so each has to have its rows. All others are not
//! waited for as long as at least one says something.

use geminus_core::TwinIndex;
use geminus_rollout::{Phase, Plan};

use crate::runtime::cohorts::trial::Standing;

/// Twins that are named, of many.
const NAMED_MAX: usize = 5;

/// Whether rows of twins that send nothing count in this phase.
pub(super) fn counts(plan: &Plan, phase: Phase) -> bool {
    phase == Phase::Canary && plan.stages.canary.twins.is_some()
}

/// What a phase waits for that may never come; `None` when there is no such thing.
pub(super) fn words(
    plan: &Plan,
    phase: Phase,
    standings: &[Standing],
    name_of: &dyn Fn(TwinIndex) -> String,
) -> Option<String> {
    if phase == Phase::Promoting {
        let idle: usize = standings.iter().map(|standing| standing.idle).sum();
        let text = || format!("the new version is not warm for {idle} twins, which send nothing");
        return (idle > 0).then(text);
    }
    if !counts(plan, phase) {
        return None;
    }
    let wanted = plan.stages.canary.rows_wanted();
    let quiet = standings.iter().flat_map(|standing| &standing.quiet);
    let mut short: Vec<(TwinIndex, u64)> = quiet.copied().filter(|(_, rows)| *rows < wanted).collect();
    short.sort_unstable();
    let named = short.iter().take(NAMED_MAX);
    let named: Vec<String> =
        named.map(|(twin, rows)| format!("{} ({rows} of {wanted} rows)", name_of(*twin))).collect();
    let more = match short.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = || format!("it waits for canary twins that send nothing: {}{more}", named.join(", "));
    (!short.is_empty()).then(text)
}
