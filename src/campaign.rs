//! [`config::Campaign`](crate::config::Campaign) -> results: the whole way of the data.

mod prepare;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Campaign;
use crate::engine::cpu::mace::MaceEngine;
use crate::engine::{Engine, EngineError, PointResult, Scene, SceneError, Status};
use crate::landscape::{Landscape, Point, Thresholds};
use crate::potential::{Family, ModelError};
use crate::store::schema::TILE_DONE;
use crate::store::{ResultFile, RunRecord, StoreError};
use crate::symmetry::Crystal;
use crate::work::{Model, Precision, Skipped, SurfaceId, Work};

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
}

/// What a campaign did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
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
    /// Time from start to end.
    pub elapsed: Duration,
}

/// What a campaign is doing.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// `W2N3/W1.x-W1.z/demo`.
    pub surface: &'a str,
    /// Tiles stored, of all.
    pub tiles_done: usize,
    /// All tiles of the campaign.
    pub tiles: usize,
    /// Points evaluated by this run.
    pub points: usize,
    /// Since the start.
    pub elapsed: Duration,
}

/// How to run a campaign.
pub struct Options<'r> {
    /// Throw away what an earlier file holds.
    pub restart: bool,
    /// What to record of this run; the engine is filled in.
    pub run: RunRecord,
    /// Called after every tile.
    pub report: &'r mut dyn FnMut(&Report),
}

/// Runs a campaign: structures -> crystals -> landscapes -> tiles -> engine -> file. Tiles that the file already holds
/// are not computed again.
pub fn run(campaign: &Campaign, options: Options) -> Result<Outcome, CampaignError> {
    let started = Instant::now();
    let work = prepare(campaign)?;
    let mut runner = Runner::open(campaign, &work, options, started).map_err(CampaignError::Open)?;
    for id in work.surfaces() {
        runner.surface(id)?;
    }
    runner.finish()
}

/// An engine for a model and the elements of a scene.
pub fn engine_for(model: &Model, elements: &[crate::crystal::Element]) -> Box<dyn Engine> {
    let Family::Mace(mace) = &model.potential.family;
    match model.precision {
        Precision::Single => Box::new(MaceEngine::<f32>::new(mace, elements, model.head)),
        Precision::Double => Box::new(MaceEngine::<f64>::new(mace, elements, model.head)),
    }
}

