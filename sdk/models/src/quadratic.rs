//! Quadratic programmes: `min ½ xᵀ H x + qᵀ x` where `lower ≤ A x ≤ upper`, `H` positive definite, some dozen variables.
//!
//! The dual active-set method of Goldfarb and Idnani: it begins at the unconstrained minimum and takes in what is
//! violated, row by row, until nothing is; or it proves that nothing can be. Exact to rounding after finitely many steps,
//! and a step allocates nothing. `H` and `A` are factored once, `q` and the bounds change from solve to solve; a warm start
//! begins with the rows that were active last.
//!
//! It is our own because of the solvers that are kept up, one needs a C compiler for the guest, another links JavaScript
//! and starts cold each time. Source: Goldfarb and Idnani, *Mathematical Programming* 27 (1983), 1.
#![expect(
    clippy::indexing_slicing,
    reason = "sizes are checked when the programme is made and when bounds come in"
)]

mod factors;

use thiserror::Error;

use crate::bad_input::{self, BadInput};
use crate::triangular::{backward, dot, factor, forward};
use factors::Factors;

/// Most variables and rows.
pub const VARIABLES_MAX: usize = 256;
/// Most rows.
pub const ROWS_MAX: usize = 2_048;
/// By how much a row may be missed, as a part of 1 + |bound|, per unit of the row's length.
const MISS: f64 = 1e-10;

/// Why there is no minimum.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum QuadraticError {
    /// A field that cannot be worked with.
    #[error(transparent)]
    Input(#[from] BadInput),
    /// `H` has no Cholesky factor.
    #[error("the hessian is not positive definite: give every variable a weight above 0")]
    NotPositiveDefinite,
    /// No `x` keeps all bounds.
    #[error(
        "no point keeps all bounds, row {row} cannot be kept along with others: loosen its bounds or theirs"
    )]
    Infeasible {
        /// The row that could not be taken in.
        row: usize,
    },
    /// The limit of iterations; rounding keeps it from an end.
    #[error("no end after {iterations} iterations: scale variables and rows to about 1")]
    Iterations {
        /// The limit.
        iterations: usize,
    },
}

/// Where a solve begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the unconstrained minimum: the answer depends on nothing but the arguments.
    Cold,
    /// With the rows that were active at the end of the solve before. The same minimum but for its last bits.
    Warm,
}

/// An active row: which, and whether its upper bound holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Active {
    row: usize,
    upper: bool,
}

/// A programme with its factors and buffers.
#[derive(Clone, Debug, PartialEq)]
pub struct Quadratic {
    n: usize,
    /// Cholesky factor of `H`.
    l: Vec<f64>,
    /// Rows of `A`, and their lengths.
    a: Vec<f64>,
    lengths: Vec<f64>,
    factors: Factors,
    active: Vec<Active>,
    before: Vec<Active>,
    /// ≥ 0, of the active rows.
    multipliers: Vec<f64>,
    x: Vec<f64>,
    free: Vec<f64>,
    normal: Vec<f64>,
    iterations: usize,
}

impl Quadratic {
    /// A programme of `n` variables. `hessian` is `H`, of which the lower triangle is read, `rows` is `A`, row by row.
    ///
    /// # Errors
    /// For lists that do not fit, what is not finite, more than 256 variables or 2048 rows, and `H` that is not positive
    /// definite.
    pub fn new(hessian: &[f64], rows: &[f64], n: usize) -> Result<Self, QuadraticError> {
        if n == 0 {
            return Err(BadInput::Empty { field: "hessian", least: 1 }.into());
        }
        if n > VARIABLES_MAX {
            return Err(BadInput::TooMany { field: "variables", found: n, most: VARIABLES_MAX }.into());
        }
        bad_input::finite("hessian", hessian, n * n)?;
        let count = rows.len().div_ceil(n);
        bad_input::finite("rows", rows, count * n)?;
        if count > ROWS_MAX {
            return Err(BadInput::TooMany { field: "rows", found: count, most: ROWS_MAX }.into());
        }
        let mut l = hessian.to_vec();
        factor(&mut l, n).ok_or(QuadraticError::NotPositiveDefinite)?;
        let lengths = rows.chunks_exact(n).map(|row| {
            let length = dot(row, row).sqrt();
            if length > 0.0 { length } else { 1.0 }
        });
        Ok(Self {
            n,
            factors: Factors::new(&l, n),
            l,
            a: rows.to_vec(),
            lengths: lengths.collect(),
            active: Vec::with_capacity(n),
            before: Vec::with_capacity(n),
            multipliers: Vec::with_capacity(n),
            x: vec![0.0; n],
            free: vec![0.0; n],
            normal: vec![0.0; n],
            iterations: 0,
        })
    }

