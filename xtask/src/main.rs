//! Development tasks: `cargo xtask test` runs every check of the project, `cargo xtask bench` its
//! measurements, `cargo xtask compare` the same beside its peers.
#![allow(
    clippy::disallowed_methods,
    reason = "a development tool outside the product: it reads the real clock and file system"
)]

mod bench;
mod clients;
mod compare;
mod guard;
mod layers;
mod steps;
mod test;

use clap::{Parser, Subcommand};

/// Development tasks of Onrush.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the tests, as CI does: format, lints, layers, units, end to end, clients, loom, Miri.
    Test(test::Options),
    /// Run real Kafka clients alone, against a broker of ours or one that runs already.
    Clients(clients::Options),
    /// Hold the crates' dependencies against docs/ARCHITECTURE.md's table.
    Layers,
    /// Measure the marks of docs/performance.md beside the machine's own limits, or count instructions.
    Bench(bench::Options),
    /// Run the same loads against Onrush and its peers, in turns.
    Compare(compare::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Clients(options) => clients::run(&test::target(), &options),
        Task::Layers => layers::check(),
        Task::Bench(options) => bench::run(&options),
        Task::Compare(options) => compare::run(&options),
    }
}
