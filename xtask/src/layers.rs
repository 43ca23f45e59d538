//! The architecture's arrows, held against what cargo says each crate depends on.
//!
//! The table is docs/ARCHITECTURE.md's "may use" column. Development dependencies are free: a test
//! may look at anything.

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::process::Command;

/// Each crate of the workspace, and the workspace crates its product code may name.
/// `None`: any (tests, benches and tools stand outside the layers).
const MAY_USE: &[(&str, Option<&[&str]>)] = &[
    ("onrush-record", Some(&[])),
    ("onrush-sys", Some(&["onrush-record"])),
    ("onrush-storage", Some(&["onrush-record", "onrush-sys"])),
    ("onrush-protocol", Some(&["onrush-record"])),
    ("onrush-kafka-protocol", Some(&[])),
    ("onrush-broker", Some(&["onrush-record", "onrush-sys", "onrush-storage"])),
    ("onrush-gateway-net", Some(&["onrush-broker", "onrush-record", "onrush-sys"])),
    (
        "onrush-gateway-native",
        Some(&[
            "onrush-broker",
            "onrush-gateway-net",
            "onrush-record",
            "onrush-sys",
            "onrush-protocol",
        ]),
    ),
    (
        "onrush-gateway-kafka",
        Some(&[
            "onrush-broker",
            "onrush-gateway-net",
            "onrush-kafka-protocol",
            "onrush-record",
            "onrush-sys",
        ]),
    ),
    ("onrush-gateway-http", Some(&["onrush-broker", "onrush-record", "onrush-sys"])),
    ("onrush-client", Some(&["onrush-protocol", "onrush-record", "onrush-sys"])),
    (
        "onrush",
        Some(&[
            "onrush-broker",
            "onrush-client",
            "onrush-gateway-http",
            "onrush-gateway-kafka",
            "onrush-gateway-native",
            "onrush-gateway-net",
            "onrush-protocol",
            "onrush-record",
            "onrush-storage",
            "onrush-sys",
        ]),
    ),
    (
        "onrush-loadgen",
        Some(&["onrush", "onrush-client", "onrush-record", "onrush-sys", "onrush-protocol"]),
    ),
    ("onrush-sim", None),
    ("onrush-bench", None),
    ("onrush-corpus", None),
    (
        "onrush-compare",
        Some(&["onrush-bench", "onrush-record", "onrush-kafka-protocol", "onrush-sys"]),
    ),
    ("onrush-tests", None),
    ("xtask", None),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<String>,
}

/// Fails with every arrow that the architecture does not have.
pub(crate) fn check() -> anyhow::Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .context("cannot run cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed");
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    let wrong = violations(&metadata.packages);
    if wrong.is_empty() {
        println!("layers: {} crates keep the architecture's arrows", metadata.packages.len());
        return Ok(());
    }
    bail!("the architecture has no such arrow:\n  {}", wrong.join("\n  "));
}

fn violations(packages: &[Package]) -> Vec<String> {
    let table: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in packages {
        let Some(allowed) = table.get(package.name.as_str()) else {
            wrong.push(format!("{} is in no row of the table: add it", package.name));
            continue;
        };
        let Some(allowed) = allowed else { continue };
        for dependency in &package.dependencies {
            let product = dependency.kind.as_deref() != Some("dev");
            if product && dependency.path.is_some() && !allowed.contains(&dependency.name.as_str())
            {
                wrong.push(format!("{} uses {}", package.name, dependency.name));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, uses: &str, kind: Option<&str>) -> Package {
        Package {
            name: name.to_owned(),
            dependencies: vec![Dependency {
                name: uses.to_owned(),
                kind: kind.map(str::to_owned),
                path: Some("somewhere".to_owned()),
            }],
        }
    }

    #[test]
    fn a_storage_that_names_the_broker_is_refused() {
        assert_eq!(
            violations(&[package("onrush-storage", "onrush-broker", None)]),
            ["onrush-storage uses onrush-broker"]
        );
    }

    #[test]
    fn a_test_may_name_anything() {
        assert!(violations(&[package("onrush-storage", "onrush-sim", Some("dev"))]).is_empty());
    }

    #[test]
    fn a_crate_outside_the_table_is_refused() {
        assert_eq!(violations(&[package("onrush-utils", "onrush-sys", None)]).len(), 1);
    }
}
