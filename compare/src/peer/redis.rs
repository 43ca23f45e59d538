//! Redis with an append-only file.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::{PeerName, Plan};
use crate::server::free_address;
use crate::setup::Setup;

pub(super) fn plan(name: PeerName, setup: &Setup) -> Result<Plan> {
    const PROGRAM: &str = "redis-server";
    let data = setup.scratch()?;
    let address = free_address()?;
    let sync = if name == PeerName::RedisSynced { "always" } else { "everysec" };
    let mut command = Command::new(PROGRAM);
    command.args(["--port", &address.port().to_string(), "--bind", "127.0.0.1"]);
    command.arg("--dir").arg(data.path());
    command.args(["--appendonly", "yes", "--appendfsync", sync, "--save", ""]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let version = Command::new(PROGRAM).arg("--version").output();
    let version = version.context("cannot ask for the version")?.stdout;
    let version = String::from_utf8_lossy(&version);
    let version = version.split_whitespace().find_map(|word| word.strip_prefix("v="));
    let version = version.unwrap_or("of an unknown version").to_owned();
    let settings =
        format!("append-only file, appendfsync {sync}, no snapshots; all data in memory too");
    Ok(Plan { name, version, settings, address, native: None, command, companion: None, data })
}
