//! NATS with JetStream on files.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::{PeerName, Plan};
use crate::server::free_address;
use crate::setup::Setup;

pub(super) fn plan(name: PeerName, setup: &Setup) -> Result<Plan> {
    let program = setup.peer_program("nats-server")?;
    let data = setup.scratch()?;
    let address = free_address()?;
    let store = data.path().join("data");
    let sync = if name == PeerName::NatsSynced { ", sync_interval: always" } else { "" };
    let config = format!(
        "listen: \"{address}\"\njetstream {{ store_dir: \"{}\"{sync} }}\n",
        store.display()
    );
    let file = data.path().join("nats.conf");
    std::fs::write(&file, config).context("cannot write the configuration of NATS")?;
    let mut command = Command::new(&program);
    command.arg("--config").arg(&file);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let version = Command::new(&program).arg("--version").output();
    let version = version.context("cannot ask for the version")?.stdout;
    let version = String::from_utf8_lossy(&version);
    let version = version.trim().trim_start_matches("nats-server: v").to_owned();
    let settings = match name {
        PeerName::NatsSynced => "file storage, sync_interval: always",
        _ => "file storage, synced every two minutes (the default)",
    };
    let settings = settings.to_owned();
    Ok(Plan { name, version, settings, address, native: None, command, companion: None, data })
}
