//! `cargo xtask test`: everything that must hold before a change lands.

use crate::clients;
use crate::guard;
use crate::layers;
use crate::steps::{LIMIT, LONG_LIMIT, Outcome, Steps, command, command_within, succeeds};
use anyhow::bail;
use clap::Args;
use std::path::PathBuf;
use std::process::Command;

/// Which tests.
#[derive(Args)]
pub(crate) struct Options {
    /// The long versions too: more crash states, more kills, longer fuzzing, more clients.
    #[arg(long)]
    all: bool,
    /// Only the steps whose name contains this text.
    #[arg(long)]
    only: Option<String>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let mut steps = Steps::default();
    let limit = if options.all { LONG_LIMIT } else { LIMIT };
    let mut step = |name: &str, body: &dyn Fn() -> Outcome| {
        if options.only.as_deref().is_none_or(|text| name.contains(text)) {
            steps.run(name, body);
        }
    };
    step("format", &|| command(cargo().args(["fmt", "--all", "--check"])));
    step("layers", &|| match layers::check() {
        Ok(()) => Outcome::Passed,
        Err(error) => Outcome::Failed(format!("{error:#}")),
    });
    step("lints", &|| {
        let mut clippy = cargo();
        clippy.args(["clippy", "--workspace", "--all-targets"]).args(kafka_feature());
        command(clippy.args(["--", "--deny", "warnings"]))
    });
    step("release binaries", &release_binaries);
    step("tests", &|| {
        let mut tests = tests(options.all);
        tests.args(["test", "--no-fail-fast", "--workspace", "--exclude", "onrush-tests"]);
        command_within(&mut tests, limit)
    });
    step("end to end", &|| {
        let mut tests = tests(options.all);
        command_within(tests.args(["test", "--no-fail-fast", "-p", "onrush-tests"]), limit)
    });
    step("clients", &|| clients::step(&target(), options.all));
    step("instructions", &guard::step);
    step("documentation", &|| {
        command(
            cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"),
        )
    });
    step("loom", &loom);
    step("miri", &miri);
    if steps.summary() {
        return Ok(());
    }
    bail!("some steps failed; each is named above");
}

fn cargo() -> Command {
    Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
}

/// The programs that end-to-end tests and clients run, and the one whose instructions are counted:
/// built together, or their common crates would be built twice, with other features.
pub(crate) fn release_binaries() -> Outcome {
    let mut build = cargo();
    build.args(["build", "--release"]);
    for (package, program) in [
        ("onrush", "onrush"),
        ("onrush-loadgen", "onrush-loadgen"),
        ("onrush-bench", "onrush-guard"),
    ] {
        build.args(["--package", package, "--bin", program]);
    }
    command(build.args(kafka_feature()))
}

/// The load generator's Kafka client is built by make: with it where there is one.
fn kafka_feature() -> &'static [&'static str] {
    if succeeds(Command::new("make").arg("--version")) {
        &["--features", "onrush-loadgen/kafka"]
    } else {
        &[]
    }
}

/// A cargo that tells the tests where the release binaries are and how much to do.
fn tests(all: bool) -> Command {
    let mut cargo = cargo();
    cargo.env("ONRUSH_BINARIES", target().join("release"));
    if all {
        cargo.env("ONRUSH_TESTS", "all");
    }
    cargo
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || {
            PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .parent()
                .map_or_else(|| PathBuf::from("target"), |top| top.join("target"))
        },
        PathBuf::from,
    )
}

/// Every interleaving of what is shared between threads. A target directory of its own, since the
/// flag would otherwise rebuild the whole workspace twice a run.
fn loom() -> Outcome {
    command(
        cargo()
            .args(["test", "--release", "-p", "onrush-broker", "--lib", "loom_"])
            .env("RUSTFLAGS", "--cfg loom")
            .env("LOOM_MAX_PREEMPTIONS", "3")
            .env("CARGO_TARGET_DIR", target().join("loom")),
    )
}

/// Undefined behaviour in what parses bytes.
fn miri() -> Outcome {
    if !succeeds(Command::new("cargo").args(["+nightly", "miri", "--version"])) {
        let _ = succeeds(Command::new("rustup").args([
            "+nightly",
            "component",
            "add",
            "miri",
            "rust-src",
        ]));
    }
    if !succeeds(Command::new("cargo").args(["+nightly", "miri", "--version"])) {
        return Outcome::Skipped(
            "this machine has no nightly toolchain with Miri (rustup toolchain install nightly \
             --component miri --component rust-src)"
                .to_owned(),
        );
    }
    for packages in [
        &["-p", "onrush-record", "-p", "onrush-protocol", "-p", "onrush-kafka-protocol"][..],
        // What of it Miri can run: lifetimes of mappings, clocks; not the system calls.
        &["-p", "onrush-sys", "--lib"],
    ] {
        let outcome = command(
            Command::new("cargo")
                .args(["+nightly", "miri", "test"])
                .args(packages)
                .env_remove("RUSTUP_TOOLCHAIN")
                .env("MIRIFLAGS", "-Zmiri-disable-isolation")
                .env("CARGO_TARGET_DIR", target().join("miri")),
        );
        if outcome != Outcome::Passed {
            return outcome;
        }
    }
    Outcome::Passed
}
