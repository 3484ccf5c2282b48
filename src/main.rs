//! The command line of s2dpes.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
