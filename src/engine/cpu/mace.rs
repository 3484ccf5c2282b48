//! MACE on the CPU.
//!
//! All geometry enters through pair operators, sums over the bonds from one site's atoms into another site: for layer
//! 0 the sum of weighted harmonics, for later layers matrices that act on the sender's features. An operator depends
//! only on the axes that move its two sites, so most are computed once a scene, row or column of the grid. What is
//! left for a point are the operators that all axes change, the application of all of them, two sparse contractions
//! and matrix products over the points of a block:
//!
//! ```text
//! weights      model -> tables and matrices for the elements of a scene
//! geometry     scene -> site-adapted bases, couplings of every bond, rows of the feature arrays
//! operator     axis values -> pair operators
//! forward      pair operators -> energies, for a block of points
//! ```
//!
//! Features of a site live in the subspace that its site symmetry leaves unchanged, so a site on a mirror plane
//! carries 10 instead of 16 components up to degree 3.

mod contraction;
mod forward;
mod geometry;
mod operator;
mod weights;

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::Real;
use crate::engine::{COINCIDENCE, Engine, EngineError, PointResult, Scene, Status};
use crate::landscape::Point;
use crate::potential::mace::Mace;
use forward::{BLOCK, Workspace};
use geometry::{Geometry, Group};
use operator::{Bundle, Operators, Scratch};
use weights::Weights;

/// A MACE model on the CPU.
pub struct MaceEngine<T> {
    weights: Arc<Weights<T>>,
    prepared: Option<(Arc<Scene>, Prepared<T>)>,
}

/// A scene in terms of the model.
struct Prepared<T> {
    geometry: Geometry<T>,
    /// Operators that no axis changes.
    frozen: Bundle<T>,
}

impl<T: Real> MaceEngine<T> {
    /// Prepares a model's head for some elements.
    pub fn new(model: &Mace, elements: &[crate::crystal::Element], head: usize) -> Self {
        MaceEngine { weights: Arc::new(Weights::new(model, elements, head)), prepared: None }
    }

    fn prepare(&mut self, scene: &Arc<Scene>) -> Result<(), EngineError> {
        if self.prepared.as_ref().is_some_and(|(s, _)| Arc::ptr_eq(s, scene)) {
            return Ok(());
        }
        let geometry = Geometry::new(scene, &self.weights)?;
        let operators = Operators::new(scene, &geometry, &self.weights);
        let frozen = operators.bundle(0, &scene.axis_values(Point(0)));
        self.prepared = Some((scene.clone(), Prepared { geometry, frozen }));
        Ok(())
    }
}

impl<T: Real> Engine for MaceEngine<T> {
    fn evaluate(&mut self, scene: &Arc<Scene>, points: &[Point]) -> Result<Vec<PointResult>, EngineError> {
        self.prepare(scene)?;
        let Some((_, prepared)) = &self.prepared else { return Ok(Vec::new()) };
        let batch = Batch::new(scene, &prepared.geometry, &self.weights, points);
        let evaluate = |local: &mut Local<T>, block: &[Point]| {
            batch
                .energies(local, &prepared.frozen, block)
                .into_iter()
                .zip(block)
                .map(|(energy, p)| result(scene, *p, energy))
                .collect::<Vec<_>>()
        };
        let local = || Local::new(scene, &prepared.geometry, &self.weights);
        let blocks: Vec<Vec<PointResult>> = points.par_chunks(BLOCK).map_init(local, evaluate).collect();
        Ok(blocks.into_iter().flatten().collect())
    }

    fn describe(&self) -> String {
        format!("cpu {}, {} threads", T::NAME, rayon::current_num_threads())
    }
}

fn result(scene: &Scene, point: Point, energy: f64) -> PointResult {
    let separation = scene.separation.at(&scene.axis_values(point));
    let status = if separation.minimum < COINCIDENCE {
        Status::Coinciding
    } else if !energy.is_finite() {
        Status::NotFinite
    } else {
        Status::Done
    };
    PointResult {
        energy: if status == Status::Done { energy } else { f64::NAN },
        distance_cost: separation.cost,
        minimum_distance: separation.minimum,
        status,
    }
}

/// What the points of one call share.
struct Batch<'a, T> {
    scene: &'a Scene,
    geometry: &'a Geometry<T>,
    weights: &'a Weights<T>,
    operators: Operators<'a, T>,
    /// For each group of pairs that some but not all axes change: operators by the nodes of its axes.
    shared: Vec<HashMap<usize, Bundle<T>>>,
}

impl<'a, T: Real> Batch<'a, T> {
    fn new(scene: &'a Scene, geometry: &'a Geometry<T>, weights: &'a Weights<T>, points: &[Point]) -> Self {
        let operators = Operators::within(scene, geometry, weights, points);
        let shared = (0..geometry.groups.len())
            .map(|group| {
                if geometry.groups[group].is_frozen() || geometry.groups[group].is_full(scene) {
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
        Batch { scene, geometry, weights, operators, shared }
    }

    /// Energies per atom of at most [`BLOCK`] points.
    fn energies(&self, local: &mut Local<T>, frozen: &Bundle<T>, block: &[Point]) -> Vec<f64> {
        let Local { own, scratch, workspace } = local;
        let groups = &self.geometry.groups;
        let full = groups.iter().position(|g| g.is_full(self.scene));
        if let Some(group) = full {
            for (bundle, point) in own.iter_mut().zip(block) {
                self.operators.fill(group, &self.scene.axis_values(*point), bundle, scratch);
            }
        }
        let bundles: Vec<Vec<&Bundle<T>>> = (block.iter().enumerate())
            .map(|(p, point)| {
                let bundle = |(g, group): (usize, &Group)| match () {
                    () if group.is_frozen() => Some(frozen),
                    () if full == Some(g) => own.get(p),
                    () => self.shared[g].get(&group.key(self.scene, *point)),
                };
                groups.iter().enumerate().filter_map(bundle).collect()
            })
            .collect();
        forward::energies(workspace, self.geometry, self.weights, &bundles)
    }
}

/// What a thread needs for itself.
struct Local<T> {
    /// Operators that all axes change, one bundle a point of a block.
    own: Vec<Bundle<T>>,
    scratch: Scratch<T>,
    workspace: Workspace<T>,
}

impl<T: Real> Local<T> {
    fn new(scene: &Scene, geometry: &Geometry<T>, weights: &Weights<T>) -> Local<T> {
        let full = geometry.groups.iter().find(|g| g.is_full(scene));
        Local {
            own: full.map_or(Vec::new(), |g| vec![Bundle::new(g); BLOCK]),
            scratch: Scratch::new(geometry, weights),
            workspace: Workspace::new(geometry, weights),
        }
    }
}
