//! `s2dpes run`: computes a campaign, or goes on with it.

use std::path::PathBuf;

use s2dpes::campaign::{self, CampaignError, Options, Outcome, PrepareError};
#[cfg(not(feature = "mpi"))]
use s2dpes::cluster::LaunchError;
use s2dpes::cluster::{Channels, ClusterError, Crew, Launch, Stop, Transport, Wish};
#[cfg(feature = "mpi")]
use s2dpes::cluster::{Mpi, serve};
use s2dpes::config::Campaign;
use s2dpes::engine::EngineChoice;
use s2dpes::store::{RunRecord, StoreError, check_name};
use s2dpes::work::Precision;

use super::progress::Progress;
use super::table::{bytes, duration};
use super::{Ending, Failure, precision, threads, use_threads, version_text};

/// Compute a campaign, or go on with it.
///
/// The same command goes on where an earlier one was stopped, however that happened. SIGTERM, SIGUSR1 and Ctrl-C stop it
/// in good order: exit code 75. Under srun or mpirun all ranks work on the campaign.
///
/// Example: s2dpes run configs/w2n3.toml
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The campaign file.
    campaign: PathBuf,
    /// Result file, instead of the one that the campaign file names.
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Start over, throwing away what the result file holds.
    #[arg(long)]
    restart: bool,
    /// Number of threads of each rank. By default SLURM_CPUS_PER_TASK, or a fair share of the machine's CPUs.
    #[arg(long, value_parser = threads)]
    threads: Option<usize>,
    /// Arithmetic of all models, instead of what the campaign file says: float32 or float64.
    #[arg(long, value_parser = precision)]
    dtype: Option<Precision>,
    /// What to compute on: cuda (GPUs), cpu, or auto (GPUs if every rank can use one).
    #[arg(long, default_value = "auto")]
    engine: EngineChoice,
}

/// How to compute a campaign.
pub(super) struct Job<L> {
    /// Finds the campaign; asked for where it is computed only.
    pub(super) load: L,
    /// Throw away what the result file holds.
    pub(super) restart: bool,
    /// Threads of a rank.
    pub(super) threads: Option<usize>,
    /// What to compute on.
    pub(super) engine: EngineChoice,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let Arguments { restart, threads, engine, .. } = *arguments;
    Job { load: || load(arguments), restart, threads, engine }.run()
}

impl<L: Fn() -> Result<Campaign, Failure>> Job<L> {
    fn wish(&self) -> Wish {
        Wish { threads: self.threads.unwrap_or(0), engine: self.engine }
    }

    /// Computes the campaign, alone or as one of several ranks.
    pub(super) fn run(&self) -> Result<Ending, Failure> {
        let stop = Stop::listen().map_err(Failure::other)?;
        use_threads(self.threads)?;
        let launch = Launch::of_environment();
        match launch.needs_mpi().map_err(Failure::input)? {
            false => self.compute(Channels::alone(), stop),
            true => self.as_rank(&launch, &stop),
        }
    }

    #[cfg(feature = "mpi")]
    fn as_rank(&self, launch: &Launch, stop: &Stop) -> Result<Ending, Failure> {
        use std::io::Write;

        let mut mpi = Mpi::start().map_err(Failure::other)?;
        match launch.check_size(mpi.size()) {
            // Nothing is done, and rank 0 fails: one sentence for all.
            Err(_) if launch.leaves_words_to_rank_0() => return Ok(Ending::Complete),
            fits => fits.map_err(Failure::input)?,
        }
        let ended = match mpi.rank() {
            0 => self.compute(&mut mpi, stop.clone()),
            _ => serve(&mut mpi, self.wish(), stop)
                .map(|()| Ending::Complete)
                .map_err(|e| Failure::Ranks(e.to_string())),
        };
        if let Err(Failure::Ranks(message)) = &ended {
            // Ranks that have lost one another cannot end together. Standard error may be closed.
            let _ = writeln!(std::io::stderr(), "error: {message}");
            mpi.abort();
        }
        if stop.asked() == Some("SIGTERM") {
            end_soon();
        }
        ended
    }

