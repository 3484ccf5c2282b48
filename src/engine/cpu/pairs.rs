//! Pair operators on the CPU: what MACE and SevenNet share.
//!
//! All geometry enters through pair operators, sums over the bonds from one site's atoms into another site: for layer
//! 0 sums of radial functions times harmonics, for later layers matrices that act on the sender's features. An operator
//! depends only on the axes that move its two sites, so most are computed once a scene, or once a row or column of a
//! tile. What is left for a point are the operators that all axes change, the application of all of them, and what the
//! family makes of these messages, in matrix products over the points of a block:
//!
//! ```text
//! geometry     scene -> site-adapted bases, places in arrays, groups of pairs
//! coupling     what harmonics of a bond give for each row of the operators
//! operator     axis values -> pair operators
//! messages     pair operators -> messages, for a block of points
//! cost         what a point takes; whether operators are kept
//! engine       batches of points on all threads
//! ```
//!
//! Features of a site live in the subspace that its site symmetry leaves unchanged, so a site on a mirror plane
//! carries 10 instead of 16 components up to degree 3.

pub(in crate::engine) mod cost;
pub(in crate::engine) mod coupling;
mod engine;
pub(in crate::engine) mod geometry;
pub(in crate::engine) mod messages;
pub(in crate::engine) mod operator;

use std::sync::Arc;

pub use engine::PairEngine;

use super::{Real, Table};
use crate::crystal::Element;
use crate::potential::mace::{Path, Zbl};
use geometry::Geometry;
use messages::Block;
use operator::Scratch;

/// Points of a block: the rows that a matrix product sees are this many for every component of every site.
pub(in crate::engine) const BLOCK: usize = 16;

/// The messages of all layers of a model, for one set of elements. Channels are padded to [`LANES`](super::LANES).
pub struct Interactions<T> {
    /// Elements that it can evaluate; other indices are places in this list.
    pub(in crate::engine) elements: Vec<Element>,
    /// Highest degree of the harmonics.
    pub(in crate::engine) lmax: usize,
    /// At least one.
    pub(in crate::engine) layers: Vec<Interaction<T>>,
    /// What is summed over bonds in float64, if the family has any.
    pub(in crate::engine) scalars: Option<Scalars>,
}

/// Messages of one layer: sums over bonds of radial functions, harmonics and, except in layer 0, the senders' features.
pub struct Interaction<T> {
    /// Padded channels of the senders' features by degree; none in layer 0.
    pub(in crate::engine) inputs: Vec<usize>,
    /// Padded columns of the messages by degree.
    pub(in crate::engine) messages: Vec<usize>,
    /// In the order of their sums.
    pub(in crate::engine) paths: Vec<PathColumns>,
    /// Radial functions by receiver and sender. All tables of a model have equal pieces.
    pub(in crate::engine) tables: Vec<Vec<Arc<Table<T>>>>,
}

/// A coupling, and where its columns are. In layer 0 the degree of the senders is 0, and their feature 1.
#[derive(Clone, Copy, Debug)]
pub struct PathColumns {
    /// Degrees of sender, harmonics and messages.
    pub(in crate::engine) path: Path,
    /// Number of columns: that of the senders' channels, except in layer 0.
    pub(in crate::engine) width: usize,
    /// First column among the radial functions.
    pub(in crate::engine) column: usize,
    /// First column among the messages of its degree.
    pub(in crate::engine) slot: usize,
}

/// Functions of the distance alone, in float64: shares of density normalisers, and nuclear repulsion.
pub struct Scalars {
    /// Densities, by receiver and sender.
    pub(in crate::engine) densities: Option<Vec<Vec<Arc<Table<f64>>>>>,
    /// Number of densities.
    pub(in crate::engine) density_count: usize,
    /// Nuclear repulsion.
    pub(in crate::engine) zbl: Option<Zbl>,
}

impl Scalars {
    /// Sums of a direction: the densities, and the repulsion last.
    pub(in crate::engine) fn count(&self) -> usize {
        self.density_count + 1
    }
}

impl<T> Interactions<T> {
    /// The elements that a model knows, in the order of their symbols, each once, with their indices there.
    pub(in crate::engine) fn known(
        elements: &[Element],
        index: impl Fn(Element) -> Option<usize>,
    ) -> Vec<(Element, usize)> {
        let mut known: Vec<(Element, usize)> =
            elements.iter().filter_map(|e| Some((*e, index(*e)?))).collect();
        known.sort_by_key(|(e, _)| e.symbol());
        known.dedup();
        known
    }

    /// Place of an element in the list.
    fn element_index(&self, element: Element) -> Option<usize> {
        self.elements.iter().position(|e| *e == element)
    }

    /// Sums of scalars of a direction.
    pub(in crate::engine) fn scalar_count(&self) -> usize {
        self.scalars.as_ref().map_or(0, Scalars::count)
    }
}

/// A family of models: what it makes of messages. Its values are the weights of a model for one set of elements.
pub trait Family<T: Real>: Send + Sync {
    /// What it prepares for the sites of a scene.
    type Sites: Send + Sync;
    /// Arrays of a block of points.
    type Workspace;

    /// Messages of its layers.
    fn interactions(&self) -> &Interactions<T>;

    /// Prepares for a scene.
    fn sites(&self, geometry: &Geometry) -> Self::Sites;

    /// Arrays for a block of points of a scene.
    fn workspace(&self, geometry: &Geometry, sites: &Self::Sites) -> Self::Workspace;

    /// Energies per atom of the points of a block, eV.
    fn energies(
        &self,
        sites: &Self::Sites,
        block: &Block<T>,
        arrays: (&mut Self::Workspace, &mut Scratch<T>),
    ) -> Vec<f64>;

    /// What follows the messages of a point: steps with their multiply-adds and the numbers that they move.
    fn steps(&self, geometry: &Geometry, sites: &Self::Sites) -> Vec<(&'static str, f64, f64)>;
}
