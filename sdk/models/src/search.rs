//! Looks for the best point of a box when there is no gradient: many candidates, then from the best of them smaller and
//! smaller steps along the axes (compass search). What is best is an order of the caller's.
//!
//! It finds a good point, not provably the best one, in a number of trials that is known beforehand. Source: Kolda,
//! Lewis, Torczon, *SIAM Review* 45 (2003), 385 (§1.3, §8: bound constraints).
#![expect(clippy::indexing_slicing, reason = "all points are as long as the bounds")]

use crate::bad_input::BadInput;

/// Steps are halved until they are this part of the width of the box.
const STEP_LEAST: f64 = 1e-5;

/// First step, as a part of the width of the box.
const STEP: f64 = 0.1;

/// How long a search may take. Each look is a prediction of the surrogate, whose cost grows with the square of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Points that are looked at first, at least 1.
    pub candidates: usize,
    /// From how many of the best of them steps are tried, at least 1.
    pub starts: usize,
    /// How many steps are tried, all starts together.
    pub trials: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { candidates: 256, starts: 4, trials: 2_000 }
    }
}

impl Effort {
    /// # Errors
    /// `Empty` where there would be nothing to start from.
    pub(crate) fn check(&self) -> Result<(), BadInput> {
        for (field, count) in [("candidates", self.candidates), ("starts", self.starts)] {
            if count == 0 {
                return Err(BadInput::Empty { field, least: 1 });
            }
        }
        Ok(())
    }
}

/// Where to look and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'a> {
    pub(crate) lower: &'a [f64],
    pub(crate) upper: &'a [f64],
    pub(crate) effort: Effort,
}

/// The best point of the box and its worth. `worth` says how good a point is, `None` where it may not be; the greater is
/// better. `candidates` are points one after the other. `None` when no candidate may be.
pub(crate) fn search<W: PartialOrd + Copy>(
    rules: &Search<'_>,
    candidates: &[f64],
    worth: &mut dyn FnMut(&[f64]) -> Option<W>,
) -> Option<(W, Vec<f64>)> {
    let inputs = rules.lower.len();
    let mut leaders: Vec<(W, Vec<f64>)> = Vec::with_capacity(rules.effort.starts + 1);
    for candidate in candidates.chunks_exact(inputs) {
        let Some(found) = worth(candidate) else { continue };
        let place = leaders.iter().position(|(other, _)| found > *other).unwrap_or(leaders.len());
        if place < rules.effort.starts {
            leaders.insert(place, (found, candidate.to_vec()));
            leaders.truncate(rules.effort.starts);
        }
    }
    let share = rules.effort.trials / leaders.len().max(1);
    let climbed = leaders.into_iter().map(|leader| climb(rules, leader, share, worth));
    climbed.reduce(|best, next| if next.0 > best.0 { next } else { best })
}

fn climb<W: PartialOrd + Copy>(
    rules: &Search<'_>,
    (mut best, mut at): (W, Vec<f64>),
    mut trials: usize,
    worth: &mut dyn FnMut(&[f64]) -> Option<W>,
) -> (W, Vec<f64>) {
    let mut step = STEP;
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
