//! Programs of the system, from its package manager where root may use that.

use super::succeed;
use anyhow::{Context, bail};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// Makes sure that a program can be started, installing Debian's package of it if need be.
pub(crate) fn require(program: &str, package: &str) -> anyhow::Result<()> {
    if is_there(program) {
        return Ok(());
    }
    install(package).with_context(|| format!("this machine has no {program}"))?;
    if !is_there(program) {
        bail!("the package {package} brought no {program}");
    }
    Ok(())
}

/// Installs one of Debian's packages, if this is Debian and we are root.
pub(super) fn install(package: &str) -> anyhow::Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    static UPDATED: OnceLock<()> = OnceLock::new();
    if !is_there("apt-get") || !rustix::process::getuid().is_root() {
        bail!("install the package {package}; only root can, on a Debian");
    }
    let _one = ONE_AT_A_TIME.lock();
    if UPDATED.set(()).is_ok() {
        succeed(apt().arg("update")).context("cannot update the list of packages")?;
    }
    succeed(apt().args(["install", "--yes", "--no-install-recommends", package]))
        .with_context(|| format!("cannot install the package {package}"))
}

fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.arg("-qq").env("DEBIAN_FRONTEND", "noninteractive");
    // Servers are not started as services: who installs one here starts it as it needs it.
    apt.env("RUNLEVEL", "1");
    apt
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
