//! Engines run a potential on one device: they evaluate batches of points of a [`Scene`].

mod bond;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod network;
mod place;
mod scene;
mod site;

use std::sync::Arc;

pub use bond::{Bond, Pair, Shell};
pub use network::{Angle, Leg, Network};
pub use place::{EngineChoice, Gpu, Gpus, Place};
pub use scene::{Scene, SceneError};
pub use site::Site;

use serde::{Deserialize, Serialize};

use crate::landscape::{Point, Separation};

/// What became of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Status {
    /// Not computed yet.
    Open = 0,
    /// Computed.
    Done = 1,
    /// Two atoms coincide (closer than 0.001 Angstrom): no energy.
    Coinciding = 2,
    /// The potential gives no finite energy.
    NotFinite = 3,
    /// The structure or its engine failed.
    Failed = 4,
}

impl Status {
    /// All of them with the names that the file uses.
    pub const ALL: [(Status, &'static str); 5] = [
        (Status::Open, "open"),
        (Status::Done, "done"),
        (Status::Coinciding, "coinciding_atoms"),
        (Status::NotFinite, "not_finite"),
        (Status::Failed, "failed"),
    ];
}

/// Result of one point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointResult {
    /// Potential energy in eV per atom; NaN unless the status is [`Status::Done`].
    pub energy: f64,
    /// Distance cost (Eq. 1) in Angstrom.
    pub distance_cost: f64,
    /// Smallest distance of two atoms in Angstrom.
    pub minimum_distance: f64,
    /// What became of it.
    pub status: Status,
}

impl PointResult {
    /// From an energy in eV per atom, finite or not, and the distances of the atoms.
    pub fn new(energy: f64, separation: Separation) -> PointResult {
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
}

/// Atoms closer than this, in Angstrom, coincide.
pub const COINCIDENCE: f64 = 1e-3;

/// An engine that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The scene has elements that the engine was not made for.
    #[error("the engine was not prepared for {0}")]
    Element(crate::crystal::Element),
    /// The scene lacks what the engine's potential needs.
    #[error("the scene was prepared for another potential; prepare it for the one of the engine")]
    Scene,
    /// Its device cannot be used, or not any more.
    #[error("{0}")]
    Device(String),
}

/// What evaluating a point takes, counted, not measured.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    /// Step by step.
    pub steps: Vec<Step>,
    /// Whether what points share is computed once and kept.
    pub keeps: bool,
    /// Bytes of what is kept.
    pub kept_bytes: f64,
}

/// One step of the evaluation.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does.
    pub name: String,
    /// Floating-point operations a point.
    pub operations: f64,
    /// Bytes of its operands and results a point, wherever in the memory they lie.
    pub bytes: f64,
}

/// Runs a potential on one device.
pub trait Engine: Send {
    /// Evaluates points of a scene. The same bits come out whatever the order and number of points in a call.
    fn evaluate(&mut self, scene: &Arc<Scene>, points: &[Point]) -> Result<Vec<PointResult>, EngineError>;

    /// What points of a scene cost when they are evaluated in one call.
    fn cost(&mut self, scene: &Arc<Scene>, points: &[Point]) -> Result<Cost, EngineError>;

    /// Least points of a call that keep its device busy.
    fn call(&self) -> usize;

    /// What it is, for logs and provenance: `cpu float32, 8 threads`.
    fn describe(&self) -> String;
}
