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

#[cfg(test)]
mod tests {
    use geminus_core::Declaration;
    use geminus_rollout::{Acceptance, Tally};

    use super::*;

    fn standing(quiet: &[(u32, u64)], idle: usize) -> Standing {
        let text = serde_json::json!({
            "declaration": 1, "name": "probe", "version": "1.0.0", "kind": "estimator",
            "outputs": [{"name": "b", "unit": "1"}], "state": {"schema": 0, "reads": [], "writes": []},
        });
        let declaration = Declaration::parse(text.to_string().as_bytes()).expect("declaration");
        Standing {
            enrolled: 0,
            warm: 0,
            authoritative: 0,
            idle,
            rows_min: 0,
            rows_fewest: None,
            quiet: quiet.iter().map(|(twin, rows)| (TwinIndex(*twin), *rows)).collect(),
            cold: 0,
            tally: Tally::new(&declaration, &Acceptance::default()),
            failure: None,
        }
    }

    fn said(named: bool, phase: Phase, standings: &[Standing]) -> String {
        let mut plan = Plan::direct("probe", "2.0.0");
        plan.stages.canary.rows = 5;
        match named {
            true => plan.stages.canary.twins = Some(vec!["t1".to_owned()]),
            false => plan.stages.canary.count = Some(1),
        }
        words(&plan, phase, standings, &|twin| format!("t{}", twin.0)).unwrap_or_default()
    }

    #[test]
    fn twins_that_were_named_and_are_short_of_rows_are_told_and_no_others() {
        let two = [standing(&[(3, 2), (4, 5)], 0), standing(&[(1, 0)], 0)];
        let waits = "it waits for canary twins that send nothing: ";
        assert_eq!(said(true, Phase::Canary, &two), format!("{waits}t1 (0 of 5 rows), t3 (2 of 5 rows)"));
        assert_eq!(said(false, Phase::Canary, &two), "", "others stand in for those that the host picked");
        assert_eq!(said(true, Phase::Shadow, &two), "");
        assert_eq!(said(true, Phase::Canary, &[standing(&[(4, 5)], 0)]), "", "it has its rows");
        let many: Vec<(u32, u64)> = (0..7).map(|twin| (twin, 0)).collect();
        assert!(said(true, Phase::Canary, &[standing(&many, 0)]).ends_with("t4 (0 of 5 rows) and 2 more"));
    }

    #[test]
    fn a_promotion_tells_how_many_it_cannot_become_warm_for() {
        let text = said(false, Phase::Promoting, &[standing(&[], 2), standing(&[], 1)]);
        assert_eq!(text, "the new version is not warm for 3 twins, which send nothing");
        assert_eq!(said(false, Phase::Promoting, &[standing(&[], 0)]), "");
    }
}
