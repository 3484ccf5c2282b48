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
    let launch = Launch::of_environment();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(_) if launch.leaves_words_to_rank_0() && std::env::args().nth(1).is_some_and(is_of_all_ranks) => {
            return LEFT_TO_RANK_0;
        }
        Err(error) => error.exit(),
    };
    start_log(launch.rank);
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
    exit_code(ending)
}

/// Whether a command is one that ranks work on together.
fn is_of_all_ranks(command: String) -> bool {
    command == "run" || command == "map"
}

/// All ranks refuse a command line alike, and rank 0 says so; an error of another one might end it before it does.
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

/// Talk goes to standard error; `S2DPES_LOG` sets its level. Other ranks than 0 say who they are. Libraries are heard when
/// they fail: what they warn of is said by this program, with the structure's name, or is of no concern to its users.
fn start_log(rank: usize) {
    let default = if rank == 0 { "s2dpes=info,error" } else { "s2dpes=warn,error" };
    let wanted = std::env::var(LOG).ok().filter(|text| !text.trim().is_empty());
    let usable = wanted.as_deref().filter(|text| is_filter(text));
    let mut builder = env_logger::Builder::new();
    // What names no level for everything still lets errors through.
    builder.filter_level(log::LevelFilter::Error).parse_filters(usable.unwrap_or(default));
    if rank > 0 {
        builder.format(move |out, record| {
            writeln!(out, "[{} {} rank {rank}] {}", out.timestamp_seconds(), record.level(), record.args())
        });
    }
    builder.format_target(false).format_timestamp_secs().init();
    if let (Some(text), None, 0) = (&wanted, usable, rank) {
        log::warn!(
            "{LOG}=\"{text}\" is not a level, and is ignored; write off, error, warn, info, debug or trace"
        );
    }
}

/// Sets what is said.
const LOG: &str = "S2DPES_LOG";

/// Whether a text is `warn`, `s2dpes::store=debug` or several of those with commas: other words would be taken for the
/// name of a library, and all others would fall silent.
fn is_filter(text: &str) -> bool {
    let is_level = |word: &str| word.trim().parse::<log::LevelFilter>().is_ok();
    text.split(',').all(|part| part.split_once('=').map_or(is_level(part), |(_, level)| is_level(level)))
}

/// A precision as users write it.
pub(crate) fn precision(text: &str) -> Result<Precision, String> {
    parse_precision(text).ok_or_else(|| "write float32 or float64".to_string())
}

/// Version and commit, as `--version` and result files say.
pub(crate) fn version_text() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("S2DPES_COMMIT"), ")")
}

/// A number of threads as users write it.
pub(crate) fn threads(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|threads| (1..=4096).contains(threads));
    number.ok_or_else(|| "write a number from 1 to 4096".to_string())
}

/// Limits the number of threads, if asked to.
pub(crate) fn use_threads(threads: Option<usize>) -> Result<(), Failure> {
    let Some(threads) = threads else { return Ok(()) };
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(Failure::other)
}
