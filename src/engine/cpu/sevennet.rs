//! SevenNet on the CPU.
//!
//! As for [MACE](super::mace), all geometry enters through pair operators, sums over the bonds from one site's atoms into
//! another site: for layer 0 sums of radial functions times harmonics, for later layers matrices that act on the sender's
//! features. An operator depends only on the axes that move its two sites, so most are computed once a scene, or once a
//! row or column of a tile. What is left for a point are the operators that all axes change, the application of all of
//! them, gates, and matrix products over the points of a block:
//!
//! ```text
//! weights      model -> tables and matrices for the elements of a scene
//! radial       tables of the radial functions
//! geometry     scene -> site-adapted bases, couplings of every bond, places in arrays
//! cost         what a point takes; whether operators are kept
//! operator     axis values -> pair operators
//! forward      pair operators -> energies, for a block of points
//! ```
//!
//! Energies are invariant under rotations only: sites, their symmetry and their bonds are those of the proper operations,
//! under which features of any parity turn alike.

mod cost;
mod forward;
mod geometry;
mod operator;
mod radial;
mod weights;

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::{Real, least_points};
use crate::crystal::Element;
use crate::engine::{Cost, Engine, EngineError, PointResult, Scene};
use crate::landscape::Point;
use crate::potential::sevennet::Sevennet;
use forward::{Block, Workspace};
use geometry::{BLOCK, Direction, Geometry};
use operator::{Gathered, Operators, Scratch};
use weights::Weights;

/// A SevenNet model on the CPU.
pub struct SevennetEngine<T> {
    weights: Arc<Weights<T>>,
    prepared: Option<(Arc<Scene>, Prepared<T>)>,
    /// Overrules the choice of keeping operators.
    keep: Option<bool>,
}

/// A scene in terms of the model.
struct Prepared<T> {
    geometry: Geometry,
    /// Operators that no axis changes, from the first call on that keeps operators.
    frozen: Option<Vec<T>>,
}

impl<T: Real> SevennetEngine<T> {
    /// Prepares a model for some elements.
    pub fn new(model: &Sevennet, elements: &[Element]) -> Self {
        SevennetEngine { weights: Arc::new(Weights::new(model, elements)), prepared: None, keep: None }
    }

    /// Keeps operators always or never, instead of where that is cheaper. The results are the same bits.
    pub fn keeping(self, keep: bool) -> Self {
        SevennetEngine { keep: Some(keep), prepared: None, ..self }
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

impl<T: Real> Engine for SevennetEngine<T> {
    fn evaluate(&mut self, scene: &Arc<Scene>, points: &[Point]) -> Result<Vec<PointResult>, EngineError> {
        let weights = self.weights.clone();
        let (prepared, Cost { keeps, .. }) = self.prepare(scene, points)?;
        if keeps && prepared.frozen.is_none() {
            let operators = Operators::new(scene, &prepared.geometry, &weights);
            prepared.frozen = Some(operators.bundle(0, &scene.axis_values(Point(0))));
        }
        let batch = Batch::new(scene, (prepared, keeps), &weights, points);
        let evaluate = |local: &mut Local<T>, block: &[Point]| {
            let result = |(energy, point): (f64, &Point)| scene.result(*point, energy);
            batch.energies(local, block).into_iter().zip(block).map(result).collect::<Vec<_>>()
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

/// What the points of one call share.
struct Batch<'a, T> {
    scene: &'a Scene,
    geometry: &'a Geometry,
    weights: &'a Weights<T>,
    operators: Operators<'a, T>,
    frozen: Option<&'a [T]>,
    /// For each group that is kept and that some axes change: operators by the nodes of its axes.
    shared: Vec<HashMap<usize, Vec<T>>>,
    /// Directions of kept operators into each site, in the order of summation, with their groups.
    incoming: Vec<Vec<(usize, &'a Direction)>>,
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
        let (kept, direct) = order.split_at(if keeps { keepable } else { 0 });
        let bundles = |group: usize| {
            let of_group = &geometry.groups[group];
            if !keeps || of_group.axes.is_empty() || !of_group.is_keepable(scene) {
                return HashMap::new();
            }
            let mut first_with: HashMap<usize, Point> = HashMap::new();
            for point in points {
                first_with.entry(of_group.key(scene, *point)).or_insert(*point);
            }
            let build =
                |(key, point): (usize, Point)| (key, operators.bundle(group, &scene.axis_values(point)));
            first_with.into_par_iter().map(build).collect()
        };
        let mut incoming = vec![Vec::new(); geometry.sites.len()];
        for pair in kept.iter().map(|k| &geometry.pairs[*k]) {
            pair.directions.iter().for_each(|d| incoming[d.receiver].push((pair.group, d)));
        }
        Batch {
            shared: (0..geometry.groups.len()).map(bundles).collect(),
            frozen: frozen.as_deref().filter(|_| keeps),
            direct: direct.to_vec(),
            incoming,
            operators,
            scene,
            geometry,
            weights,
        }
    }

    /// Energies per atom of at most [`BLOCK`] points.
    fn energies(&self, local: &mut Local<T>, points: &[Point]) -> Vec<f64> {
        let Local { gathered, scratch, workspace } = local;
        let groups = &self.geometry.groups;
        let bundle = |group: usize, point: Point| match groups[group].axes.is_empty() {
            true => self.frozen,
            false => self.shared[group].get(&groups[group].key(self.scene, point)).map(|b| &b[..]),
        };
        let kept: Vec<Vec<Option<&[T]>>> =
            points.iter().map(|p| (0..groups.len()).map(|g| bundle(g, *p)).collect()).collect();
        gathered.resize_with(points.len().max(gathered.len()), || {
            vec![Gathered::new(); self.geometry.pairs.len()]
        });
        for ((point, kept), gathered) in points.iter().zip(&kept).zip(gathered.iter_mut()) {
            for group in (0..groups.len()).filter(|g| kept[*g].is_none()) {
                self.operators.gather_group(group, &self.scene.axis_values(*point), gathered, scratch);
            }
        }
        let block = Block {
            operators: &self.operators,
            geometry: self.geometry,
            weights: self.weights,
            direct: &self.direct,
            incoming: &self.incoming,
            gathered,
            kept,
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
    fn new(geometry: &Geometry, weights: &Weights<T>) -> Local<T> {
        Local {
            gathered: Vec::new(),
            scratch: Scratch::new(geometry, weights.lmax),
            workspace: Workspace::new(geometry),
        }
    }
}
