//! Arguments -> one subcommand -> one exit code.

mod eval;
mod inspect;
mod model;
mod plan;
mod plot;
mod progress;
mod run;
mod table;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

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
    Plan(plan::Arguments),
    Run(run::Arguments),
    Plot(plot::Arguments),
    Model(model::Arguments),
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
}

/// How a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The user gave something that cannot be used: exit code 2.
    Input(String),
    /// The program or the machine could not go on: exit code 1.
    Other(String),
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
    let arguments = Arguments::parse();
    start_log();
    let ending = match &arguments.command {
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Eval(arguments) => eval::run(arguments),
        Command::Plan(arguments) => plan::run(arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Plot(arguments) => plot::run(arguments),
        Command::Model(arguments) => model::run(arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "s2dpes", &mut script);
            std::io::stdout().write_all(&script).map(|()| Ending::Complete).map_err(Failure::from)
        }
    };
    exit_code(ending)
}

fn exit_code(ending: Result<Ending, Failure>) -> ExitCode {
    let (code, message) = match ending {
        Ok(Ending::Complete) | Err(Failure::ClosedPipe) => return ExitCode::SUCCESS,
        Ok(Ending::Partial) => return ExitCode::from(3),
        Err(Failure::Input(message)) => (2, message),
        Err(Failure::Other(message)) => (1, message),
    };
    // If standard error is closed too, the exit code still tells.
    let _ = writeln!(std::io::stderr(), "error: {message}");
    ExitCode::from(code)
}

/// Talk goes to standard error; `S2DPES_LOG` sets its level.
fn start_log() {
    let environment = env_logger::Env::new().filter_or("S2DPES_LOG", "s2dpes=info,warn");
    env_logger::Builder::from_env(environment).format_target(false).format_timestamp_secs().init();
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
