//! Looks for the best point of a box when there is no gradient: many candidates, then from the best of them smaller and
//! smaller steps along the axes (compass search). What is best is an order of the caller's.
//!
//! It finds a good point, not provably the best one, in a number of trials that is known beforehand. Source: Kolda,
//! Lewis, Torczon, *SIAM Review* 45 (2003), 385 (§1.3, §8: bound constraints).
#![expect(clippy::indexing_slicing, reason = "all points are as long as the bounds")]

/// Steps are halved until they are this part of the width of the box.
const STEP_LEAST: f64 = 1e-5;

/// Where to look and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'a> {
    pub(crate) lower: &'a [f64],
    pub(crate) upper: &'a [f64],
    /// From how many of the best candidates steps are tried.
    pub(crate) starts: usize,
    /// First step, as a part of the width of the box.
    pub(crate) step: f64,
    /// Trials besides the candidates.
    pub(crate) trials_max: usize,
}

/// The best point of the box and its worth. `worth` says how good a point is, `None` where it may not be; the greater is
/// better. `candidates` are points one after the other. `None` when no candidate may be.
pub(crate) fn search<W: PartialOrd + Copy>(
    rules: &Search<'_>,
    candidates: &[f64],
    worth: &mut dyn FnMut(&[f64]) -> Option<W>,
) -> Option<(W, Vec<f64>)> {
    let inputs = rules.lower.len();
    let mut leaders: Vec<(W, Vec<f64>)> = Vec::with_capacity(rules.starts + 1);
    for candidate in candidates.chunks_exact(inputs) {
        let Some(found) = worth(candidate) else { continue };
        let place = leaders.iter().position(|(other, _)| found > *other).unwrap_or(leaders.len());
        if place < rules.starts {
            leaders.insert(place, (found, candidate.to_vec()));
            leaders.truncate(rules.starts);
        }
    }
    let share = rules.trials_max / leaders.len().max(1);
    let climbed = leaders.into_iter().map(|leader| climb(rules, leader, share, worth));
    climbed.reduce(|best, next| if next.0 > best.0 { next } else { best })
}

fn climb<W: PartialOrd + Copy>(
    rules: &Search<'_>,
    (mut best, mut at): (W, Vec<f64>),
    mut trials: usize,
    worth: &mut dyn FnMut(&[f64]) -> Option<W>,
) -> (W, Vec<f64>) {
    let mut step = rules.step;
    while step >= STEP_LEAST {
        let mut moved = false;
        for input in 0..at.len() {
            for way in [step, -step] {
                if trials == 0 {
                    return (best, at);
                }
                let (lower, upper) = (rules.lower[input], rules.upper[input]);
                let before = at[input];
                at[input] = (before + way * (upper - lower)).clamp(lower, upper);
                if at[input] == before {
                    continue;
                }
                trials -= 1;
                match worth(&at) {
                    Some(found) if found > best => {
                        (best, moved) = (found, true);
                        break;
                    }
                    _ => at[input] = before,
                }
            }
        }
        if !moved {
            step *= 0.5;
        }
    }
    (best, at)
}
