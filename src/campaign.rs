//! [`config::Campaign`](crate::config::Campaign) -> results: the whole way of the data.

mod ledger;
mod prepare;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cluster::{ClusterError, Coordinator, Crew, Pace, Stop, Transport};
use crate::config::Campaign;
use crate::engine::{EngineError, Place, PointResult, Scene, SceneError};
use crate::landscape::{Landscape, Point, Thresholds};
use crate::potential::ModelError;
use crate::store::{RunRecord, StoreError};
use crate::symmetry::Crystal;
use crate::work::{Model, Skipped};
use ledger::Ledger;

pub use prepare::{PrepareError, prepare};

/// Why a campaign stopped.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// Nothing can be computed.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The result file cannot be opened or made.
    #[error(transparent)]
    Open(StoreError),
    /// The result file cannot be filled any further.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ranks cannot go on.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// What a campaign did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// All tiles.
    pub tiles: usize,
    /// Tiles computed now and found in the file.
    pub tiles_done: usize,
    /// Tiles found in the file.
    pub tiles_resumed: usize,
    /// Points evaluated now.
    pub points: usize,
    /// Points of them without a finite energy.
    pub points_without_energy: usize,
    /// What was left out, with the reason.
    pub skipped: Vec<Skipped>,
    /// What asked the run to stop before everything was done.
    pub stopped: Option<String>,
    /// Time from start to end.
    pub elapsed: Duration,
}

/// What a campaign is doing.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The last surface that a tile came of: `W2N3/W1.x-W1.z/demo`.
    pub surface: &'a str,
    /// What has been done so far.
    pub outcome: &'a Outcome,
    /// How the ranks get on.
    pub pace: Pace,
    /// Since the start.
    pub elapsed: Duration,
}

/// How to run a campaign.
pub struct Options<'r> {
    /// Throw away what an earlier file holds.
    pub restart: bool,
    /// The wish to end early.
    pub stop: Stop,
    /// What to record of this run; ranks and engine are filled in.
    pub run: RunRecord,
    /// Called when a tile is stored, and about once a second.
    pub report: &'r mut dyn FnMut(&Report),
}

/// Runs a campaign as rank 0: structures -> crystals -> landscapes -> tiles -> ranks -> file. Tiles that the file
/// already holds are not computed again. All other ranks [serve](crate::cluster::serve).
pub fn run(
    campaign: &Campaign,
    crew: Crew<impl Transport>,
    options: Options,
) -> Result<Outcome, CampaignError> {
    let started = Instant::now();
    let stop = options.stop.clone();
    let work = prepare(campaign, &stop)?;
    let mut ledger = Ledger::open(campaign, &work, options, (&crew.seats, started))?;
    let threads: Vec<usize> = crew.seats.iter().map(|s| s.threads as usize).collect();
    let mut coordinator = Coordinator::new(crew, &threads, ledger.jobs()?, stop);
    while let Some(event) = coordinator.next_event()? {
        ledger.enter(event)?;
    }
    ledger.close()
}

/// Evaluates a crystal as it is; also returns the scene, which knows what was evaluated.
pub fn evaluate_crystal(
    crystal: Arc<Crystal>,
    thresholds: Thresholds,
    model: &Model,
    place: &Place,
) -> Result<(PointResult, Arc<Scene>), EvaluationError> {
    let scene =
        Arc::new(Scene::new(Arc::new(Landscape::single_point(crystal, thresholds)), &model.potential)?);
    let elements: Vec<_> = scene.sites.iter().map(|s| s.element).collect();
    let mut results = model.engine(&elements, place)?.evaluate(&scene, &[Point(0)])?;
    let result = results.pop().ok_or(EvaluationError::Nothing)?;
    Ok((result, scene))
}

/// Why a structure has no energy.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The structure does not suit the model.
    #[error(transparent)]
    Scene(#[from] SceneError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A model file.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The engine gave no result.
    #[error("the engine gave no result")]
    Nothing,
}
