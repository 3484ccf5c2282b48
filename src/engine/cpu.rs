//! The engine for CPUs, in float32 or float64.

mod gemm;
pub mod mace;
mod real;
mod table;

pub use gemm::{Matrix, multiply};
pub use real::Real;
pub use table::Table;

/// Channels are padded with zeros to a multiple of this, so that loops over them have no remainder.
pub const LANES: usize = 16;

/// `LANES` neighbouring channels.
pub(crate) type Lane<T> = [T; LANES];

/// The lane `index` of a padded array.
#[inline(always)]
pub(crate) fn lane<T>(values: &[T], index: usize) -> &Lane<T> {
    let (lanes, _) = values.as_chunks::<LANES>();
    &lanes[index]
}
