//! Node's clients.

use super::{Places, once, read, succeed, system};
use anyhow::Context;
use std::process::Command;

/// Installs the packages of `package-lock.json`.
pub(super) fn install(places: &Places) -> anyhow::Result<()> {
    let (sources, cache) = (places.sources.join("node"), places.cache.join("node"));
    let lock = read(&sources.join("package-lock.json"))?;
    std::fs::create_dir_all(&cache).context("cannot make the cache of node")?;
    once(&cache.join("installed"), &lock, || {
        system::require("node", "nodejs")?;
        system::require("npm", "npm")?;
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(sources.join(file), cache.join(file)).context("cannot copy")?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&cache);
        succeed(&mut npm)
    })
}

/// Runs a script of `tests/clients/node`.
pub(super) fn command(places: &Places, script: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(places.sources.join("node").join(script))
        .env("NODE_PATH", places.cache.join("node/node_modules"))
        .env("KAFKAJS_NO_PARTITIONER_WARNING", "1");
    node
}
