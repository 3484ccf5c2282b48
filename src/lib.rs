//! s2dpes

pub mod crystal;
