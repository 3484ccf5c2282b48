//! What a campaign consists of: structures, their landscapes, and the surfaces that models have over them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::crystal::Element;
#[cfg(feature = "cuda")]
use crate::engine::Scene;
use crate::engine::cpu::chgnet::ChgnetEngine;
use crate::engine::cpu::mace::MaceEngine;
use crate::engine::cpu::sevennet::SevennetEngine;
#[cfg(feature = "cuda")]
use crate::engine::cuda::chgnet::ChgnetEngine as CudaChgnet;
#[cfg(feature = "cuda")]
use crate::engine::cuda::mace::MaceEngine as CudaMace;
#[cfg(feature = "cuda")]
use crate::engine::cuda::sevennet::SevennetEngine as CudaSevennet;
use crate::engine::{Engine, EngineError, Place};
use crate::landscape::{Equivalence, Irreducible, Landscape, Relation, Tile, tiles};
use crate::potential::{Family, Invariance, Potential};
use crate::symmetry::Crystal;

/// Number format of an engine's arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// float32 with float64 where it is cheap and counts.
    Single,
    /// float64 throughout.
    Double,
}

impl Precision {
    /// `float32` or `float64`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Single => "float32",
            Precision::Double => "float64",
        }
    }
}

/// A potential as a campaign uses it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Model {
    /// The user's name for it, and that of its groups in the file.
    pub name: String,
    /// Weights.
    pub potential: Arc<Potential>,
    /// Index of the head.
    pub head: usize,
    /// Arithmetic.
    pub precision: Precision,
}

impl Model {
    /// An engine for the elements of a scene.
    pub fn engine(&self, elements: &[Element], place: &Place) -> Result<Box<dyn Engine>, EngineError> {
        let (family, head) = (&self.potential.family, self.head);
        Ok(match (family, place, self.precision) {
            #[cfg(feature = "cuda")]
            (Family::Mace(mace), Place::Gpu(gpu), Precision::Single) => {
                Box::new(CudaMace::<f32>::new(mace, elements, head, gpu.clone())?)
            }
            #[cfg(feature = "cuda")]
            (Family::Mace(mace), Place::Gpu(gpu), Precision::Double) => {
                Box::new(CudaMace::<f64>::new(mace, elements, head, gpu.clone())?)
            }
            (Family::Mace(mace), Place::Cpu, Precision::Single) => {
                Box::new(MaceEngine::<f32>::new(mace, elements, head))
            }
            (Family::Mace(mace), Place::Cpu, Precision::Double) => {
                Box::new(MaceEngine::<f64>::new(mace, elements, head))
            }
            #[cfg(feature = "cuda")]
            (Family::Chgnet(chgnet), Place::Gpu(gpu), Precision::Single) => {
                Box::new(CudaChgnet::<f32>::new(chgnet, elements, gpu.clone())?)
            }
            #[cfg(feature = "cuda")]
            (Family::Chgnet(chgnet), Place::Gpu(gpu), Precision::Double) => {
                Box::new(CudaChgnet::<f64>::new(chgnet, elements, gpu.clone())?)
            }
            (Family::Chgnet(chgnet), Place::Cpu, Precision::Single) => {
                Box::new(ChgnetEngine::<f32>::new(chgnet, elements))
            }
            (Family::Chgnet(chgnet), Place::Cpu, Precision::Double) => {
                Box::new(ChgnetEngine::<f64>::new(chgnet, elements))
            }
            #[cfg(feature = "cuda")]
            (Family::Sevennet(sevennet), Place::Gpu(gpu), Precision::Single) => {
                Box::new(CudaSevennet::<f32>::new(sevennet, elements, gpu.clone())?)
            }
            #[cfg(feature = "cuda")]
            (Family::Sevennet(sevennet), Place::Gpu(gpu), Precision::Double) => {
                Box::new(CudaSevennet::<f64>::new(sevennet, elements, gpu.clone())?)
            }
            (Family::Sevennet(sevennet), Place::Cpu, Precision::Single) => {
                Box::new(SevennetEngine::<f32>::new(sevennet, elements))
            }
            (Family::Sevennet(sevennet), Place::Cpu, Precision::Double) => {
                Box::new(SevennetEngine::<f64>::new(sevennet, elements))
            }
        })
    }
}

