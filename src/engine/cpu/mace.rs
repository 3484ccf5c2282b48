//! MACE on the CPU: messages from [pair operators](super::pairs), sparse contractions of them at each site, and matrix
//! products.
//!
//! ```text
//! weights      model -> tables and matrices for the elements of a scene
//! contraction  products of messages in the invariant components of a site
//! forward      messages -> energies, for a block of points
//! ```

pub(in crate::engine) mod contraction;
pub(in crate::engine) mod forward;
pub(in crate::engine) mod weights;

use super::Real;
use super::pairs::PairEngine;
use crate::crystal::Element;
use crate::potential::mace::Mace;
use weights::Weights;

/// A MACE model on the CPU.
pub type MaceEngine<T> = PairEngine<T, Weights<T>>;

impl<T: Real> MaceEngine<T> {
    /// Prepares a model's head for some elements.
    pub fn new(model: &Mace, elements: &[Element], head: usize) -> Self {
        PairEngine::of(Weights::new(model, elements, head))
    }
}
