//! What was put to work for a behavior, as the history of activations has it: for good, and for whom. A safe start and the
//! ladder go back only to such versions, and a version that one twin was given is no way back for the others.

use geminus_store::Activation;

/// A start of the host, with what all twins of a behavior run that have no version of their own.
pub(crate) const STARTED: &str = "started";
/// A start of the host, with a version that some twins have of their own.
pub(crate) const STARTED_OWN: &str = "started for twins with a version of their own";
/// A rollout that became permanent.
pub(crate) const ACTIVATED: &str = "activated";

/// Whether a version was put to work for good, for whichever twins.
pub(crate) fn for_good(activation: &Activation) -> bool {
    [STARTED, STARTED_OWN, ACTIVATED].contains(&activation.outcome.as_str())
}

/// Whether a version was put to work for good for all twins of its behavior that had none of their own. `whole` says that
/// of a rollout by its number; one that nobody knows any more counts as one for some twins.
pub(crate) fn for_all(activation: &Activation, whole: impl Fn(u64) -> bool) -> bool {
    match (activation.outcome.as_str(), activation.rollout) {
        (ACTIVATED, Some(rollout)) => whole(rollout),
        (ACTIVATED | STARTED, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_put_to_work_for_good_counts_and_for_all_only_what_all_were_given() {
        let check = |outcome: &str, rollout: Option<u64>, expect: (bool, bool)| {
            let outcome = outcome.to_owned();
            let activation = Activation { outcome, rollout, ..Activation::default() };
            let found = (for_good(&activation), for_all(&activation, |rollout| rollout == 1));
            assert_eq!(found, expect, "{activation:?}");
        };
        check("started", None, (true, true));
        check("started for twins with a version of their own", None, (true, false));
        check("activated", Some(1), (true, true));
        check("activated", Some(2), (true, false));
        check("moved back: cell-1 failed in tally@2.0.0", None, (false, false));
        check("refused: it broke", Some(1), (false, false));
        check("cancelled by a person", Some(1), (false, false));
    }
}
