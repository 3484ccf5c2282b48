//! SevenNet on the CPU: messages from [pair operators](super::pairs), gates, and matrix products.
//!
//! ```text
//! weights      model -> tables and matrices for the elements of a scene
//! forward      messages -> energies, for a block of points
//! ```
//!
//! Energies are invariant under rotations only: sites, their symmetry and their bonds are those of the proper
//! operations, under which features of any parity turn alike.

pub(in crate::engine) mod forward;
pub(in crate::engine) mod weights;

use super::Real;
use super::pairs::PairEngine;
use crate::crystal::Element;
use crate::potential::sevennet::Sevennet;
use weights::Weights;

/// A SevenNet model on the CPU.
pub type SevennetEngine<T> = PairEngine<T, Weights<T>>;

impl<T: Real> SevennetEngine<T> {
    /// Prepares a model for some elements.
    pub fn new(model: &Sevennet, elements: &[Element]) -> Self {
        PairEngine::of(Weights::new(model, elements))
    }
}
