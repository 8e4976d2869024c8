//! Which kept packages go: `data/packages` and what the board has of it would grow for ever otherwise. Whatever is
//! assigned, runs, lies in the plugin folder or is in a rollout stays; of the others those that were put to work last.

use std::collections::BTreeSet;

use geminus_core::{Digest, Event, Severity};
use geminus_store::{ActivationFilter, StoreError};

use super::floor::Floor;
use super::plugins::Active;

/// Packages that are kept to go back to, or to replay what they answered.
pub(crate) const KEPT_MAX: usize = 64;
/// Activations that are looked through for what was put to work last.
const ACTIVATIONS_READ: usize = 10_000;

/// Removes what there is too much of. A failure is told, and the next look tries again.
pub(crate) fn prune(floor: &Floor) {
    let done = floor.vault.digests().map_err(|error| error.to_string()).and_then(|all| {
        if all.len() <= KEPT_MAX {
            return Ok(Vec::new());
        }
        let (named, recent) = named_and_recent(floor).map_err(|error| error.to_string())?;
        let keep = chosen(&all, &named, recent);
        floor.vault.prune(&keep).map_err(|error| error.to_string())
    });
    match done {
        Ok(gone) => floor.board.lock().kept.retain(|package| !gone.contains(&package.digest)),
        Err(error) => {
            let message = format!("packages that nobody needs could not be removed: {error}");
            floor.chronicle.tell(Event::new("plugin-not-kept", Severity::Warning, message));
        }
    }
}

/// What something names, and all others with the latest first.
fn named_and_recent(floor: &Floor) -> Result<(BTreeSet<Digest>, Vec<Digest>), StoreError> {
    let mut names: Vec<String> = floor.control.assignments()?.into_iter().map(|one| one.digest).collect();
    for open in floor.control.rollouts_open()? {
        names.extend(open.from.map(|from| from.digest).into_iter().chain([open.to.digest]));
    }
    let mut named: BTreeSet<Digest> = names.iter().filter_map(|digest| digest.parse().ok()).collect();
    let board = floor.board.lock();
    named.extend(board.shelf.packages().iter().map(|package| package.digest));
    named.extend(board.active.iter().flatten().map(Active::digest));
    named.extend(board.pinned.values());
    drop(board);
    let filter = ActivationFilter { limit: ACTIVATIONS_READ, ..ActivationFilter::default() };
    let past = floor.control.activations(&filter)?.into_iter().map(|one| one.digest);
    let arrived = floor.control.packages()?.into_iter().rev().map(|one| one.digest);
    Ok((named, past.chain(arrived).filter_map(|digest| digest.parse().ok()).collect()))
}

/// What stays of all that is kept.
fn chosen(all: &[Digest], named: &BTreeSet<Digest>, recent: Vec<Digest>) -> BTreeSet<Digest> {
    let mut keep: BTreeSet<Digest> = all.iter().copied().filter(|digest| named.contains(digest)).collect();
    for digest in recent.into_iter().filter(|digest| all.contains(digest)) {
        if keep.len() >= KEPT_MAX {
            break;
        }
        keep.insert(digest);
    }
    keep
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_stays_and_of_the_others_the_latest() {
        let digest = |number: usize| Digest::of(&number.to_le_bytes());
        let all: Vec<Digest> = (0..200).map(digest).collect();
        let named: BTreeSet<Digest> = [0, 1, 2, 500].map(digest).into();
        let recent = (0..300).rev().map(digest).chain([digest(5)]).collect();
        let keep = chosen(&all, &named, recent);
        assert_eq!(keep.len(), KEPT_MAX);
        assert!([0, 1, 2].iter().all(|number| keep.contains(&digest(*number))), "named");
        assert!(
            (139..200).all(|number| keep.contains(&digest(number))),
            "the latest of those that are there"
        );
        // What is named stays however much it is.
        let named: BTreeSet<Digest> = all.iter().copied().collect();
        assert_eq!(chosen(&all, &named, Vec::new()).len(), all.len());
    }
}
