//! What has been done of a campaign: in the file, and counted for reports.

use std::time::Instant;

use super::{CampaignError, Options, Outcome, Report};
use crate::cluster::{Event, Job, Pace, Seat, tally};
use crate::config::Campaign;
use crate::engine::{PointResult, Status};
use crate::store::schema::TILE_DONE;
use crate::store::{ResultFile, StoreError};
use crate::work::{Skipped, SurfaceId, Work};

/// The file and what is counted.
pub(super) struct Ledger<'a, 'r> {
    work: &'a Work,
    file: ResultFile,
    options: Options<'r>,
    started: Instant,
    /// The surface of each job.
    surfaces: Vec<SurfaceId>,
    finished: Vec<SurfaceId>,
    failures: Vec<(SurfaceId, String)>,
    /// Of the last report.
    surface: String,
    pace: Pace,
    outcome: Outcome,
}

impl<'a, 'r> Ledger<'a, 'r> {
    /// Opens or makes the file.
    pub(super) fn open(
        campaign: &Campaign,
        work: &'a Work,
        mut options: Options<'r>,
        (seats, started): (&[Seat], Instant),
    ) -> Result<Self, CampaignError> {
        options.run.engine = describe(seats);
        options.run.ranks = seats.len() as u32;
        let run = options.run.clone();
        let file = ResultFile::open(&campaign.output, &campaign.text, work, run, options.restart);
        let file = file.map_err(CampaignError::Open)?;
        let tiles = work.surfaces().map(|id| work.surface(id).tiles.len()).sum();
        Ok(Ledger {
            work,
            file,
            options,
            started,
            surfaces: Vec::new(),
            finished: Vec::new(),
            failures: Vec::new(),
            surface: String::new(),
            pace: Pace { ranks: seats.len(), ..Pace::default() },
            outcome: Outcome { tiles, ..Outcome::default() },
        })
    }

    /// What is open.
    pub(super) fn jobs(&mut self) -> Result<Vec<Job<'a>>, StoreError> {
        let mut jobs = Vec::new();
        for id in self.work.surfaces() {
            let open = self.open_tiles(id)?;
            let surface = self.work.surface(id);
            self.outcome.tiles_resumed += surface.tiles.len() - open.len();
            if !open.is_empty() {
                self.surfaces.push(id);
                jobs.push(Job { surface, landscape: &self.work.landscape(id).landscape, open });
            }
        }
        self.outcome.tiles_done = self.outcome.tiles_resumed;
        Ok(jobs)
    }

    fn open_tiles(&self, id: SurfaceId) -> Result<Vec<usize>, StoreError> {
        let states = self.file.progress(self.work, id)?.tile_states;
        Ok((0..states.len()).filter(|t| states[*t] != TILE_DONE).collect())
    }

    /// Stores and counts what happened.
    pub(super) fn enter(&mut self, event: Event) -> Result<(), StoreError> {
        match event {
            Event::Tile { job, tile, results, seconds } => {
                let id = self.surfaces[job];
                self.file.write_tile(self.work, id, tile, (&results, seconds))?;
                self.count(id, &results);
            }
            Event::Reference { job, energy } => {
                self.file.write_reference(self.work, self.surfaces[job], energy)?;
            }
            Event::Failed { job, why } => {
                let id = self.surfaces[job];
                // Tiles that were stored before it failed stay.
                self.file.fail_tiles(self.work, id, &self.open_tiles(id)?)?;
                log::error!("{}: {why}", self.work.path(id));
                self.failures.push((id, why));
            }
            Event::Finished(job) => {
                self.finished.push(self.surfaces[job]);
                self.file.close_surface(self.surfaces[job]);
            }
            Event::Stopping(signal) => {
                log::info!("{signal}: waiting for what is being computed");
                self.outcome.stopped = Some(signal);
            }
            Event::Tick(pace) => {
                self.pace = pace;
                self.report();
            }
        }
        Ok(())
    }

    fn count(&mut self, id: SurfaceId, results: &[PointResult]) {
        self.outcome.tiles_done += 1;
        self.outcome.points += results.len();
        self.outcome.points_without_energy += results.iter().filter(|r| r.status != Status::Done).count();
        self.surface = self.work.path(id);
        self.report();
    }

    fn report(&mut self) {
        let Ledger { surface, outcome, pace, .. } = self;
        (self.options.report)(&Report { surface, outcome, pace: *pace, elapsed: self.started.elapsed() });
    }

    /// Records how the run ended.
    pub(super) fn close(mut self) -> Result<Outcome, CampaignError> {
        self.failures.sort_by_key(|(id, _)| *id);
        for (id, why) in &self.failures {
            self.file.set_failure(self.work, *id, Some(why))?;
        }
        for id in self.finished.iter().filter(|id| self.failures.iter().all(|(failed, _)| failed != *id)) {
            self.file.set_failure(self.work, *id, None)?;
        }
        let path = |(id, why): &(SurfaceId, String)| Skipped { what: self.work.path(*id), why: why.clone() };
        self.outcome.skipped =
            self.work.skipped.iter().cloned().chain(self.failures.iter().map(path)).collect();
        self.outcome.elapsed = self.started.elapsed();
        if self.outcome.tiles_done == self.outcome.tiles {
            self.outcome.stopped = None;
        }
        self.file.finish(self.outcome.elapsed.as_secs_f64())?;
        Ok(self.outcome)
    }
}

/// `cpu, 2 threads a rank on 4 nodes` or `cuda, 4 x NVIDIA H200 on 2 nodes`.
fn describe(seats: &[Seat]) -> String {
    let mut threads: Vec<u32> = seats.iter().map(|s| s.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    let nodes = seats.iter().filter(|s| s.local_rank == 0).count();
    let threads = match threads[..] {
        [one] => one.to_string(),
        [least, .., most] => format!("{least} to {most}"),
        [] => "no".into(),
    };
    let count = |number: String, noun: &str| match number.as_str() {
        "1" => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    };
    let (threads, nodes) = (count(threads, "thread"), count(nodes.to_string(), "node"));
    match (tally(seats), seats.len()) {
        (Some(gpus), 1) => format!("cuda, {gpus}"),
        (Some(gpus), _) => format!("cuda, {gpus} on {nodes}"),
        (None, 1) => format!("cpu, {threads}"),
        (None, _) => format!("cpu, {threads} a rank on {nodes}"),
    }
}