    /// The minimum for this `q` and these bounds, which may be infinite.
    ///
    /// # Errors
    /// For lists that do not fit, what is not a number, bounds out of order, and when no point keeps them.
    pub fn solve(
        &mut self,
        q: &[f64],
        lower: &[f64],
        upper: &[f64],
        start: Start,
    ) -> Result<&[f64], QuadraticError> {
        bad_input::finite("q", q, self.n)?;
        for (field, bounds) in [("lower", lower), ("upper", upper)] {
            if bounds.len() != self.lengths.len() {
                let (found, expected) = (bounds.len(), self.lengths.len());
                return Err(BadInput::Length { field, found, expected }.into());
            }
        }
        bad_input::within("lower", lower, "a number below infinity", |value| value < f64::INFINITY)?;
        bad_input::within("upper", upper, "a number above minus infinity", |value| {
            value > f64::NEG_INFINITY
        })?;
        if let Some(index) = (0..lower.len()).find(|row| lower[*row] > upper[*row]) {
            let must = "at or above lower";
            return Err(BadInput::Range { field: "upper", index, value: upper[index], must }.into());
        }
        self.free.iter_mut().zip(q).for_each(|(free, q)| *free = -q);
        forward(&self.l, self.n, &mut self.free);
        backward(&self.l, self.n, &mut self.free);
        bad_input::finite("q", &self.free, self.n)?;
        self.begin(lower, upper, start);
        let limit = 20 * (self.n + self.lengths.len()) + 100;
        self.iterations = 0;
        while let Some(next) = self.most_violated(lower, upper) {
            if let Err(error) = self.take_in(next, lower, upper, limit) {
                self.active.clear();
                return Err(error);
            }
        }
        Ok(&self.x)
    }

    /// How many steps the last solve took: rows taken in and put out.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Writes the multiplier of each row into `out`, so that `H x + q + Aᵀ y = 0`: above 0 where the upper bound holds,
    /// below 0 where the lower one does.
    ///
    /// # Errors
    /// When `out` has not as many numbers as there are rows.
    pub fn multipliers(&self, out: &mut [f64]) -> Result<(), BadInput> {
        if out.len() != self.lengths.len() {
            return Err(BadInput::Length { field: "out", found: out.len(), expected: self.lengths.len() });
        }
        out.fill(0.0);
        for (active, multiplier) in self.active.iter().zip(&self.multipliers) {
            out[active.row] = if active.upper { *multiplier } else { -multiplier };
        }
        Ok(())
    }

    /// Begins with nothing, or with what was active last as far as its multipliers are not negative.
    fn begin(&mut self, lower: &[f64], upper: &[f64], start: Start) {
        self.factors.reset();
        self.before.clear();
        if start == Start::Warm {
            self.before.extend_from_slice(&self.active);
        }
        self.active.clear();
        self.multipliers.clear();
        for place in 0..self.before.len() {
            let active = self.before[place];
            if bound(active, lower, upper).is_finite() {
                self.set_normal(active);
                self.factors.project(&self.normal);
                if self.factors.add() {
                    self.active.push(active);
                    self.multipliers.push(0.0);
                }
            }
        }
        loop {
            self.x.copy_from_slice(&self.free);
            for (place, active) in self.active.iter().enumerate() {
                let row = &self.a[active.row * self.n..(active.row + 1) * self.n];
                let sign = if active.upper { -1.0 } else { 1.0 };
                self.multipliers[place] = bound(*active, lower, upper) - sign * dot(row, &self.free);
            }
            self.factors.settle(&mut self.x, &mut self.multipliers);
            let worst = self.multipliers.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
            match worst {
                Some((place, multiplier)) if multiplier.is_nan() || *multiplier < 0.0 => self.drop_row(place),
                _ => break,
            }
        }
    }

