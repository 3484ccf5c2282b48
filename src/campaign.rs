//! [`config::Campaign`](crate::config::Campaign) -> results: the whole way of the data.

mod prepare;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Campaign;
use crate::crystal::Element;
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
pub fn engine_for(model: &Model, elements: &[Element]) -> Box<dyn Engine> {
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

/// Why a surface was not completed.
enum Unfinished {
    /// The file cannot take any more: the campaign ends.
    Store(StoreError),
    /// Something about this surface: the others go on.
    Surface(String),
}

impl From<StoreError> for Unfinished {
    fn from(error: StoreError) -> Self {
        Unfinished::Store(error)
    }
}

impl Unfinished {
    fn surface(error: impl std::fmt::Display) -> Unfinished {
        Unfinished::Surface(error.to_string())
    }
}

/// An engine and what it was made for.
struct PreparedEngine {
    model: Arc<Model>,
    elements: Vec<Element>,
    engine: Box<dyn Engine>,
}

struct Runner<'a, 'r> {
    work: &'a Work,
    file: ResultFile,
    options: Options<'r>,
    started: Instant,
    tiles: usize,
    outcome: Outcome,
    /// The last one, since neighbouring surfaces often need the same.
    engine: Option<PreparedEngine>,
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
        let run = options.run.clone();
        let file = ResultFile::open(&campaign.output, &campaign.text, work, run, options.restart)?;
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
        match self.complete(id, &open) {
            Ok(()) => {}
            Err(Unfinished::Store(error)) => return Err(error.into()),
            Err(Unfinished::Surface(why)) => {
                // Tiles that were stored before it failed stay.
                let states = self.file.progress(self.work, id)?.tile_states;
                let left: Vec<usize> = open.into_iter().filter(|t| states[*t] != TILE_DONE).collect();
                self.file.fail_tiles(self.work, id, &left)?;
                self.outcome.skipped.push(Skipped { what: self.work.path(id), why });
            }
        }
        self.file.close_surface(id);
        Ok(())
    }

    fn complete(&mut self, id: SurfaceId, open: &[usize]) -> Result<(), Unfinished> {
        let surface = self.work.surface(id);
        let landscape = self.work.landscape(id);
        let potential = &surface.model.potential;
        let scene =
            Arc::new(Scene::new(landscape.landscape.clone(), potential).map_err(Unfinished::surface)?);
        self.reference(id)?;
        for tile in open {
            let began = Instant::now();
            let engine = self.engine(&surface.model, landscape.elements());
            let results =
                engine.evaluate(&scene, &surface.tiles[*tile].points).map_err(Unfinished::surface)?;
            self.file.write_tile(self.work, id, *tile, (&results, began.elapsed().as_secs_f64()))?;
            self.report(id, &results);
        }
        Ok(())
    }

    /// Computes and stores the energy of the input structure.
    fn reference(&mut self, id: SurfaceId) -> Result<(), Unfinished> {
        let work = self.work.landscape(id);
        let model = &self.work.surface(id).model;
        let (crystal, thresholds) = (work.landscape.crystal.clone(), work.landscape.thresholds.clone());
        let single = Arc::new(Landscape::single_point(crystal, thresholds));
        let scene = Arc::new(Scene::new(single, &model.potential).map_err(Unfinished::surface)?);
        let engine = self.engine(model, work.elements());
        for result in engine.evaluate(&scene, &[Point(0)]).map_err(Unfinished::surface)? {
            self.file.write_reference(self.work, id, result.energy)?;
        }
        Ok(())
    }

    /// An engine for a model and some elements: the last one if it fits.
    fn engine(&mut self, model: &Arc<Model>, elements: Vec<Element>) -> &mut dyn Engine {
        let fits = |e: &PreparedEngine| Arc::ptr_eq(&e.model, model) && e.elements == elements;
        let prepared = match self.engine.take().filter(fits) {
            Some(prepared) => prepared,
            None => {
                let engine = engine_for(model, &elements);
                log::debug!("model {}: {} on {}", model.name, model.potential.source, engine.describe());
                PreparedEngine { model: model.clone(), elements, engine }
            }
        };
        self.engine.insert(prepared).engine.as_mut()
    }

    fn report(&mut self, id: SurfaceId, results: &[PointResult]) {
        self.outcome.tiles_done += 1;
        self.outcome.points += results.len();
        self.outcome.points_without_energy += results.iter().filter(|r| r.status != Status::Done).count();
        (self.options.report)(&Report {
            surface: &self.work.path(id),
            tiles_done: self.outcome.tiles_done,
            tiles: self.tiles,
            points: self.outcome.points,
            elapsed: self.started.elapsed(),
        });
    }

    fn finish(mut self) -> Result<Outcome, CampaignError> {
        self.outcome.elapsed = self.started.elapsed();
        self.file.finish(self.outcome.elapsed.as_secs_f64())?;
        Ok(self.outcome)
    }
}
