//! The factors of a quadratic programme's active set: `J` with `J Jᵀ = H⁻¹` and `Jᵀ N = [R; 0]`, `N` being the normals of
//! the active rows and `R` upper triangular. Rows come and go by plane rotations, which keep `J Jᵀ` as it is.
#![expect(clippy::indexing_slicing, reason = "places run below the number of variables")]

use crate::triangular::dot;

/// A normal of which less than this part is beyond the active rows depends on them.
const DEPENDENT: f64 = 1e-10;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Factors {
    n: usize,
    /// How many rows are active.
    q: usize,
    /// `Jᵀ` without active rows: `L⁻¹`.
    start: Vec<f64>,
    /// `Jᵀ`: row k is column k of `J`.
    j: Vec<f64>,
    /// `R`, row by row, `n` wide.
    r: Vec<f64>,
    /// `Jᵀ` times the normal at hand, and `R⁻¹` times its first `q`.
    d: Vec<f64>,
    falls: Vec<f64>,
}

impl Factors {
    pub(super) fn new(l: &[f64], n: usize) -> Self {
        let mut start = vec![0.0; n * n];
        for column in 0..n {
            start[column * n + column] = 1.0 / l[column * n + column];
            for i in column + 1..n {
                let sum: f64 = (column..i).map(|k| l[i * n + k] * start[k * n + column]).sum();
                start[i * n + column] = -sum / l[i * n + i];
            }
        }
        let (j, r) = (start.clone(), vec![0.0; n * n]);
        Self { n, q: 0, start, j, r, d: vec![0.0; n], falls: Vec::with_capacity(n) }
    }

    pub(super) fn reset(&mut self) {
        self.j.copy_from_slice(&self.start);
        self.q = 0;
    }

    /// Takes up a normal: what a step towards it takes from the multipliers, and how far it reaches.
    pub(super) fn project(&mut self, normal: &[f64]) {
        for (d, column) in self.d.iter_mut().zip(self.j.chunks_exact(self.n)) {
            *d = dot(column, normal);
        }
        self.falls.clear();
        self.falls.extend_from_slice(&self.d[..self.q]);
        self.solve_upper();
    }

    /// By how much each multiplier falls per unit of the step.
    pub(super) fn falls(&self) -> &[f64] {
        &self.falls
    }

    /// How much nearer the row comes per unit of the step; `None` when it depends on the active ones.
    pub(super) fn reach(&self) -> Option<f64> {
        let beyond = dot(&self.d[self.q..], &self.d[self.q..]);
        (beyond > DEPENDENT * DEPENDENT * dot(&self.d, &self.d)).then_some(beyond)
    }

    /// Moves `x` by the step.
    pub(super) fn move_by(&self, step: f64, x: &mut [f64]) {
        for k in self.q..self.n {
            let by = step * self.d[k];
            for (x, j) in x.iter_mut().zip(&self.j[k * self.n..(k + 1) * self.n]) {
                *x += by * j;
            }
        }
    }

    /// Makes the normal at hand active; false when it depends on the active ones.
    pub(super) fn add(&mut self) -> bool {
        if self.reach().is_none() || self.q == self.n {
            return false;
        }
        for k in (self.q + 1..self.n).rev() {
            let (a, b) = (self.d[k - 1], self.d[k]);
            if b == 0.0 {
                continue;
            }
            let length = (a * a + b * b).sqrt();
            self.turn(k - 1, a / length, b / length);
            (self.d[k - 1], self.d[k]) = (length, 0.0);
        }
        for row in 0..=self.q {
            self.r[row * self.n + self.q] = self.d[row];
        }
        self.q += 1;
        true
    }

    /// Takes out the active row at this place.
    pub(super) fn remove(&mut self, place: usize) {
        for column in place + 1..self.q {
            for row in 0..=column {
                self.r[row * self.n + column - 1] = self.r[row * self.n + column];
            }
        }
        self.q -= 1;
        for k in place..self.q {
            let (a, b) = (self.r[k * self.n + k], self.r[(k + 1) * self.n + k]);
            if b == 0.0 {
                continue;
            }
            let length = (a * a + b * b).sqrt();
            let (c, s) = (a / length, b / length);
            for column in k..self.q {
                let (a, b) = (self.r[k * self.n + column], self.r[(k + 1) * self.n + column]);
                self.r[k * self.n + column] = c * a + s * b;
                self.r[(k + 1) * self.n + column] = c * b - s * a;
            }
            self.turn(k, c, s);
        }
    }

    /// From the unconstrained minimum to the one where all active rows hold. `values` are by how much each is missed
    /// there, and become the multipliers.
    pub(super) fn settle(&mut self, x: &mut [f64], values: &mut [f64]) {
        for row in 0..self.q {
            let done: f64 = (0..row).map(|k| self.r[k * self.n + row] * values[k]).sum();
            values[row] = (values[row] - done) / self.r[row * self.n + row];
        }
        for (k, value) in values.iter().enumerate() {
            for (x, j) in x.iter_mut().zip(&self.j[k * self.n..(k + 1) * self.n]) {
                *x += value * j;
            }
        }
        self.falls.clear();
        self.falls.extend_from_slice(values);
        self.solve_upper();
        values.copy_from_slice(&self.falls);
    }

    /// `R⁻¹` times `falls`, in place.
    fn solve_upper(&mut self) {
        for row in (0..self.q).rev() {
            let rest = &self.r[row * self.n + row + 1..row * self.n + self.q];
            let sum = dot(rest, &self.falls[row + 1..]);
            self.falls[row] = (self.falls[row] - sum) / self.r[row * self.n + row];
        }
    }

    /// Turns columns k and k + 1 of `J`.
    fn turn(&mut self, k: usize, c: f64, s: f64) {
        let (head, tail) = self.j.split_at_mut((k + 1) * self.n);
        for (a, b) in head[k * self.n..].iter_mut().zip(&mut tail[..self.n]) {
            (*a, *b) = (c * *a + s * *b, c * *b - s * *a);
        }
    }
}