    fn most_violated(&self, lower: &[f64], upper: &[f64]) -> Option<Active> {
        let (mut worst, mut found) = (0.0, None);
        for (row, a) in self.a.chunks_exact(self.n).enumerate() {
            let value = dot(a, &self.x);
            for (miss, limit, is_upper) in
                [(lower[row] - value, lower[row], false), (value - upper[row], upper[row], true)]
            {
                let miss = miss / self.lengths[row];
                if miss > worst && miss > MISS * (1.0 + limit.abs() / self.lengths[row]) {
                    let held = self.active.iter().any(|active| active.row == row);
                    if !held {
                        (worst, found) = (miss, Some(Active { row, upper: is_upper }));
                    }
                }
            }
        }
        found
    }

    /// Steps until this row holds, or it is shown that it cannot.
    fn take_in(
        &mut self,
        next: Active,
        lower: &[f64],
        upper: &[f64],
        limit: usize,
    ) -> Result<(), QuadraticError> {
        self.set_normal(next);
        let wanted = bound(next, lower, upper);
        let mut multiplier = 0.0;
        loop {
            self.iterations += 1;
            if self.iterations > limit {
                return Err(QuadraticError::Iterations { iterations: limit });
            }
            self.factors.project(&self.normal);
            let miss = wanted - dot(&self.normal, &self.x);
            let mut first_out: Option<(f64, usize)> = None;
            for (place, (multiplier, fall)) in self.multipliers.iter().zip(self.factors.falls()).enumerate() {
                let step = multiplier / fall;
                if *fall > 0.0 && first_out.is_none_or(|(least, _)| step < least) {
                    first_out = Some((step, place));
                }
            }
            // Along z the row comes nearer by |z|² in the metric of H; none when it depends on the active ones.
            let full = self.factors.reach().map(|reach| miss / reach);
            let (step, out) = match (full, first_out) {
                (None, None) => return Err(QuadraticError::Infeasible { row: next.row }),
                (Some(full), Some((step, place))) if step < full => (step, Some(place)),
                (None, Some((step, place))) => (step, Some(place)),
                (Some(full), _) => (full, None),
            };
            if full.is_some() {
                self.factors.move_by(step, &mut self.x);
            }
            for (multiplier, fall) in self.multipliers.iter_mut().zip(self.factors.falls()) {
                *multiplier = (*multiplier - step * fall).max(0.0);
            }
            multiplier += step;
            if let Some(place) = out {
                self.drop_row(place);
            } else if self.factors.add() {
                self.active.push(next);
                self.multipliers.push(multiplier);
                return Ok(());
            } else {
                return Err(QuadraticError::Infeasible { row: next.row });
            }
        }
    }

    fn drop_row(&mut self, place: usize) {
        self.factors.remove(place);
        self.active.remove(place);
        self.multipliers.remove(place);
    }

    /// The row as `normal · x ≥ bound`.
    fn set_normal(&mut self, active: Active) {
        let row = &self.a[active.row * self.n..(active.row + 1) * self.n];
        let sign = if active.upper { -1.0 } else { 1.0 };
        self.normal.iter_mut().zip(row).for_each(|(normal, a)| *normal = sign * a);
    }
}

/// The bound of `normal · x ≥ bound`.
fn bound(active: Active, lower: &[f64], upper: &[f64]) -> f64 {
    if active.upper { -upper[active.row] } else { lower[active.row] }
}
