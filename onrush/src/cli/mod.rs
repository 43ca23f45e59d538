//! The command line: each command is a file, and ends in an exit status that a script can use.

mod arguments;
mod check;
mod config_file;
mod consume;
mod exit;
mod group;
mod kafka;
mod output;
mod place;
mod produce;
mod progress;
mod repair;
mod serve;
mod table;
mod topic;
mod transaction;

use std::future::Future;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use crate::cli::arguments::{Arguments, Command};
use crate::cli::exit::Failure;

/// Parses the command line and does what it says.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let command = arguments.command.unwrap_or(Command::Serve(arguments.serve));
    log_to_standard_error(matches!(command, Command::Serve(_)));
    let result = match command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Topic(command) => wait(topic::run(command)),
        Command::Produce(arguments) => wait(produce::run(arguments)),
        Command::Consume(arguments) => wait(consume::run(arguments)),
        Command::Group(command) => wait(group::run(command)),
        Command::Transaction(command) => wait(transaction::run(command)),
        Command::Check(arguments) => check::run(&arguments),
        Command::Repair(arguments) => repair::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// Runs a client's command to its end.
fn wait(command: impl Future<Output = Result<(), Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(format!("the event loop cannot be started: {error}")))?;
    let result = runtime.block_on(command);
    // A thread that still waits for a line from standard input is not waited for.
    runtime.shutdown_background();
    result.map(|()| ExitCode::SUCCESS)
}

/// `RUST_LOG` chooses what is logged; by default what an operator of a broker wants to know, and
/// only warnings beside a command's own output.
fn log_to_standard_error(serving: bool) {
    let usual = if serving { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
