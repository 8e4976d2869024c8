//! Numeric models for behaviors: filters, thermal networks, health maps. The same code runs natively and in
//! wasm, and gives the same bits in both.
//!
//! Rules that keep it so: static matrices (`SMatrix`), no allocation after construction, no clock, no random
//! numbers; `exp` and `log` come from `libm` (never from std, whose versions differ between platforms); no fused
//! multiply-add; nalgebra without its `std` feature, whose matrix product picks instructions by processor.
//! `+ − × ÷ √` are exact under IEEE 754 and need no care. Names are those of control theory and of filterpy.
#![warn(missing_docs)]

pub mod chi_square;
pub mod cusum;
pub mod discretise;
pub mod half_space;
pub mod health;
pub mod innovation;
pub mod kalman;
pub mod moments;
pub mod observability;
pub mod onnx;
pub mod principal;
pub mod quartiles;
pub mod remaining_life;
pub mod riccati;
pub mod stability;
pub mod thermal_network;
pub mod window;

pub use discretise::ZeroOrderHold;
pub use kalman::{Innovation, Kalman, NotPositiveDefinite};
pub use nalgebra::{SMatrix, SVector};
pub use observability::Observability;
pub use thermal_network::ThermalNetwork;
