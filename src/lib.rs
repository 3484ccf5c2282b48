//! s2dpes

pub mod crystal;
pub mod plot;
