//! `s2dpes status`: how far a campaign is.

use std::io::Write;
use std::path::PathBuf;

use s2dpes::store::schema::{TILE_DONE, TILE_FAILED};
use s2dpes::store::{Results, RunRecord, SurfaceState};
use serde_json::{Value, json};

use super::table::{duration, table};
use super::{Ending, Failure};

/// Show how far a campaign is, also while it runs.
///
/// Example: s2dpes status w2n3.h5
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Result file.
    results: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let results = Results::open(&arguments.results).map_err(Failure::input)?;
    let states = results.states().map_err(Failure::input)?;
    let skipped = results.skipped().map_err(Failure::input)?;
    let runs = results.runs().map_err(Failure::input)?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{:#}", as_json(&states, &skipped, &runs))?;
        return Ok(Ending::Complete);
    }
    let count = |state: Option<u8>| states.iter().map(|s| tiles(s, state)).sum::<usize>();
    let (all, done, failed) = (count(None), count(Some(TILE_DONE)), count(Some(TILE_FAILED)));
    let seconds: f64 = states.iter().map(|s| s.seconds).sum();
    writeln!(out, "{done} of {all} tiles done, {} open, {failed} failed\n", all - done - failed)?;
    write!(out, "{}", table(&surface_rows(&states)))?;
    writeln!(out, "\n{} of computing, summed over ranks\n", duration(seconds))?;
    write!(out, "{}", table(&run_rows(&runs)))?;
    let failures: Vec<String> = states.iter().filter(|s| is_failed(s)).map(failure).collect();
    if !(failures.is_empty() && skipped.is_empty()) {
        writeln!(out)?;
    }
    for line in failures.iter().chain(&skipped) {
        writeln!(out, "left out: {line}")?;
    }
    Ok(Ending::Complete)
}

/// Tiles in a state, or all.
fn tiles(surface: &SurfaceState, state: Option<u8>) -> usize {
    surface.tile_states.iter().filter(|s| state.is_none_or(|wanted| **s == wanted)).count()
}

fn is_failed(surface: &SurfaceState) -> bool {
    tiles(surface, Some(TILE_FAILED)) > 0
}

/// The reason is known when the run that failed has ended.
fn failure(surface: &SurfaceState) -> String {
    let reason = surface.failure.as_deref().unwrap_or("the log of the run says why");
    format!("{}: {reason}", surface.path)
}

fn surface_rows(states: &[SurfaceState]) -> Vec<Vec<String>> {
    let mut rows = vec![["surface", "done", "state", "seconds"].map(String::from).to_vec()];
    for state in states {
        let [all, done, failed] = [None, Some(TILE_DONE), Some(TILE_FAILED)].map(|which| tiles(state, which));
        let word = match (failed, done) {
            (0, done) if done == all => "complete".to_string(),
            (0, 0) => "not begun".to_string(),
            (0, _) => format!("{} open", all - done),
            (failed, _) => format!("{failed} failed"),
        };
        rows.push(vec![
            state.path.clone(),
            format!("{done} of {all} tiles"),
            word,
            format!("{:.1}", state.seconds),
        ]);
    }
    rows
}

fn run_rows(runs: &[RunRecord]) -> Vec<Vec<String>> {
    let heading = ["started", "host", "job", "ranks", "engine", "took"];
    let mut rows = vec![heading.map(String::from).to_vec()];
    for run in runs {
        let took = match run.seconds {
            0.0 => "runs, or was killed".to_string(),
            seconds => duration(seconds),
        };
        let job = if run.job.is_empty() { "-" } else { &run.job };
        let ranks = run.ranks.to_string();
        rows.push(vec![run.started.clone(), run.host.clone(), job.into(), ranks, run.engine.clone(), took]);
    }
    rows
}

fn as_json(states: &[SurfaceState], skipped: &[String], runs: &[RunRecord]) -> Value {
    let surface = |s: &SurfaceState| {
        let (all, done, failed) = (tiles(s, None), tiles(s, Some(TILE_DONE)), tiles(s, Some(TILE_FAILED)));
        let why = is_failed(s).then(|| failure(s));
        let open = all - done - failed;
        json!({ "path": s.path, "done": done, "open": open, "failed": failed, "seconds": s.seconds, "failure": why })
    };
    let run = |r: &RunRecord| {
        json!({
            "started": r.started, "host": r.host, "job": r.job, "ranks": r.ranks,
            "engine": r.engine, "version": r.version, "seconds": r.seconds,
        })
    };
    json!({
        "surfaces": states.iter().map(surface).collect::<Vec<_>>(),
        "runs": runs.iter().map(run).collect::<Vec<_>>(),
        "skipped": skipped,
    })
}