/// Evaluates a crystal as it is; also returns the scene, which knows what was evaluated.
pub fn evaluate_crystal(
    crystal: Arc<Crystal>,
    thresholds: Thresholds,
    model: &Model,
) -> Result<(PointResult, Arc<Scene>), EvaluationError> {
    let scene =
        Arc::new(Scene::new(Arc::new(Landscape::single_point(crystal, thresholds)), &model.potential)?);
    let elements: Vec<_> = scene.sites.iter().map(|s| s.element).collect();
    let mut results = engine_for(model, &elements).evaluate(&scene, &[Point(0)])?;
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

struct Runner<'a, 'r> {
    work: &'a Work,
    file: ResultFile,
    options: Options<'r>,
    started: Instant,
    tiles: usize,
    outcome: Outcome,
    /// The last engine, with the model and elements it was made for.
    engine: Option<(Arc<Model>, Vec<crate::crystal::Element>, Box<dyn Engine>)>,
}

impl<'a, 'r> Runner<'a, 'r> {
    fn open(
        campaign: &Campaign,
        work: &'a Work,
        mut options: Options<'r>,
        started: Instant,
    ) -> Result<Self, StoreError> {
        options.run.engine = format!("cpu, {} threads", rayon::current_num_threads());
        options.run.ranks = 1;
        let file = open_file(&campaign.output, campaign, work, &options)?;
        let tiles = work.surfaces().map(|id| work.surface(id).tiles.len()).sum();
        let outcome = Outcome { skipped: work.skipped.clone(), ..Outcome::default() };
        Ok(Runner { work, file, options, started, tiles, outcome, engine: None })
    }

    /// Computes the open tiles of a surface.
    fn surface(&mut self, id: SurfaceId) -> Result<(), CampaignError> {
        let states = self.file.progress(self.work, id)?.tile_states;
        let open: Vec<usize> = (0..states.len()).filter(|t| states[*t] != TILE_DONE).collect();
        self.outcome.tiles_done += states.len() - open.len();
        self.outcome.tiles_resumed += states.len() - open.len();
        if open.is_empty() {
            return Ok(());
        }
        let failed = match self.evaluate(id, &open)? {
            Ok(()) => None,
            Err(reason) => Some(reason),
        };
        if let Some(reason) = failed {
            self.file.fail_tiles(self.work, id, &open)?;
            self.outcome.skipped.push(Skipped { what: self.work.path(id), why: reason });
        }
        self.file.close_surface(id);
        Ok(())
    }

    /// The outer error ends the campaign, the inner one only this surface.
    fn evaluate(&mut self, id: SurfaceId, open: &[usize]) -> Result<Result<(), String>, StoreError> {
        let surface = self.work.surface(id);
        let landscape = self.work.landscape(id);
        let scene = match Scene::new(landscape.landscape.clone(), &surface.model.potential) {
            Ok(scene) => Arc::new(scene),
            Err(error) => return Ok(Err(error.to_string())),
        };
        self.use_engine(&surface.model, landscape.elements());
        if let Err(reason) = self.reference(id)? {
            return Ok(Err(reason));
        }
        let path = self.work.path(id);
        for tile in open {
            let Some((_, _, engine)) = &mut self.engine else { break };
            let began = Instant::now();
            let results = match engine.evaluate(&scene, &surface.tiles[*tile].points) {
                Ok(results) => results,
                Err(error) => return Ok(Err(error.to_string())),
            };
            self.file.write_tile(self.work, id, *tile, (&results, began.elapsed().as_secs_f64()))?;
            self.outcome.tiles_done += 1;
            self.outcome.points += results.len();
            self.outcome.points_without_energy += results.iter().filter(|r| r.status != Status::Done).count();
            (self.options.report)(&Report {
                surface: &path,
                tiles_done: self.outcome.tiles_done,
                tiles: self.tiles,
                points: self.outcome.points,
                elapsed: self.started.elapsed(),
            });
        }
        Ok(Ok(()))
    }

    /// Computes and stores the energy of the input structure.
    fn reference(&mut self, id: SurfaceId) -> Result<Result<(), String>, StoreError> {
        let landscape = &self.work.landscape(id).landscape;
        let single = Landscape::single_point(landscape.crystal.clone(), landscape.thresholds.clone());
        let scene = match Scene::new(Arc::new(single), &self.work.surface(id).model.potential) {
            Ok(scene) => Arc::new(scene),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let Some((_, _, engine)) = &mut self.engine else { return Ok(Ok(())) };
        match engine.evaluate(&scene, &[Point(0)]) {
            Ok(results) => {
                for result in results {
                    self.file.write_reference(self.work, id, result.energy)?;
                }
                Ok(Ok(()))
            }
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    fn use_engine(&mut self, model: &Arc<Model>, elements: Vec<crate::crystal::Element>) {
        let fits = |(m, e, _): &(Arc<Model>, Vec<crate::crystal::Element>, Box<dyn Engine>)| {
            Arc::ptr_eq(m, model) && *e == elements
        };
        if !self.engine.as_ref().is_some_and(fits) {
            let engine = engine_for(model, &elements);
            log::debug!("model {}: {} on {}", model.name, model.potential.source, engine.describe());
            self.engine = Some((model.clone(), elements, engine));
        }
    }

    fn finish(mut self) -> Result<Outcome, CampaignError> {
        self.outcome.elapsed = self.started.elapsed();
        self.file.finish(self.outcome.elapsed.as_secs_f64())?;
        Ok(self.outcome)
    }
}

fn open_file(
    output: &Path,
    campaign: &Campaign,
    work: &Work,
    options: &Options,
) -> Result<ResultFile, StoreError> {
    ResultFile::open(output, &campaign.text, work, options.run.clone(), options.restart)
}
