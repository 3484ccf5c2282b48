//! s2dpes

pub mod campaign;
pub mod config;
pub mod crystal;
pub mod engine;
pub mod equivariant;
pub mod landscape;
pub mod plot;
pub mod potential;
pub mod store;
pub mod symmetry;
pub mod work;
