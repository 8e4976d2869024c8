//! A nonlinear model that several tests filter: a body that air slows down, seen by a radar.

use geminus_models::{SMatrix, SVector};

/// A body that air slows down, seen by a radar: x = (px, vx, py, vy), z = (range, bearing).
pub(crate) struct Radar {
    pub(crate) dt_s: f64,
    pub(crate) drag: f64,
}

impl Radar {
    pub(crate) fn f(&self, x: &SVector<f64, 4>) -> SVector<f64, 4> {
        let speed = libm::hypot(x[1], x[3]);
        let slowed = |v: f64| v - self.dt_s * self.drag * v * speed;
        SVector::from([x[0] + self.dt_s * x[1], slowed(x[1]), x[2] + self.dt_s * x[3], slowed(x[3])])
    }

    pub(crate) fn F(&self, x: &SVector<f64, 4>) -> SMatrix<f64, 4, 4> {
        let (vx, vy, dt) = (x[1], x[3], self.dt_s);
        let (s, k) = (libm::hypot(vx, vy), dt * self.drag);
        let (xx, xy, yy) = (1.0 - k * (s + vx * vx / s), -k * vx * vy / s, 1.0 - k * (s + vy * vy / s));
        #[rustfmt::skip]
        let F = [1.0, dt, 0.0, 0.0,  0.0, xx, 0.0, xy,  0.0, 0.0, 1.0, dt,  0.0, xy, 0.0, yy];
        SMatrix::from_row_slice(&F)
    }

    pub(crate) fn h(x: &SVector<f64, 4>) -> SVector<f64, 2> {
        SVector::from([libm::hypot(x[0], x[2]), libm::atan2(x[2], x[0])])
    }

    pub(crate) fn H(x: &SVector<f64, 4>) -> SMatrix<f64, 2, 4> {
        let square = x[0] * x[0] + x[2] * x[2];
        let range = square.sqrt();
        SMatrix::from_row_slice(&[
            x[0] / range,
            0.0,
            x[2] / range,
            0.0,
            -x[2] / square,
            0.0,
            x[0] / square,
            0.0,
        ])
    }
}
