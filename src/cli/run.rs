//! `s2dpes run`: computes a campaign, or goes on with it.

use std::path::PathBuf;

use s2dpes::campaign::{self, CampaignError, Options, Outcome};
use s2dpes::config::Campaign;
use s2dpes::store::{RunRecord, StoreError};

use super::progress::Progress;
use super::table::{bytes, duration};
use super::{Ending, Failure, use_threads, version_text};

/// Compute a campaign, or go on with it.
///
/// The same command goes on where an earlier one was stopped, however that happened.
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
    /// Number of threads; all by default.
    #[arg(long)]
    threads: Option<usize>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    use_threads(arguments.threads)?;
    let mut campaign = Campaign::load(&arguments.campaign).map_err(Failure::input)?;
    if let Some(output) = &arguments.output {
        campaign.output = output.clone();
    }
    let mut progress = Progress::new();
    let options =
        Options { restart: arguments.restart, run: record(), report: &mut |report| progress.show(report) };
    let outcome = campaign::run(&campaign, options).map_err(|error| match error {
        CampaignError::Store(_) | CampaignError::Open(StoreError::Machine { .. }) => Failure::other(error),
        CampaignError::Prepare(_) | CampaignError::Open(_) => Failure::input(error),
    });
    progress.end();
    let outcome = outcome?;
    summarise(&campaign, &outcome);
    Ok(if outcome.skipped.is_empty() { Ending::Complete } else { Ending::Partial })
}

fn summarise(campaign: &Campaign, outcome: &Outcome) {
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
    log::info!(
        "{} points in {}{} -> {}",
        outcome.points,
        duration(seconds),
        memory.unwrap_or_default(),
        campaign.output.display()
    );
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
