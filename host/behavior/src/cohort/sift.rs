//! Who is refused, by halves: of many twins that fail together in something that no row waits for, those that fail on
//! their own. Halving asks for few trials however many of them fail.

use crate::trouble::{FaultKind, Trouble};

/// Finds those in `suspects`, who are known to fail together for `reason`, that fail `trial` on their own. Groups
/// left when `trials_max` trials are used up are given back whole.
pub(super) fn sift(
    suspects: Vec<u32>,
    reason: &Trouble,
    trials_max: u32,
    mut trial: impl FnMut(&[u32]) -> Result<(), Trouble>,
) -> Vec<(Vec<u32>, Trouble)> {
    let mut culprits = Vec::new();
    let mut trials = 0;
    let mut groups = Vec::new();
    split(&suspects, &mut groups);
    while let Some(group) = groups.pop() {
        if trials >= trials_max {
            let message =
                format!("not told apart from its neighbours in {trials_max} trials: {}", reason.message);
            let trouble = Trouble::new(FaultKind::Unresolved, message);
            culprits.push((group, Trouble { state_kept: reason.state_kept, ..trouble }));
            continue;
        }
        trials += 1;
        match trial(&group) {
            Ok(()) => {}
            Err(trouble) if group.len() == 1 => culprits.push((group, trouble)),
            Err(_) => split(&group, &mut groups),
        }
    }
    culprits
}

/// Pushes the halves of `group`, the first one on top; a single one stays whole.
fn split(group: &[u32], groups: &mut Vec<Vec<u32>>) {
    let (left, right) = group.split_at(group.len() / 2);
    groups.extend([right, left].into_iter().filter(|half| !half.is_empty()).map(<[u32]>::to_vec));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(count: u32, bad: &[u32], trials_max: u32, expect: &[&[u32]]) {
        let mut trials = 0;
        let reason = Trouble::new(FaultKind::Trap, "together");
        let found = sift((0..count).collect(), &reason, trials_max, |group| {
            trials += 1;
            match group.iter().any(|slot| bad.contains(slot)) {
                true => Err(Trouble::new(FaultKind::Trap, "bad")),
                false => Ok(()),
            }
        });
        assert_eq!(found.iter().map(|(group, _)| group.as_slice()).collect::<Vec<_>>(), expect);
        assert!(trials <= trials_max);
    }

    #[test]
    fn the_guilty_are_found_by_halves() {
        check(1, &[0], 10, &[&[0]]);
        check(1, &[], 10, &[]);
        check(100, &[7], 20, &[&[7]]);
        check(9, &[0, 8], 20, &[&[0], &[8]]);
        check(8, &[], 20, &[]);
        check(4, &[0, 1, 2, 3], 3, &[&[0], &[1], &[2, 3]]);
    }
}
