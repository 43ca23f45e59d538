//! Onrush as it comes, on ports that nobody else uses.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::{PeerName, Plan};
use crate::server::free_address;
use crate::setup::Setup;

pub(super) fn plan(setup: &Setup) -> Result<Plan> {
    let data = setup.scratch()?;
    let (native, kafka) = (free_address()?, free_address()?);
    let program = setup.binary("onrush");
    let mut command = Command::new(&program);
    command.arg("serve").arg("--data").arg(data.path().join("data"));
    command.args(["--native", &native.to_string(), "--kafka", &kafka.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let version = Command::new(&program).arg("--version").output();
    let version = version.context("cannot ask for the version")?.stdout;
    let version = String::from_utf8_lossy(&version);
    let version = version.trim().trim_start_matches("onrush ").to_owned();
    let settings =
        "as it comes; page cache: acks=1 and visibility=written; synced: acks=all".to_owned();
    let name = PeerName::Onrush;
    let (address, native) = (kafka, Some(native));
    Ok(Plan { name, version, settings, address, native, command, companion: None, data })
}
