//! s2dpes

pub mod crystal;
pub mod equivariant;
pub mod landscape;
pub mod symmetry;
