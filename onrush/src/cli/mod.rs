//! The command line: each command is a file, and ends in an exit code.

mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Exit code of a command that failed.
const FAILED: u8 = 1;

/// A log broker in one binary.
///
/// Without a command it serves from ./onrush-data on 127.0.0.1:7222.
#[derive(Debug, Parser)]
#[command(name = "onrush", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the broker.
    Serve(serve::Serve),
}

/// Parses the command line and does what it says.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_standard_error();
    let result = match arguments.command.unwrap_or_else(|| Command::Serve(serve::Serve::default())) {
        Command::Serve(serve) => serve.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("onrush: {error}");
            ExitCode::from(FAILED)
        }
    }
}

/// `RUST_LOG` chooses what is logged; warnings and what an operator wants to know by default.
fn log_to_standard_error() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