#[cfg(feature = "cuda")]
impl Model {
    /// Bytes that a GPU needs for a scene apart from the model and tables, and how many of them are pair operators.
    pub fn gpu_memory(&self, scene: &Scene) -> Result<(usize, usize), EngineError> {
        use crate::engine::cuda::{chgnet, mace, sevennet};
        match (&self.potential.family, self.precision) {
            (Family::Mace(of), Precision::Single) => mace::memory_of::<f32>(of, scene, self.head),
            (Family::Mace(of), Precision::Double) => mace::memory_of::<f64>(of, scene, self.head),
            (Family::Sevennet(of), Precision::Single) => sevennet::memory_of::<f32>(of, scene),
            (Family::Sevennet(of), Precision::Double) => sevennet::memory_of::<f64>(of, scene),
            (Family::Chgnet(of), Precision::Single) => Ok((chgnet::memory_of::<f32>(of, scene)?, 0)),
            (Family::Chgnet(of), Precision::Double) => Ok((chgnet::memory_of::<f64>(of, scene)?, 0)),
        }
    }
}

/// A structure and its landscapes.
#[derive(Clone, Debug)]
pub struct StructureWork {
    /// Symmetry and orbits.
    pub crystal: Arc<Crystal>,
    /// Where it was read from.
    pub source: String,
    /// At least one.
    pub landscapes: Vec<LandscapeWork>,
}

/// A landscape and its surfaces.
#[derive(Clone, Debug)]
pub struct LandscapeWork {
    /// Name of its group: the axes joined by `-` unless the user named it.
    pub name: String,
    /// Crystal, axes, grid.
    pub landscape: Arc<Landscape>,
    /// One a model that knows all its elements.
    pub surfaces: Vec<SurfaceWork>,
}

/// A landscape for one model: the points that are evaluated, in tiles.
#[derive(Clone, Debug)]
pub struct SurfaceWork {
    /// The model.
    pub model: Arc<Model>,
    /// Which points count as the same.
    pub equivalence: Equivalence,
    /// Points to evaluate and where their results go.
    pub irreducible: Arc<Irreducible>,
    /// Nodes of the grid's blocks.
    pub points_per_tile: usize,
    /// Their irreducible points.
    pub tiles: Vec<Tile>,
}

impl SurfaceWork {
    /// Divides a landscape for a model; `relation` says how far points may be identified.
    pub fn new(
        landscape: &Landscape,
        model: Arc<Model>,
        relation: Option<Relation>,
        points_per_tile: usize,
    ) -> SurfaceWork {
        let equivalence =
            Equivalence { relation, proper_only: model.potential.invariance() == Invariance::Proper };
        let irreducible = Arc::new(landscape.irreducible(equivalence));
        let tiles = tiles(&landscape.grid, &irreducible, points_per_tile);
        SurfaceWork { model, equivalence, irreducible, points_per_tile, tiles }
    }
}

/// Something that a campaign leaves out, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Skipped {
    /// Structure, or structure and model.
    pub what: String,
    /// A sentence.
    pub why: String,
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A file that cannot be read is named by its reason already.
        match self.why.starts_with(&self.what) {
            true => f.write_str(&self.why),
            false => write!(f, "{}: {}", self.what, self.why),
        }
    }
}

/// All that a campaign computes.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// In the order of the campaign file.
    pub structures: Vec<StructureWork>,
    /// What it cannot compute.
    pub skipped: Vec<Skipped>,
}

/// Names one surface within a [`Work`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SurfaceId {
    /// Index into [`Work::structures`].
    pub structure: usize,
    /// Index into its landscapes.
    pub landscape: usize,
    /// Index into its surfaces.
    pub surface: usize,
}

impl Work {
    /// All surfaces in order.
    pub fn surfaces(&self) -> impl Iterator<Item = SurfaceId> + '_ {
        self.structures.iter().enumerate().flat_map(|(structure, s)| {
            s.landscapes.iter().enumerate().flat_map(move |(landscape, l)| {
                (0..l.surfaces.len()).map(move |surface| SurfaceId { structure, landscape, surface })
            })
        })
    }

    /// The landscape of a surface.
    pub fn landscape(&self, id: SurfaceId) -> &LandscapeWork {
        &self.structures[id.structure].landscapes[id.landscape]
    }

    /// A surface.
    pub fn surface(&self, id: SurfaceId) -> &SurfaceWork {
        &self.landscape(id).surfaces[id.surface]
    }

    /// `W2N3/W1.x-W1.z/demo`: where a surface is in the file.
    pub fn path(&self, id: SurfaceId) -> String {
        let structure = &self.structures[id.structure].crystal.name;
        format!("{structure}/{}/{}", self.landscape(id).name, self.surface(id).model.name)
    }
}
