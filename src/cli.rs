//! Arguments -> one subcommand -> one exit code.

mod doctor;
mod eval;
mod inspect;
mod map;
mod model;
mod plan;
mod plot;
mod progress;
mod run;
mod status;
mod table;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use s2dpes::cluster::Launch;
use s2dpes::config::parse_precision;
use s2dpes::work::Precision;

/// Maps symmetry-restricted potential energy surfaces of crystals.
///
/// A crystal keeps its space group while a few Wyckoff coordinates vary over a grid; machine-learned interatomic
/// potentials give the energy of every point. Start with `s2dpes inspect STRUCTURE`.
#[derive(Parser)]
#[command(name = "s2dpes", version, long_version = version_text())]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

// The words of a command's help are those of its arguments: words here would hide them.
#[derive(Subcommand)]
enum Command {
    Inspect(inspect::Arguments),
    Eval(eval::Arguments),
    Map(map::Arguments),
    Plan(plan::Arguments),
    Run(run::Arguments),
    Status(status::Arguments),
    Plot(Box<plot::Arguments>),
    Model(model::Arguments),
    Doctor(doctor::Arguments),
    /// Print a completion script for a shell.
    ///
    /// Example: s2dpes completions bash > ~/.local/share/bash-completion/completions/s2dpes
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// How a command that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All done.
    Complete,
    /// Done, but some structures failed.
    Partial,
    /// Stopped in good order; the same command goes on.
    Stopped,
}

/// How a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The user gave something that cannot be used: exit code 2.
    Input(String),
    /// The program or the machine could not go on: exit code 1.
    Other(String),
    /// Ranks have lost one another: exit code 1.
    Ranks(String),
    /// Nobody reads the output any more, as after `| head`: no failure at all.
    ClosedPipe,
}

impl Failure {
    /// An error about the user's input.
    pub(crate) fn input(error: impl std::fmt::Display) -> Failure {
        Failure::Input(error.to_string())
    }

    /// Any other error.
    pub(crate) fn other(error: impl std::fmt::Display) -> Failure {
        Failure::Other(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::other(format!("the output cannot be written ({error})")),
        }
    }
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let rank = Launch::of_environment().rank;
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(_) if rank > 0 && std::env::args().nth(1).is_some_and(|word| word == "run" || word == "map") => {
            return LEFT_TO_RANK_0;
        }
        Err(error) => error.exit(),
    };
    start_log(rank);
    let ending = match &arguments.command {
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Eval(arguments) => eval::run(arguments),
        Command::Map(arguments) => map::run(arguments),
        Command::Plan(arguments) => plan::run(arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Status(arguments) => status::run(arguments),
        Command::Plot(arguments) => plot::run(arguments),
        Command::Model(arguments) => model::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "s2dpes", &mut script);
            std::io::stdout().write_all(&script).map(|()| Ending::Complete).map_err(Failure::from)
        }
    };
    let is_left_to_rank_0 = rank > 0 && matches!(arguments.command, Command::Run(_) | Command::Map(_));
    match ending {
        Err(Failure::Input(_)) if is_left_to_rank_0 => LEFT_TO_RANK_0,
        ending => exit_code(ending),
    }
}

/// All ranks of a run fail alike, and rank 0 says so; an error of another one might end it before it does.
const LEFT_TO_RANK_0: ExitCode = ExitCode::SUCCESS;
/// Exit code of what the user can mend.
const BAD_INPUT: u8 = 2;
/// Exit code of a run that the same command goes on with.
const STOPPED: u8 = 75;

fn exit_code(ending: Result<Ending, Failure>) -> ExitCode {
    let (code, message) = match ending {
        Ok(Ending::Complete) | Err(Failure::ClosedPipe) => return ExitCode::SUCCESS,
        Ok(Ending::Partial) => return ExitCode::from(3),
        Ok(Ending::Stopped) => return ExitCode::from(STOPPED),
        Err(Failure::Input(message)) => (BAD_INPUT, message),
        Err(Failure::Other(message) | Failure::Ranks(message)) => (1, message),
    };
    // If standard error is closed too, the exit code still tells.
    let _ = writeln!(std::io::stderr(), "error: {message}");
    ExitCode::from(code)
}

/// Talk goes to standard error; `S2DPES_LOG` sets its level. Other ranks than 0 say who they are.
fn start_log(rank: usize) {
    let level = if rank == 0 { "s2dpes=info,warn" } else { "warn" };
    let mut builder = env_logger::Builder::from_env(env_logger::Env::new().filter_or("S2DPES_LOG", level));
    if rank > 0 {
        builder.format(move |out, record| {
            writeln!(out, "[{} {} rank {rank}] {}", out.timestamp_seconds(), record.level(), record.args())
        });
    }
    builder.format_target(false).format_timestamp_secs().init();
}

/// A precision as users write it.
pub(crate) fn precision(text: &str) -> Result<Precision, String> {
    parse_precision(text).ok_or_else(|| "write f32 or f64".to_string())
}

/// Version and commit, as `--version` and result files say.
pub(crate) fn version_text() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("S2DPES_COMMIT"), ")")
}

/// Limits the number of threads, if asked to.
pub(crate) fn use_threads(threads: Option<usize>) -> Result<(), Failure> {
    let Some(threads) = threads else { return Ok(()) };
    if !(1..=4096).contains(&threads) {
        return Err(Failure::input(format!("--threads must be from 1 to 4096, not {threads}")));
    }
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(Failure::other)
}
