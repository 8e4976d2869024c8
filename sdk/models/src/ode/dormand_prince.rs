//! The Dormand-Prince method of order 5(4): steps as long as the tolerances allow, values at any time between by its
//! continuous extension of order 4.
//!
//! The error of a step is the root of the mean of `(e_i / (atol + rtol max(|y_i|, |y_i next|)))²` and must be at most 1.
//! Source: Hairer, Nørsett, Wanner, table 5.2, eq. 4.10 … 4.13 (step length), eq. 6.12 (between).
#![expect(clippy::indexing_slicing, reason = "all lists are as long as y, which is checked")]

use super::{OdeError, Rates, STEPS_MAX};
use crate::bad_input::{self, BadInput};

const C: [f64; 7] = [0.0, 1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0];
const A: [[f64; 6]; 7] = [
    [0.0; 6],
    [1.0 / 5.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [3.0 / 40.0, 9.0 / 40.0, 0.0, 0.0, 0.0, 0.0],
    [44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0, 0.0, 0.0, 0.0],
    [19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0, 0.0, 0.0],
    [9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0, 0.0],
    [35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];
/// Difference of the two orders.
const E: [f64; 7] =
    [71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339200.0, 22.0 / 525.0, -1.0 / 40.0];
/// Of the continuous extension.
const D: [f64; 7] = [
    -12715105075.0 / 11282082432.0,
    0.0,
    87487479700.0 / 32700410799.0,
    -10690763975.0 / 1880347072.0,
    701980252875.0 / 199316789632.0,
    -1453857185.0 / 822651844.0,
    69997945.0 / 29380423.0,
];
/// The step is made this much shorter than the error would just allow.
const SAFETY: f64 = 0.9;
/// By how much a step may get shorter or longer than the one before.
const FACTORS: (f64, f64) = (0.2, 10.0);

/// How often in a row a step may be shortened because it met something that is not finite.
const BROKEN_MAX: u32 = 20;

/// An integrator with its tolerances and buffers.
#[derive(Clone, Debug, PartialEq)]
pub struct DormandPrince {
    rtol: f64,
    atol: f64,
    steps_max: u32,
    k: [Vec<f64>; 7],
    y: Vec<f64>,
    next: Vec<f64>,
}

/// What an integration took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Steps that were taken.
    pub steps: u32,
    /// Steps whose error was too large, and which were taken anew.
    pub rejected: u32,
}

impl DormandPrince {
    /// For systems of `size` equations, with a relative and an absolute tolerance, at most `steps_max` steps (rejected
    /// ones count) for each integration.
    ///
    /// # Errors
    /// Without equations, for tolerances that are not above 0, and for no steps or more than a million.
    pub fn new(size: usize, rtol: f64, atol: f64, steps_max: u32) -> Result<Self, BadInput> {
        if size == 0 {
            return Err(BadInput::Empty { field: "y", least: 1 });
        }
        for (field, value) in [("rtol", rtol), ("atol", atol)] {
            bad_input::finite(field, &[value], 1)?;
            bad_input::within(field, &[value], "above 0", |value| value > 0.0)?;
        }
        if steps_max == 0 {
            return Err(BadInput::Empty { field: "steps_max", least: 1 });
        }
        if steps_max > STEPS_MAX {
            let (found, most) = (steps_max as usize, STEPS_MAX as usize);
            return Err(BadInput::TooMany { field: "steps_max", found, most });
        }
        let zeros = || vec![0.0; size];
        let k = std::array::from_fn(|_| zeros());
        Ok(Self { rtol, atol, steps_max, k, y: zeros(), next: zeros() })
    }

    /// Integrates from `y` at `start` and writes the values at each of `times` into `out`, one after the other. Times do
    /// not go back and are not before `start`. Allocates nothing.
    ///
    /// # Errors
    /// For lists that do not fit, what is not finite, times that go back, and when steps get too many or too short.
    pub fn integrate(
        &mut self,
        rates: &mut Rates<'_>,
        start: f64,
        y: &[f64],
        times: &[f64],
        out: &mut [f64],
    ) -> Result<Work, OdeError> {
        let size = self.y.len();
        bad_input::finite("y", y, size)?;
        bad_input::finite("start", &[start], 1)?;
        bad_input::finite("times", times, times.len())?;
        if out.len() != times.len() * size {
            let (found, expected) = (out.len(), times.len() * size);
            return Err(BadInput::Length { field: "out", found, expected }.into());
        }
        let mut before = start;
        for (index, time) in times.iter().enumerate() {
            if *time < before {
                let must = "at or after the time before it";
                return Err(BadInput::Range { field: "times", index, value: *time, must }.into());
            }
            before = *time;
        }
        self.y.copy_from_slice(y);
        let (mut t, end, mut work) = (start, before, Work::default());
        let mut reached = 0;
        while times.get(reached).is_some_and(|time| *time <= t) {
            out[reached * size..(reached + 1) * size].copy_from_slice(y);
            reached += 1;
        }
        if reached == times.len() {
            return Ok(work);
        }
        rates(t, &self.y, &mut self.k[0]);
        let mut h = self.first_step(rates, t).min(end - t);
        let (mut longest, mut broken) = (FACTORS.1, 0);
        while t < end {
            if work.steps + work.rejected >= self.steps_max {
                return Err(OdeError::Steps { steps: self.steps_max, time: t });
            }
            // The last step ends where it shall, and none is left over that is shorter than rounding.
            let last = t + 1.01 * h >= end;
            let h_now = if last { end - t } else { h };
            if t + h_now <= t || h_now.is_nan() {
                let singular =
                    if broken > 0 { OdeError::NotFinite { time: t } } else { OdeError::Step { time: t } };
                return Err(singular);
            }
            let error = self.step(rates, t, h_now);
            if error.is_finite() && error <= 1.0 {
                let t_next = if last { end } else { t + h_now };
                while let Some(time) = times.get(reached).filter(|time| **time <= t_next) {
                    let part = ((time - t) / h_now).min(1.0);
                    self.between(h_now, part, &mut out[reached * size..(reached + 1) * size]);
                    reached += 1;
                }
                std::mem::swap(&mut self.y, &mut self.next);
                self.k.swap(0, 6);
                (t, work.steps) = (t_next, work.steps + 1);
                h = h_now * factor(error).min(longest);
                (longest, broken) = (FACTORS.1, 0);
            } else {
                // Where rates are not finite a much shorter step may find some.
                broken = if error.is_finite() { 0 } else { broken + 1 };
                if broken > BROKEN_MAX {
                    return Err(OdeError::NotFinite { time: t });
                }
                work.rejected += 1;
                h = h_now * if error.is_finite() { factor(error).min(1.0) } else { FACTORS.0 };
                longest = 1.0;
            }
        }
        Ok(work)
    }

    /// The stages of a step, its end into `next`; gives the error in tolerances.
    fn step(&mut self, rates: &mut Rates<'_>, t: f64, h: f64) -> f64 {
        let size = self.y.len();
        for stage in 1..7 {
            for i in 0..size {
                let sum: f64 = (0..stage).map(|j| A[stage][j] * self.k[j][i]).sum();
                self.next[i] = self.y[i] + h * sum;
            }
            rates(t + C[stage] * h, &self.next, &mut self.k[stage]);
        }
        let mut squares = 0.0;
        for i in 0..size {
            let error: f64 = h * (0..7).map(|j| E[j] * self.k[j][i]).sum::<f64>();
            let scale = self.atol + self.rtol * self.y[i].abs().max(self.next[i].abs());
            squares += (error / scale) * (error / scale);
        }
        (squares / count(size)).sqrt()
    }

    /// Values at the given part of the step that was just taken.
    fn between(&self, h: f64, part: f64, out: &mut [f64]) {
        for (i, out) in out.iter_mut().enumerate() {
            let (y, whole) = (self.y[i], self.next[i] - self.y[i]);
            let begin = h * self.k[0][i] - whole;
            let end = whole - h * self.k[6][i] - begin;
            let bend: f64 = h * (0..7).map(|j| D[j] * self.k[j][i]).sum::<f64>();
            let rest = 1.0 - part;
            *out = if part >= 1.0 {
                self.next[i]
            } else {
                y + part * (whole + rest * (begin + part * (end + rest * bend)))
            };
        }
    }

    /// A guess that is on the safe side, from values and rates at the start and a short step from there.
    fn first_step(&mut self, rates: &mut Rates<'_>, t: f64) -> f64 {
        let values = self.norm(|i| self.y[i]);
        let slopes = self.norm(|i| self.k[0][i]);
        let short = if values < 1e-5 || slopes < 1e-5 { 1e-6 } else { 0.01 * values / slopes };
        for i in 0..self.y.len() {
            self.next[i] = self.y[i] + short * self.k[0][i];
        }
        rates(t + short, &self.next, &mut self.k[1]);
        let bends = self.norm(|i| self.k[1][i] - self.k[0][i]) / short;
        let most = slopes.max(bends);
        let longer = if most <= 1e-15 { (short * 1e-3).max(1e-6) } else { libm::pow(0.01 / most, 0.2) };
        let step = longer.min(100.0 * short);
        if step.is_finite() && step > 0.0 { step } else { short }
    }

    /// In tolerances at the start.
    fn norm(&self, value: impl Fn(usize) -> f64) -> f64 {
        let scaled = self.y.iter().enumerate().map(|(i, y)| value(i) / (self.atol + self.rtol * y.abs()));
        (scaled.map(|v| v * v).sum::<f64>() / count(self.y.len())).sqrt()
    }
}

fn factor(error: f64) -> f64 {
    if error == 0.0 {
        return FACTORS.1;
    }
    (SAFETY * libm::pow(error, -0.2)).clamp(FACTORS.0, FACTORS.1)
}

#[expect(clippy::cast_precision_loss, reason = "a number of equations is far below 2^53")]
fn count(size: usize) -> f64 {
    size as f64
}
