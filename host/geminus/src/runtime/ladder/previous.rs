//! The version that ran before, for a twin that fails in the one that it runs: of those that answered for this very twin
//! the latest, else the latest that was put to work for all twins of its behavior. What was given to some other twin is
//! no way back, and neither is what has failed this one or may do more than the version that it fails in.

use std::collections::HashMap;
use std::time::Duration;

use geminus_core::{Declaration, Digest, Timestamp};
use geminus_registry::{ChangeSeverity, diff};
use geminus_store::{Activation, ActivationFilter, Strike};

use super::{Case, Climb};
use crate::runtime::floor::Floor;
use crate::runtime::rollouts::Document;
use crate::runtime::worked;

/// Strikes of a twin that are looked through for a version whose strikes are used up.
const STRIKES_READ: usize = 1_000;
/// Activations of a behavior that are looked through.
const ACTIVATIONS_READ: usize = 1_000;

/// The version before the one that the twin fails in, which declares `present`. Reads the store.
pub(super) fn find(floor: &Floor, climb: &Climb, present: &Declaration) -> Result<Option<Digest>, String> {
    let Case { index, twin, .. } = climb.case;
    let binding = floor.binding(index).ok_or("there is no such binding")?;
    let limits = &floor.plant.containment;
    let id = crate::runtime::id_of(&floor.plant, twin);
    let filter = ActivationFilter {
        binding: Some(binding.name.clone()),
        limit: ACTIVATIONS_READ,
        ..ActivationFilter::default()
    };
    let past = floor.control.activations(&filter).map_err(|error| error.to_string())?;
    let own = own(floor, &binding.name, id)?;
    let strikes = floor.control.strikes(Some(&binding.name), Some(id), STRIKES_READ);
    let strikes = strikes.map_err(|error| error.to_string())?;
    let since = floor.clock.now().minus(Duration::from_secs(limits.strikes_window_s.into()));
    let strikes_max = limits.restarts_max.saturating_add(limits.restarts_older_max);
    let has_failed = |digest: Digest| {
        let board = floor.board.lock();
        board.failed.contains(&(binding.name.clone(), digest))
            || board.given_up.contains(&(index, twin, digest))
    };
    let is_allowed = |digest: Digest| {
        floor.package(digest).is_some_and(|package| {
            binding.versions_of(twin).matches(&package.declaration.version.0)
                && !may_do_more(present, &package.declaration)
        })
    };
    let fits = |digest: Digest| {
        !has_failed(digest) && !are_used_up(&strikes, digest, since, strikes_max) && is_allowed(digest)
    };
    Ok(before(&own, &past, climb.of.digest, fits, |rollout| is_whole(floor, rollout)))
}

/// What answered for the twin itself, the latest first.
fn own(floor: &Floor, binding: &str, id: &str) -> Result<Vec<Digest>, String> {
    let borders = floor.control.borders(binding, id).map_err(|error| error.to_string())?;
    let known = floor.control.incarnations().map_err(|error| error.to_string())?;
    let of_it = known.iter().filter(|one| one.binding == binding);
    let digests: HashMap<u32, Digest> =
        of_it.filter_map(|one| Some((one.id, one.digest.parse().ok()?))).collect();
    Ok(borders.iter().rev().filter_map(|(_, _, number)| digests.get(number).copied()).collect())
}

/// Whether a rollout was for all twins of its behavior.
fn is_whole(floor: &Floor, rollout: u64) -> bool {
    let shown = floor.board.lock().rollouts.get(&rollout).map(Document::is_whole);
    shown.unwrap_or_else(|| {
        let record = floor.control.rollout(rollout).ok().flatten();
        let document = record.and_then(|record| serde_json::from_str::<Document>(&record.document).ok());
        document.is_some_and(|document| document.is_whole())
    })
}

/// Whether a person would have to say yes to a rollout from one to the other. State that cannot be carried is another
/// matter, which the site decides by `allow_cold_start`.
fn may_do_more(present: &Declaration, other: &Declaration) -> bool {
    diff(present, other).of(ChangeSeverity::Widening).any(|change| change.what != "state")
}

/// Whether the strikes of a version within the window are more than the ladder restarts for.
fn are_used_up(strikes: &[Strike], digest: Digest, since: Timestamp, strikes_max: u32) -> bool {
    let digest = digest.to_string();
    let of_it = strikes.iter().filter(|strike| strike.digest == digest && strike.time >= since);
    of_it.count() > strikes_max as usize
}

