//! Batches of points on all threads.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::geometry::{Direction, Geometry};
use super::messages::Block;
use super::operator::{Bundle, Gathered, Operators, Scratch};
use super::{BLOCK, Family, cost};
use crate::engine::cpu::{Real, least_points};
use crate::engine::{Cost, Engine, EngineError, PointResult, Scene};
use crate::landscape::Point;

/// A model with pair operators on the CPU.
pub struct PairEngine<T: Real, F: Family<T>> {
    model: Arc<F>,
    prepared: Option<(Arc<Scene>, Prepared<T, F>)>,
    /// Overrules the choice of keeping operators.
    keep: Option<bool>,
}

/// A scene in terms of the model.
struct Prepared<T: Real, F: Family<T>> {
    geometry: Geometry,
    sites: F::Sites,
    /// Operators that no axis changes, from the first call on that keeps operators.
    frozen: Option<Bundle<T>>,
}

impl<T: Real, F: Family<T>> PairEngine<T, F> {
    /// An engine for a model's weights.
    pub(in crate::engine) fn of(model: F) -> Self {
        PairEngine { model: Arc::new(model), prepared: None, keep: None }
    }

    /// Keeps operators always or never, instead of where that is cheaper. The results are the same bits.
    pub fn keeping(self, keep: bool) -> Self {
        PairEngine { keep: Some(keep), prepared: None, ..self }
    }

    /// Prepares a scene, and finds out what evaluating some of its points in one call takes.
    fn prepare(
        &mut self,
        scene: &Arc<Scene>,
        points: &[Point],
    ) -> Result<(&mut Prepared<T, F>, Cost), EngineError> {
        let prepared = match self.prepared.take() {
            Some((known, prepared)) if Arc::ptr_eq(&known, scene) => prepared,
            _ => {
                let geometry = Geometry::new(scene, self.model.interactions())?;
                Prepared { sites: self.model.sites(&geometry), geometry, frozen: None }
            }
        };
        let of_model = (&*self.model, &prepared.geometry, &prepared.sites);
        let cost = cost::cost(scene, of_model, points, self.keep);
        Ok((&mut self.prepared.insert((scene.clone(), prepared)).1, cost))
    }
}

impl<T: Real, F: Family<T>> Engine for PairEngine<T, F> {
    fn evaluate(&mut self, scene: &Arc<Scene>, points: &[Point]) -> Result<Vec<PointResult>, EngineError> {
        let model = self.model.clone();
        let (prepared, Cost { keeps, .. }) = self.prepare(scene, points)?;
        if keeps && prepared.frozen.is_none() {
            let operators = Operators::new(scene, &prepared.geometry, model.interactions());
            prepared.frozen = Some(operators.bundle(0, &scene.axis_values(Point(0))));
        }
        let batch = Batch::new(scene, (prepared, keeps), &*model, points);
        let evaluate = |local: &mut Local<T, F>, block: &[Point]| {
            let result = |(energy, point): (f64, &Point)| scene.result(*point, energy);
            batch.energies(local, block).into_iter().zip(block).map(result).collect::<Vec<_>>()
        };
        let blocks = points.par_chunks(BLOCK).map_init(|| batch.local(), evaluate);
        Ok(blocks.collect::<Vec<Vec<PointResult>>>().into_iter().flatten().collect())
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
struct Batch<'a, T: Real, F: Family<T>> {
    scene: &'a Scene,
    model: &'a F,
    geometry: &'a Geometry,
    sites: &'a F::Sites,
    operators: Operators<'a, T>,
    frozen: Option<&'a Bundle<T>>,
    /// For each group that is kept and that some axes change: operators by the nodes of its axes.
    shared: Vec<HashMap<usize, Bundle<T>>>,
    /// Directions of kept operators into each site, in the order of summation, with their groups.
    incoming: Vec<Vec<(usize, &'a Direction)>>,
    /// Pairs whose operators are not kept, in the order of summation.
    direct: Vec<usize>,
}

impl<'a, T: Real, F: Family<T>> Batch<'a, T, F> {
    fn new(
        scene: &'a Scene,
        (prepared, keeps): (&'a Prepared<T, F>, bool),
        model: &'a F,
        points: &[Point],
    ) -> Self {
        let Prepared { geometry, sites, frozen } = prepared;
        let operators = Operators::within(scene, geometry, model.interactions(), points);
        let (order, keepable) = geometry.order(scene);
        let (kept, direct) = order.split_at(if keeps { keepable } else { 0 });
        let bundles = |group: usize| {
            let of_group = &geometry.groups[group];
            if !keeps || of_group.is_frozen() || !of_group.is_keepable(scene) {
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
            frozen: frozen.as_ref().filter(|_| keeps),
            direct: direct.to_vec(),
            incoming,
            operators,
            scene,
            model,
            geometry,
            sites,
        }
    }

    /// Energies per atom of at most [`BLOCK`] points.
    fn energies(&self, local: &mut Local<T, F>, points: &[Point]) -> Vec<f64> {
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
        let Batch { operators, direct, incoming, .. } = self;
        let block = Block { operators, kept, gathered, direct, incoming };
        self.model.energies(self.sites, &block, (workspace, scratch))
    }

    fn local(&self) -> Local<T, F> {
        Local {
            gathered: Vec::new(),
            scratch: Scratch::new(self.geometry, self.model.interactions()),
            workspace: self.model.workspace(self.geometry, self.sites),
        }
    }
}

/// What the blocks of one piece of a thread's work share.
struct Local<T: Real, F: Family<T>> {
    /// By point of a block and pair: of pairs whose operators are not kept.
    gathered: Vec<Vec<Gathered<T>>>,
    scratch: Scratch<T>,
    workspace: F::Workspace,
}
