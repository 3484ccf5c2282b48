//! MACE on the CPU.
//!
//! All geometry enters through pair operators, sums over the bonds from one site's atoms into another site: for layer
//! 0 the sum of weighted harmonics, for later layers matrices that act on the sender's features. An operator depends
//! only on the axes that move its two sites, so most are computed once a scene, or once a row or column of a tile. What
//! is left for a point are the operators that all axes change, the application of all of them, two sparse contractions
//! and matrix products over the points of a block:
//!
//! ```text
//! weights      model -> tables and matrices for the elements of a scene
//! geometry     scene -> site-adapted bases, couplings of every bond, rows of the feature arrays
//! cost         what a point takes; whether operators are kept
//! operator     axis values -> pair operators
//! forward      pair operators -> energies, for a block of points
//! ```
//!
//! Features of a site live in the subspace that its site symmetry leaves unchanged, so a site on a mirror plane
//! carries 10 instead of 16 components up to degree 3.

pub(in crate::engine) mod contraction;
mod cost;
mod forward;
pub(in crate::engine) mod geometry;
pub(in crate::engine) mod operator;
pub(in crate::engine) mod weights;

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::{Real, least_points};
use crate::engine::{Cost, Engine, EngineError, PointResult, Scene};
use crate::landscape::Point;
use crate::potential::mace::Mace;
use forward::{Block, Workspace};
use geometry::{BLOCK, Geometry};
use operator::{Bundle, Gathered, Operators, Scratch};
use weights::Weights;

/// A MACE model on the CPU.
pub struct MaceEngine<T> {
    weights: Arc<Weights<T>>,
    prepared: Option<(Arc<Scene>, Prepared<T>)>,
    /// Overrules the choice of keeping operators.
    keep: Option<bool>,
}

/// A scene in terms of the model.
struct Prepared<T> {
    geometry: Geometry<T>,
    /// Operators that no axis changes, from the first call on that keeps operators.
    frozen: Option<Bundle<T>>,
}

impl<T: Real> MaceEngine<T> {
    /// Prepares a model's head for some elements.
    pub fn new(model: &Mace, elements: &[crate::crystal::Element], head: usize) -> Self {
        MaceEngine { weights: Arc::new(Weights::new(model, elements, head)), prepared: None, keep: None }
    }

    /// Keeps operators always or never, instead of where that is cheaper. The results are the same bits.
    pub fn keeping(self, keep: bool) -> Self {
        MaceEngine { keep: Some(keep), prepared: None, ..self }
    }

    /// Prepares a scene, and finds out what evaluating some of its points in one call takes.
    fn prepare(
        &mut self,
        scene: &Arc<Scene>,
        points: &[Point],
    ) -> Result<(&mut Prepared<T>, Cost), EngineError> {
        let prepared = match self.prepared.take() {
            Some((known, prepared)) if Arc::ptr_eq(&known, scene) => prepared,
            _ => Prepared { geometry: Geometry::new(scene, &self.weights)?, frozen: None },
        };
        let cost = cost::cost(scene, &prepared.geometry, &self.weights, points, self.keep);
        Ok((&mut self.prepared.insert((scene.clone(), prepared)).1, cost))
    }
}

impl<T: Real> Prepared<T> {
    /// Makes sure of what is kept for the whole scene.
    fn keep(&mut self, scene: &Scene, weights: &Weights<T>) {
        if self.frozen.is_none() {
            self.geometry.prepare_kept(scene);
            let operators = Operators::new(scene, &self.geometry, weights);
            self.frozen = Some(operators.bundle(0, &scene.axis_values(Point(0))));
        }
    }
}

impl<T: Real> Engine for MaceEngine<T> {
    fn evaluate(&mut self, scene: &Arc<Scene>, points: &[Point]) -> Result<Vec<PointResult>, EngineError> {
        let weights = self.weights.clone();
        let (prepared, Cost { keeps, .. }) = self.prepare(scene, points)?;
        if keeps {
            prepared.keep(scene, &weights);
        }
        let batch = Batch::new(scene, (prepared, keeps), &weights, points);
        let evaluate = |local: &mut Local<T>, block: &[Point]| {
            batch
                .energies(local, block)
                .into_iter()
                .zip(block)
                .map(|(energy, p)| scene.result(*p, energy))
                .collect::<Vec<_>>()
        };
        let local = || Local::new(&prepared.geometry, &weights);
        let blocks: Vec<Vec<PointResult>> = points.par_chunks(BLOCK).map_init(local, evaluate).collect();
        Ok(blocks.into_iter().flatten().collect())
    }

