//! Go's clients.

use super::{Places, succeed, system};
use anyhow::Context;
use std::path::PathBuf;
use std::process::Command;

fn binary(places: &Places, package: &str) -> PathBuf {
    places.cache.join("go").join(package)
}

/// Builds a package of `tests/clients/go`; Go itself knows what is new.
pub(super) fn install(places: &Places, package: &str) -> anyhow::Result<()> {
    system::require("go", "golang-go")?;
    std::fs::create_dir_all(places.cache.join("go")).context("cannot make the cache of go")?;
    let mut go = Command::new("go");
    go.args(["build", "-o"])
        .arg(binary(places, package))
        .arg(format!("./{package}"))
        .current_dir(places.sources.join("go"));
    succeed(&mut go)
}

/// Runs a case of a package.
pub(super) fn command(places: &Places, package: &str, case: &str) -> Command {
    let mut command = Command::new(binary(places, package));
    command.arg(case);
    command
}
