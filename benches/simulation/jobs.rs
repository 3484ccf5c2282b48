//! Landscapes x models -> jobs, and what they cost.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use s2dpes::cluster::Job;
use s2dpes::crystal::Element;
use s2dpes::landscape::{Landscape, Relation};
use s2dpes::work::{Model, SurfaceWork};

/// What a surface costs a rank, in seconds on one thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Price {
    /// The engine, for a model and some elements.
    pub engine: f64,
    /// The scene.
    pub scene: f64,
    /// What the first call takes longer than later ones.
    pub first_call: f64,
    /// A point.
    pub point: f64,
    /// Bytes of the model.
    pub model_bytes: f64,
}

/// A model or a landscape by its address.
type Key = usize;

fn key<T>(shared: &Arc<T>) -> Key {
    Arc::as_ptr(shared) as usize
}

/// Prices by model and landscape, and bytes by model.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    surfaces: HashMap<(Key, Key), Price>,
    bytes: HashMap<Key, f64>,
}

impl Prices {
    pub fn of(&self, model: &Arc<Model>, landscape: &Arc<Landscape>) -> Price {
        self.surfaces[&(key(model), key(landscape))]
    }

    /// Bytes of a model.
    pub fn bytes(&self, model: &Arc<Model>) -> f64 {
        self.bytes[&key(model)]
    }
}

/// A surface, its landscape, its price.
pub struct Surface {
    pub landscape: Arc<Landscape>,
    pub work: SurfaceWork,
    pub price: Price,
}

/// All surfaces of a campaign.
#[derive(Default)]
pub struct Campaign {
    pub surfaces: Vec<Surface>,
}

impl Campaign {
    /// Adds a landscape for several models, each with the surface's price.
    pub fn add(
        &mut self,
        landscape: &Arc<Landscape>,
        models: &[(Arc<Model>, Price)],
        points_per_tile: usize,
    ) {
        let Some((first, _)) = models.first() else { return };
        let work = SurfaceWork::new(landscape, first.clone(), Some(Relation::Rotated), points_per_tile);
        for (model, price) in models {
            let work = SurfaceWork { model: model.clone(), ..work.clone() };
            self.surfaces.push(Surface { landscape: landscape.clone(), work, price: *price });
        }
    }

    pub fn jobs(&self) -> Vec<Job<'_>> {
        let each = self.surfaces.iter();
        each.map(|Surface { landscape, work, .. }| {
            let open = (0..work.tiles.len()).collect();
            Job { surface: work, landscape, open }
        })
        .collect()
    }

    pub fn prices(&self) -> Prices {
        let surface = |s: &Surface| ((key(&s.work.model), key(&s.landscape)), s.price);
        let bytes = |s: &Surface| (key(&s.work.model), s.price.model_bytes);
        Prices {
            surfaces: self.surfaces.iter().map(surface).collect(),
            bytes: self.surfaces.iter().map(bytes).collect(),
        }
    }

    /// Seconds of the points of each surface, its input structure included, and of what must be prepared for it. An
    /// engine that several surfaces need counts for the first of them.
    pub fn seconds(&self) -> Vec<(f64, f64)> {
        let mut engines: HashSet<(Key, Vec<Element>)> = HashSet::new();
        let each = |s: &Surface| {
            let Price { engine, scene, first_call, point, .. } = s.price;
            let is_new = engines.insert((key(&s.work.model), s.landscape.elements()));
            let reference = scene + first_call + point;
            (s.points() as f64 * point + reference, scene + first_call + if is_new { engine } else { 0.0 })
        };
        self.surfaces.iter().map(each).collect()
    }
}

impl Surface {
    pub fn points(&self) -> usize {
        self.work.tiles.iter().map(|t| t.points.len()).sum()
    }
}
