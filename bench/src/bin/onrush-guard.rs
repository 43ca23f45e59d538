//! Does one thing a given number of times, to have its instructions counted.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use onrush_bench::guard;

/// What `cargo xtask bench --guard` runs under callgrind.
#[derive(Debug, Parser)]
#[command(name = "onrush-guard", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the paths: name, rounds, and what it is, between tabs.
    List,
    /// Print what this processor has that the code chooses by.
    Processor,
    /// Go one path, and print how many messages went.
    Run {
        /// One of the list.
        path: String,
        /// How often.
        rounds: u32,
    },
}

fn main() -> Result<()> {
    match Args::parse().command {
        Command::List => {
            for guard::Path { name, what, rounds, .. } in guard::PATHS {
                println!("{name}\t{rounds}\t{what}");
            }
        }
        Command::Processor => println!("{}", guard::processor().join(" ")),
        Command::Run { path, rounds } => {
            let path = guard::path(&path).with_context(|| format!("there is no path {path}"))?;
            println!("{}", path.run(rounds)?);
        }
    }
    Ok(())
}
