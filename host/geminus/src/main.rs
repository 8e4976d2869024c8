//! The `geminus` command: one binary for the host, the author's bench, the feeder and the measurements.
//!
//! Nothing happens here but reading the command line, setting up the log and handing over to one module per
//! command. The running host itself is assembled in `runtime`.

mod ahead;
#[cfg(feature = "bench")]
mod bench;
mod change;
mod command;
mod log;
mod replay;
mod runtime;
mod said;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = command::Arguments::parse();
    let started = log::start(arguments.log.as_deref().or(arguments.command.log()));
    match started.and_then(|()| command::run(arguments.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("geminus: {error:#}");
            ExitCode::FAILURE
        }
    }
}