    fn cost(&mut self, scene: &Arc<Scene>, points: &[Point]) -> Result<Cost, EngineError> {
        Ok(self.prepare(scene, points)?.1)
    }

    fn call(&self) -> usize {
        least_points()
    }

    fn describe(&self) -> String {
        format!("cpu {}, {} threads", T::NAME, rayon::current_num_threads())
    }
}

/// What points of a scene cost, with operators kept or not.
#[cfg(feature = "cuda")]
pub(in crate::engine) fn cost_of<T: Real>(
    scene: &Scene,
    weights: &Weights<T>,
    points: &[Point],
    keep: bool,
) -> Result<Cost, EngineError> {
    Ok(cost::cost(scene, &Geometry::new(scene, weights)?, weights, points, Some(keep)))
}

/// What the points of one call share.
struct Batch<'a, T> {
    scene: &'a Scene,
    geometry: &'a Geometry<T>,
    weights: &'a Weights<T>,
    operators: Operators<'a, T>,
    frozen: Option<&'a Bundle<T>>,
    /// For each group that is kept and that some axes change: operators by the nodes of its axes.
    shared: Vec<HashMap<usize, Bundle<T>>>,
    /// Pairs whose operators are not kept, in the order of summation.
    direct: Vec<usize>,
}

impl<'a, T: Real> Batch<'a, T> {
    fn new(
        scene: &'a Scene,
        (prepared, keeps): (&'a Prepared<T>, bool),
        weights: &'a Weights<T>,
        points: &[Point],
    ) -> Self {
        let Prepared { geometry, frozen } = prepared;
        let operators = Operators::within(scene, geometry, weights, points);
        let (order, keepable) = geometry.order(scene);
        let shared = (0..geometry.groups.len())
            .map(|group| {
                let axes = geometry.groups[group].axes.len();
                if !keeps || axes == 0 || !geometry.is_keepable(group, scene) {
                    return HashMap::new();
                }
                let mut first_with: HashMap<usize, Point> = HashMap::new();
                for point in points {
                    first_with.entry(geometry.groups[group].key(scene, *point)).or_insert(*point);
                }
                let build =
                    |(key, point): (usize, Point)| (key, operators.bundle(group, &scene.axis_values(point)));
                first_with.into_par_iter().map(build).collect()
            })
            .collect();
        let direct = order[if keeps { keepable } else { 0 }..].to_vec();
        let frozen = frozen.as_ref().filter(|_| keeps);
        Batch { scene, geometry, weights, operators, frozen, shared, direct }
    }

    /// Energies per atom of at most [`BLOCK`] points.
    fn energies(&self, local: &mut Local<T>, points: &[Point]) -> Vec<f64> {
        let Local { gathered, scratch, workspace } = local;
        let groups = &self.geometry.groups;
        let bundle = |group: usize, point: Point| match groups[group].is_frozen() {
            true => self.frozen,
            false => self.shared[group].get(&groups[group].key(self.scene, point)),
        };
        let kept: Vec<Vec<Option<&Bundle<T>>>> =
            points.iter().map(|p| (0..groups.len()).map(|g| bundle(g, *p)).collect()).collect();
        gathered.resize_with(points.len().max(gathered.len()), || {
            vec![Gathered::new(); self.geometry.pairs.len()]
        });
        for ((point, kept), gathered) in points.iter().zip(&kept).zip(gathered.iter_mut()) {
            for group in (0..groups.len()).filter(|g| kept[*g].is_none()) {
                self.operators.gather_group(group, &self.scene.axis_values(*point), gathered, scratch);
            }
        }
        let directions = match self.frozen {
            Some(_) => self.geometry.keepable(self.scene).collect(),
            None => Vec::new(),
        };
        let block = Block {
            operators: &self.operators,
            geometry: self.geometry,
            weights: self.weights,
            kept,
            gathered,
            direct: &self.direct,
            directions,
        };
        forward::energies(&block, workspace, scratch)
    }
}

/// What the blocks of one piece of a thread's work share.
struct Local<T> {
    /// By point of a block and pair: of pairs whose operators are not kept.
    gathered: Vec<Vec<Gathered<T>>>,
    scratch: Scratch<T>,
    workspace: Workspace<T>,
}

impl<T: Real> Local<T> {
    fn new(geometry: &Geometry<T>, weights: &Weights<T>) -> Local<T> {
        Local {
            gathered: Vec::new(),
            scratch: Scratch::new(geometry, weights),
            workspace: Workspace::new(geometry, weights),
        }
    }
}
