//! Ordinary differential equations `dy/dt = f(t, y)`: fixed steps of the classic Runge-Kutta method here, adaptive ones in
//! `DormandPrince`. Both hold their buffers and allocate nothing while they integrate.
//!
//! `f` writes the rates of `y` into its last argument. Not for stiff systems: there the adaptive steps get so short that
//! their limit ends the integration, with an error. Source: Hairer, Nørsett, Wanner, *Solving Ordinary Differential
//! Equations I*, §II.1, §II.4 … 6.
#![expect(clippy::indexing_slicing, reason = "all lists are as long as y, which is checked")]

mod dormand_prince;

use thiserror::Error;

use crate::bad_input::{self, BadInput};
pub use dormand_prince::{DormandPrince, Work};

/// Most steps of one integration.
pub const STEPS_MAX: u32 = 1_000_000;

/// Rates of change: time, values, and where to write the rates of the values.
pub type Rates<'a> = dyn FnMut(f64, &[f64], &mut [f64]) + 'a;

/// Why an integration ended before its time.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum OdeError {
    /// A field that cannot be worked with.
    #[error(transparent)]
    Input(#[from] BadInput),
    /// Values or rates that are not finite.
    #[error("a value or rate is not finite after t = {time}: check the start and the equations there")]
    NotFinite {
        /// Up to where it went well.
        time: f64,
    },
    /// The limit of steps.
    #[error(
        "{steps} steps got no further than t = {time}: raise steps_max or the tolerances, the equations may be stiff"
    )]
    Steps {
        /// The limit.
        steps: u32,
        /// Up to where it went well.
        time: f64,
    },
    /// Steps so short that time stands still.
    #[error(
        "the step at t = {time} became too short to move on: raise the tolerances, the solution may be singular there"
    )]
    Step {
        /// Up to where it went well.
        time: f64,
    },
}

/// The classic Runge-Kutta method of order 4 with steps of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Rk4 {
    k: [Vec<f64>; 4],
    at: Vec<f64>,
    next: Vec<f64>,
}

impl Rk4 {
    /// For systems of `size` equations.
    ///
    /// # Errors
    /// When there are none.
    pub fn new(size: usize) -> Result<Self, BadInput> {
        if size == 0 {
            return Err(BadInput::Empty { field: "y", least: 1 });
        }
        let zeros = || vec![0.0; size];
        Ok(Self { k: [zeros(), zeros(), zeros(), zeros()], at: zeros(), next: zeros() })
    }

    /// Advances `y` from `start` by `duration` in `steps` equal steps. After an error `y` is what it was at the time that
    /// the error names.
    ///
    /// # Errors
    /// For another number of values, what is not finite, and no steps or more than a million.
    pub fn integrate(
        &mut self,
        rates: &mut Rates<'_>,
        start: f64,
        duration: f64,
        steps: u32,
        y: &mut [f64],
    ) -> Result<(), OdeError> {
        bad_input::finite("y", y, self.at.len())?;
        bad_input::finite("start and duration", &[start, duration], 2)?;
        if steps == 0 {
            return Err(BadInput::Empty { field: "steps", least: 1 }.into());
        }
        if steps > STEPS_MAX {
            let (found, most) = (steps as usize, STEPS_MAX as usize);
            return Err(BadInput::TooMany { field: "steps", found, most }.into());
        }
        let h = duration / f64::from(steps);
        for step in 0..steps {
            let t = start + f64::from(step) * h;
            self.step(rates, t, h, y);
            if self.next.iter().any(|value| !value.is_finite()) {
                return Err(OdeError::NotFinite { time: t });
            }
            y.copy_from_slice(&self.next);
        }
        Ok(())
    }

    /// One step from `y` into `next`.
    fn step(&mut self, rates: &mut Rates<'_>, t: f64, h: f64, y: &[f64]) {
        let Self { k: [a, b, c, d], at, next } = self;
        rates(t, y, a);
        along(y, 0.5 * h, a, at);
        rates(t + 0.5 * h, at, b);
        along(y, 0.5 * h, b, at);
        rates(t + 0.5 * h, at, c);
        along(y, h, c, at);
        rates(t + h, at, d);
        for i in 0..y.len() {
            next[i] = y[i] + h / 6.0 * (a[i] + 2.0 * b[i] + 2.0 * c[i] + d[i]);
        }
    }
}

/// `y + h k` into `at`.
fn along(y: &[f64], h: f64, k: &[f64], at: &mut [f64]) {
    for ((at, y), k) in at.iter_mut().zip(y).zip(k) {
        *at = y + h * k;
    }
}
