//! Python's clients, in a virtual environment.

use super::{Places, once, read, succeed, system};
use std::path::PathBuf;
use std::process::Command;

fn environment(places: &Places) -> PathBuf {
    places.cache.join("python")
}

/// Installs a list of requirements.
pub(super) fn install(places: &Places, requirements: &str) -> anyhow::Result<()> {
    let list = places.sources.join("python").join(requirements);
    let environment = environment(places);
    let stamp = environment.join(format!("{requirements}.installed"));
    once(&stamp, &read(&list)?, || {
        system::require("python3", "python3")?;
        let make = || succeed(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        // Debian keeps what makes environments in a package of its own.
        make().or_else(|_| system::install("python3-venv").and_then(|()| make()))?;
        let mut pip = Command::new(environment.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        succeed(pip.arg(&list))
    })
}

/// Runs a module of `tests/clients/python`.
pub(super) fn command(places: &Places, module: &str) -> Command {
    let mut python = Command::new(environment(places).join("bin/python"));
    python
        .args(["-u", "-m", module])
        .current_dir(places.sources.join("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    python
}
