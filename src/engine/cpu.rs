//! The engine for CPUs, in float32 or float64.

mod gemm;
pub mod mace;
mod real;
mod table;

pub use gemm::{Matrix, multiply};
pub use real::{LANES, Real};
pub use table::Table;
