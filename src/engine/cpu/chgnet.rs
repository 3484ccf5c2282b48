//! CHGNet on the CPU.
//!
//! All features are scalars, so one atom, one directed bond, one undirected bond and one angle of each set of equivalent
//! ones is computed. The rows of several points stand below one another in the matrix products:
//!
//! ```text
//! first        the first messages between atoms, in tables
//! weights      model -> matrices by inputs, tables of the functions of distance and angle
//! rows         points -> the bonds and angles that are short enough, and how they hang together
//! gated        rows of one layer -> gated messages: vectors over the features
//! forward      rows -> energies
//! cost         what a point takes
//! ```

mod cost;
mod first;
mod forward;
mod gated;
pub(in crate::engine) mod rows;
pub(in crate::engine) mod weights;

use std::sync::Arc;

use rayon::prelude::*;

use super::{Real, least_points};
use crate::crystal::Element;
use crate::engine::{Cost, Engine, EngineError, PointResult, Scene};
use crate::landscape::Point;
use crate::potential::chgnet::Chgnet;
use forward::Workspace;
use weights::Weights;

/// Points whose rows stand below one another: few, so that they stay in the cache.
const BLOCK: usize = 8;

/// A CHGNet on the CPU.
pub struct ChgnetEngine<T> {
    weights: Arc<Weights<T>>,
}

impl<T: Real> ChgnetEngine<T> {
    /// Prepares a model for some elements.
    pub fn new(model: &Chgnet, elements: &[Element]) -> Self {
        ChgnetEngine { weights: Arc::new(Weights::new(model, elements)) }
    }
}

/// What points of a scene cost, wherever they are evaluated.
#[cfg(feature = "cuda")]
pub(in crate::engine) fn cost_of<T: Real>(
    scene: &Scene,
    weights: &Weights<T>,
    points: &[Point],
) -> Result<Cost, EngineError> {
    Ok(cost::cost(scene, &weights.sites(scene)?, weights, points))
}

impl<T: Real> Engine for ChgnetEngine<T> {
    fn evaluate(&mut self, scene: &Arc<Scene>, points: &[Point]) -> Result<Vec<PointResult>, EngineError> {
        let sites = self.weights.sites(scene)?;
        let evaluate = |workspace: &mut Workspace<T>, block: &[Point]| {
            let energies = workspace.energies((scene, &sites), &self.weights, block);
            energies.into_iter().zip(block).map(|(energy, p)| scene.result(*p, energy)).collect::<Vec<_>>()
        };
        let blocks: Vec<Vec<PointResult>> =
            points.par_chunks(BLOCK).map_init(Workspace::new, evaluate).collect();
        Ok(blocks.into_iter().flatten().collect())
    }

    fn cost(&mut self, scene: &Arc<Scene>, points: &[Point]) -> Result<Cost, EngineError> {
        Ok(cost::cost(scene, &self.weights.sites(scene)?, &self.weights, points))
    }

    fn call(&self) -> usize {
        least_points()
    }

    fn describe(&self) -> String {
        format!("cpu {}, {} threads", T::NAME, rayon::current_num_threads())
    }
}