    #[cfg(not(feature = "mpi"))]
    fn as_rank(&self, launch: &Launch, _: &Stop) -> Result<Ending, Failure> {
        Err(Failure::input(LaunchError::NoMpi(launch.size)))
    }

    /// Computes as the only rank or as rank 0.
    fn compute(&self, transport: impl Transport, stop: Stop) -> Result<Ending, Failure> {
        // First, since only a crew can tell the other ranks that there is nothing to do.
        let crew = Crew::muster(transport, self.wish()).map_err(|error| match error {
            ClusterError::NoGpu(_) => Failure::input(error),
            error => Failure::Ranks(error.to_string()),
        })?;
        let campaign = (self.load)()?;
        let mut progress = Progress::new();
        let options = Options {
            restart: self.restart,
            stop,
            run: record(),
            report: &mut |report| progress.show(report),
        };
        let outcome = campaign::run(&campaign, crew, options);
        progress.end();
        match outcome {
            Err(CampaignError::Prepare(stopped @ PrepareError::Stopped(_))) => {
                log::warn!("{stopped}");
                Ok(Ending::Stopped)
            }
            Err(CampaignError::Store(error) | CampaignError::Open(error @ StoreError::Machine { .. })) => {
                Err(Failure::other(error))
            }
            Err(CampaignError::Cluster(error)) => Err(Failure::Ranks(error.to_string())),
            Err(error) => Err(Failure::input(error)),
            Ok(outcome) => Ok(summarise(&campaign, &outcome)),
        }
    }
}

/// Ends this process if it is still there after five seconds: a batch system may have sent SIGTERM to the launcher, too,
/// and the end of MPI waits for that.
#[cfg(feature = "mpi")]
fn end_soon() {
    std::thread::spawn(|| {
        std::thread::sleep(std::time::Duration::from_secs(5));
        signal_hook::low_level::exit(super::STOPPED.into());
    });
}

fn load(arguments: &Arguments) -> Result<Campaign, Failure> {
    let mut campaign = Campaign::load(&arguments.campaign).map_err(Failure::input)?;
    if let Some(output) = &arguments.output {
        check_name(output).map_err(Failure::input)?;
        campaign.output = output.clone();
    }
    if let Some(precision) = arguments.dtype {
        campaign.models.iter_mut().for_each(|m| m.precision = precision);
    }
    Ok(campaign)
}

/// Says how the run ended.
fn summarise(campaign: &Campaign, outcome: &Outcome) -> Ending {
    for skipped in &outcome.skipped {
        log::error!("left out: {skipped}");
    }
    if outcome.tiles_resumed > 0 {
        log::info!("{} of {} tiles were in the file already", outcome.tiles_resumed, outcome.tiles_done);
    }
    if outcome.points_without_energy > 0 {
        log::warn!("{} points have no finite energy; their status says why", outcome.points_without_energy);
    }
    let seconds = outcome.elapsed.as_secs_f64();
    let memory = peak_memory().map(|size| format!(", {} of memory at most", bytes(size)));
    let output = campaign.output.display();
    log::info!(
        "{} points in {}{} -> {output}",
        outcome.points,
        duration(seconds),
        memory.unwrap_or_default(),
    );
    if let Some(signal) = &outcome.stopped {
        let (stored, all) = (outcome.tiles_done, outcome.tiles);
        log::warn!("stopped by {signal}: {stored} of {all} tiles are in {output}; the same command goes on");
        return Ending::Stopped;
    }
    if outcome.skipped.is_empty() { Ending::Complete } else { Ending::Partial }
}

/// Bytes of the most memory that this process has held, where the system tells.
fn peak_memory() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? * 1024)
}

/// What is known of this run before it starts.
fn record() -> RunRecord {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    RunRecord {
        started: super::progress::utc_now(),
        host: hostname(),
        job: variable("SLURM_JOB_ID"),
        version: version_text().to_string(),
        ..RunRecord::default()
    }
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map(|h| h.trim().to_string()).unwrap_or_default()
}
