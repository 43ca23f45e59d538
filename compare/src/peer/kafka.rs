//! Apache Kafka, one node that is broker and controller, with the settings of its quick start and the
//! options for the JVM of its start script.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{PeerName, Plan};
use crate::server::free_address;
use crate::setup::Setup;

/// What `kafka-server-start.sh` and `kafka-run-class.sh` give the JVM.
const JVM: [&str; 6] = [
    "-Xms1G",
    "-Xmx1G",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];

/// Any id that is one: a new cluster for each start.
const CLUSTER_ID: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

pub(super) fn plan(setup: &Setup) -> Result<Plan> {
    let class_path = setup.kafka_class_path()?;
    let data = setup.scratch()?;
    let (kafka, controller) = (free_address()?, free_address()?);
    let mut properties = String::new();
    for (name, value) in [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", "1".to_owned()),
        ("controller.quorum.voters", format!("1@{controller}")),
        ("listeners", format!("PLAINTEXT://{kafka},CONTROLLER://{controller}")),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("log.dirs", data.path().join("data").display().to_string()),
        // A single node has no other to copy to.
        ("offsets.topic.replication.factor", "1".to_owned()),
        ("transaction.state.log.replication.factor", "1".to_owned()),
        ("transaction.state.log.min.isr", "1".to_owned()),
        ("share.coordinator.state.topic.replication.factor", "1".to_owned()),
        ("share.coordinator.state.topic.min.isr", "1".to_owned()),
        // Deleted topics give back their room between two loads, as ours do.
        ("log.segment.delete.delay.ms", "1000".to_owned()),
        // What is beyond retention goes while a load lasts, not five minutes later.
        ("log.retention.check.interval.ms", "1000".to_owned()),
    ] {
        writeln!(properties, "{name}={value}")?;
    }
    let file = data.path().join("server.properties");
    std::fs::write(&file, properties).context("cannot write Kafka's properties")?;
    format_storage(&class_path, &file)?;
    let mut command = Command::new("java");
    command.args(JVM).arg("-cp").arg(&class_path).arg("kafka.Kafka").arg(&file);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(Plan {
        name: PeerName::Kafka,
        version: version(&class_path)?,
        settings: format!(
            "one node, broker and controller; {}; log.retention.check.interval.ms=1000; page cache: acks=1; \
             synced: acks=all and flush.messages=1",
            JVM.join(" ")
        ),
        address: kafka,
        native: None,
        command,
        companion: None,
        data,
    })
}

fn format_storage(class_path: &Path, properties: &Path) -> Result<()> {
    let mut command = Command::new("java");
    command.arg("-cp").arg(class_path).args(["kafka.tools.StorageTool", "format"]);
    command.args(["--cluster-id", CLUSTER_ID, "--config"]).arg(properties);
    let output = command.output().context("cannot start java; install a JDK")?;
    if !output.status.success() {
        bail!("Kafka's storage cannot be formatted: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// As its libraries are named.
fn version(class_path: &Path) -> Result<String> {
    let libraries = class_path.parent().context("a class path ends in a star")?;
    for entry in std::fs::read_dir(libraries).context("cannot list Kafka's libraries")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(rest) = name.strip_prefix("kafka-clients-") {
            return Ok(rest.trim_end_matches(".jar").to_owned());
        }
    }
    bail!("{} has no kafka-clients", libraries.display())
}
