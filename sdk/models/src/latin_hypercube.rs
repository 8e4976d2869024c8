//! Latin hypercube samples: points that between them visit every stratum of every input exactly once.
//!
//! Of `points` points in the unit box, each input has one in every interval `[k/points, (k+1)/points)`, at a random place
//! in it; which strata meet is a random permutation. Randomness is an argument (`Random::uniform` of the SDK, say).
//! Source: McKay, Beckman, Conover, *Technometrics* 21 (1979), 239.
#![expect(clippy::indexing_slicing, reason = "indices run below points × inputs")]

use crate::bad_input::BadInput;

/// Most numbers of one sample.
pub const NUMBERS_MAX: usize = 1_000_000;

/// `points` points with `inputs` numbers each, 0 ≤ x < 1, one point after the other. `uniform` draws numbers 0 ≤ u < 1.
///
/// # Errors
/// When there are no points or inputs, or more than a million numbers.
pub fn latin_hypercube(
    points: usize,
    inputs: usize,
    uniform: &mut dyn FnMut() -> f64,
) -> Result<Vec<f64>, BadInput> {
    for (field, count) in [("points", points), ("inputs", inputs)] {
        if count == 0 {
            return Err(BadInput::Empty { field, least: 1 });
        }
    }
    let numbers = points.saturating_mul(inputs);
    if numbers > NUMBERS_MAX {
        return Err(BadInput::TooMany { field: "points", found: numbers, most: NUMBERS_MAX });
    }
    let mut sample = vec![0.0; numbers];
    let mut strata: Vec<usize> = (0..points).collect();
    for input in 0..inputs {
        for last in (1..points).rev() {
            strata.swap(last, below(last + 1, uniform()));
        }
        for (point, stratum) in strata.iter().enumerate() {
            let (low, high) = (part(*stratum, points), part(stratum + 1, points));
            // A draw close to 1 may round up to the next stratum; it stays in its own.
            let place = (low + (high - low) * uniform()).min(high.next_down());
            sample[point * inputs + input] = place;
        }
    }
    Ok(sample)
}

/// A number below `count` from one 0 ≤ u < 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded just after")]
#[expect(clippy::cast_precision_loss, reason = "at most a million")]
fn below(count: usize, u: f64) -> usize {
    ((u * count as f64) as usize).min(count - 1)
}

#[expect(clippy::cast_precision_loss, reason = "at most a million")]
fn part(number: usize, of: usize) -> f64 {
    number as f64 / of as f64
}