/// Of those that fit, other than `of`: what answered for the twin last (`own`, the latest first), else what was put to
/// work for all last (`past`, the latest first). What only was on trial counts as neither.
fn before(
    own: &[Digest],
    past: &[Activation],
    of: Digest,
    fits: impl Fn(Digest) -> bool,
    is_whole: impl Fn(u64) -> bool,
) -> Option<Digest> {
    let digest = |activation: &Activation| activation.digest.parse::<Digest>().ok();
    let good: Vec<(Digest, &Activation)> = past
        .iter()
        .filter(|activation| worked::for_good(activation))
        .filter_map(|activation| Some((digest(activation)?, activation)))
        .collect();
    let is_good = |wanted: Digest| good.iter().any(|(digest, _)| *digest == wanted);
    let other = |digest: Digest| digest != of && fits(digest);
    let own = own.iter().copied().find(|digest| is_good(*digest) && other(*digest));
    own.or_else(|| {
        let all = good.iter().filter(|(_, activation)| worked::for_all(activation, &is_whole));
        all.map(|(digest, _)| *digest).find(|digest| other(*digest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest::of(&[number])
    }

    fn activation(number: u8, outcome: &str, rollout: Option<u64>) -> Activation {
        Activation {
            digest: digest(number).to_string(),
            outcome: outcome.to_owned(),
            rollout,
            ..Activation::default()
        }
    }

    /// Rollout 1 was for all twins, and 2 for some.
    fn check(own: &[u8], past: &[Activation], of: u8, out: &[u8], expect: Option<u8>) {
        let own: Vec<Digest> = own.iter().copied().map(digest).collect();
        let fits = |found: Digest| !out.iter().any(|number| digest(*number) == found);
        let found = before(&own, past, digest(of), fits, |rollout| rollout == 1);
        assert_eq!(found, expect.map(digest), "of {of} without {out:?}, own {own:?}");
    }

    #[test]
    fn the_version_before_is_the_latest_that_ran_and_has_not_failed_the_twin() {
        // Newest first, as the books have them.
        let past = [
            activation(4, "refused: it broke", Some(1)),
            activation(3, "moved back: cell-1 failed in tally@2.0.0", None),
            activation(2, "activated", Some(1)),
            activation(1, "started", None),
        ];
        check(&[], &past, 2, &[], Some(1));
        check(&[], &past, 1, &[], Some(2));
        // Both have failed: neither is a way out for the other.
        check(&[], &past, 1, &[2], None);
        check(&[], &past, 2, &[1], None);
        check(&[], &past, 3, &[2], Some(1));
    }

    #[test]
    fn what_another_twin_was_given_is_no_way_back_and_what_the_twin_had_itself_comes_first() {
        let past = [
            activation(4, worked::STARTED_OWN, None),
            activation(4, "activated", Some(2)),
            activation(3, "activated", Some(1)),
            activation(2, "activated", Some(1)),
            activation(1, "started", None),
        ];
        // 4 was for some twins: for others it is not there.
        check(&[], &past, 3, &[], Some(2));
        check(&[3, 3, 1], &past, 3, &[], Some(1));
        check(&[3, 1], &past, 3, &[1], Some(2));
        check(&[3, 1], &past, 3, &[1, 2], None);
        // For the twin that had it, it is.
        check(&[3, 4, 1], &past, 3, &[], Some(4));
        // What it only tried was never put to work.
        check(&[3, 9, 1], &past, 3, &[], Some(1));
    }

    #[test]
    fn a_version_that_may_do_more_is_told_from_one_that_starts_cold() {
        let declared = |top: f64, fuel: u64, schema: u32| {
            let json = serde_json::json!({
                "declaration": 1, "name": "pol", "version": "1.0.0", "kind": "command-policy",
                "outputs": [{"name": "o", "unit": "1"}],
                "commands": [{"name": "speed", "unit": "1", "minimum": 0.0, "maximum": top}],
                "state": {"schema": schema, "reads": [schema], "writes": [schema]},
                "budget": {"fuel_per_row": fuel, "memory_bytes": 65_536},
            });
            Declaration::parse(json.to_string().as_bytes()).expect("valid")
        };
        let present = declared(1.0, 1_000, 1);
        let check = |top: f64, fuel: u64, schema: u32, expect: bool| {
            let found = may_do_more(&present, &declared(top, fuel, schema));
            assert_eq!(found, expect, "up to {top}, fuel {fuel}, schema {schema}");
        };
        check(1.0, 1_000, 1, false);
        check(0.5, 900, 1, false);
        check(1.5, 1_000, 1, true);
        check(1.0, 1_001, 1, true);
        check(1.0, 1_000, 2, false);
    }

    #[test]
    fn strikes_are_used_up_by_version_and_within_their_window() {
        let strike = |number: u8, time: u64| Strike {
            binding: "tally".to_owned(),
            twin: "cell-1".to_owned(),
            digest: digest(number).to_string(),
            time: Timestamp(time),
            message: String::new(),
        };
        let strikes = [strike(1, 9), strike(2, 8), strike(1, 7), strike(1, 5), strike(1, 2)];
        let check = |number: u8, since: u64, strikes_max: u32, expect: bool| {
            let found = are_used_up(&strikes, digest(number), Timestamp(since), strikes_max);
            assert_eq!(found, expect, "version {number} since {since}, at most {strikes_max}");
        };
        check(1, 5, 2, true);
        check(1, 5, 3, false);
        check(1, 6, 2, false);
        check(2, 0, 0, true);
        check(2, 0, 1, false);
        check(3, 0, 0, false);
    }
}
