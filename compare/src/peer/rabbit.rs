//! RabbitMQ with its plugin for streams, as Debian packages it.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::{PeerName, Plan};
use crate::server::free_address;
use crate::setup::Setup;

/// Where the package keeps its versions; what is on the path switches to a user of its own first.
const PACKAGES: &str = "/usr/lib/rabbitmq/lib";
const PREFIX: &str = "rabbitmq_server-";

pub(super) fn plan(setup: &Setup) -> Result<Plan> {
    let version = version()?;
    let program = Path::new(PACKAGES).join(format!("{PREFIX}{version}/sbin/rabbitmq-server"));
    ensure!(program.exists(), "{} is not there", program.display());
    let data = setup.scratch()?;
    let (address, amqp) = (free_address()?, free_address()?);
    let (names, distribution) = (free_address()?, free_address()?);
    // It tells clients to connect to where its streams are.
    let config = format!(
        "listeners.tcp.1 = {amqp}\nstream.listeners.tcp.1 = {address}\n\
         stream.advertised_host = 127.0.0.1\nstream.advertised_port = {}\n",
        address.port()
    );
    let dir = data.path();
    std::fs::write(dir.join("rabbitmq.conf"), config).context("cannot write its configuration")?;
    std::fs::write(dir.join("plugins"), "[rabbitmq_stream].").context("cannot name its plugin")?;
    let names_port = names.port().to_string();
    let mut command = Command::new(program);
    command.env("HOME", dir).env("ERL_EPMD_PORT", &names_port);
    // Then the script becomes the broker's process, instead of one that waits for it.
    command.env("RUNNING_UNDER_SYSTEMD", "true");
    command.env("RABBITMQ_NODENAME", format!("race-{}@localhost", address.port()));
    command.env("RABBITMQ_DIST_PORT", distribution.port().to_string());
    command
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}");
    for (name, file) in [
        ("RABBITMQ_MNESIA_BASE", "data"),
        ("RABBITMQ_LOG_BASE", "log"),
        ("RABBITMQ_PID_FILE", "pid"),
        ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", "plugins"),
        // Not there: nothing is taken from how the machine's own RabbitMQ is set.
        ("RABBITMQ_CONF_ENV_FILE", "rabbitmq-env.conf"),
    ] {
        command.env(name, dir.join(file));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut epmd = Command::new("epmd");
    epmd.env("ERL_EPMD_PORT", &names_port).env("ERL_EPMD_ADDRESS", "127.0.0.1");
    epmd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(Plan {
        name: PeerName::Rabbit,
        version,
        settings: "one node, plugin rabbitmq_stream; confirms come from the page cache, streams never sync; \
                   client: 500 messages a sub-entry, not compressed"
            .to_owned(),
        address,
        native: None,
        command,
        companion: Some((epmd, names)),
        data,
    })
}

/// As its folder is named.
fn version() -> Result<String> {
    let packages = std::fs::read_dir(PACKAGES);
    for package in packages.context("Debian's package rabbitmq-server is not there")? {
        let name = package?.file_name().to_string_lossy().into_owned();
        if let Some(version) = name.strip_prefix(PREFIX) {
            return Ok(version.to_owned());
        }
    }
    bail!("{PACKAGES} has no {PREFIX}")
}
