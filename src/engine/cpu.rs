//! The engine for CPUs, in float32 or float64.

pub mod chgnet;
mod exponential;
mod gemm;
pub mod mace;
pub mod pairs;
mod real;
pub mod sevennet;
pub(in crate::engine) mod table;

pub use gemm::{Matrix, multiply};
pub use real::{LANES, Real};
pub use table::{Piece, Table};

/// Least points of a call, and least points of a call for each thread.
const CALL: usize = 1024;
const CALL_OF_THREAD: usize = 64;

/// Least points of a call that keep all threads busy.
fn least_points() -> usize {
    CALL.max(CALL_OF_THREAD * rayon::current_num_threads())
}

/// Widest vector instructions that this machine has and the engine uses. Machines that differ in them round differently.
pub fn instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    return match pulp::Arch::new() {
        pulp::Arch::V4(_) => "AVX-512",
        pulp::Arch::V3(_) => "AVX2",
        _ => "SSE2",
    };
    #[cfg(not(target_arch = "x86_64"))]
    return std::env::consts::ARCH;
}
