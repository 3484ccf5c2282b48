//! Real spherical harmonics, their rotations and couplings, in float64.
//!
//! Conventions (those of e3nn): component normalisation, `sum_m Y_lm(v)^2 = 2l + 1`; polar axis y, so that the
//! components of l = 1 are `sqrt(3) (x, y, z)`; component m of degree l is stored at `l*l + l + m`, m = -l..=l.
//! Features of degree l have parity (-1)^l.

mod coupling;
mod harmonics;
mod quadrature;
mod rotation;

pub use coupling::{Coupling, coupling};
pub use harmonics::Harmonics;
pub use rotation::{invariant_basis, rotation};

/// Number of components of all degrees up to `lmax`.
pub fn components(lmax: usize) -> usize {
    (lmax + 1) * (lmax + 1)
}

/// Range of the components of degree `l` within an array over all degrees.
pub fn degree(l: usize) -> std::ops::Range<usize> {
    l * l..(l + 1) * (l + 1)
}
