//! Numeric models for behaviors: filters, thermal networks, health maps. The same code runs natively and in
//! wasm, and gives the same bits in both.
//!
//! Rules that keep it so: static matrices (`SMatrix`), no allocation after construction, no clock, no random
//! numbers but those of a seed; `exp` and `log` come from `libm` (never from std, whose versions differ between platforms); no fused
//! multiply-add; nalgebra without its `std` feature, whose matrix product picks instructions by processor.
//! `+ − × ÷ √` are exact under IEEE 754 and need no care. Names are those of control theory and of filterpy.
#![warn(missing_docs)]

pub mod acquisition;
pub mod bad_input;
pub mod bayesian;
pub mod chi_square;
mod correction;
pub mod cusum;
pub mod discretise;
pub mod domain;
mod estimation_error;
pub mod extended;
pub mod gaussian_process;
pub mod half_space;
pub mod health;
pub mod innovation;
pub mod kalman;
pub mod latin_hypercube;
pub mod moments;
pub mod mpc;
pub mod neural_ode;
pub mod observability;
pub mod ode;
pub mod onnx;
pub mod particle;
pub mod principal;
pub mod process_noise;
pub mod quadratic;
pub mod quartiles;
mod quasi_newton;
pub mod random_draws;
pub mod recursive_least_squares;
pub mod remaining_life;
pub mod riccati;
mod search;
pub mod set_point;
pub mod smoother;
pub mod square_root;
pub mod stability;
pub mod steady_state;
pub mod thermal_calibration;
pub mod thermal_network;
mod triangular;
pub mod unscented;
pub mod window;

pub use discretise::ZeroOrderHold;
pub use estimation_error::EstimationError;
pub use kalman::{Innovation, Kalman};
pub use nalgebra::{SMatrix, SVector};
pub use observability::Observability;
pub use search::Effort;
pub use thermal_network::ThermalNetwork;
