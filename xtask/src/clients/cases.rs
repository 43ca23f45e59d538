//! The case list.

use anyhow::Context;
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;

/// One thing that one client does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// `client/what`.
    pub(crate) name: String,
    /// What it runs with.
    pub(crate) kit: String,
    /// What of that kit, and its arguments.
    pub(crate) run: String,
    /// Whether only `--all` runs it.
    #[serde(default)]
    pub(crate) all: bool,
    /// Whether it starts a broker of its own, and so cannot be run against another.
    #[serde(default)]
    pub(crate) own_broker: bool,
    /// Whether it leaves a history of what members of a group received, to be judged.
    #[serde(default)]
    pub(crate) judged: bool,
    /// The ability of the broker that it needs and that is not there yet.
    pub(crate) waits_for: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    case: Vec<Case>,
}

impl Case {
    /// A case that takes longer hangs. The long versions of those that have them take theirs.
    pub(crate) fn limit(&self, long: bool) -> Duration {
        Duration::from_secs(if long && self.own_broker { 1200 } else { 240 })
    }

    /// The name as a file's.
    pub(crate) fn file_name(&self) -> String {
        format!("{}.log", self.name.replace('/', "-"))
    }

    /// Where its history goes, in the cache.
    pub(crate) fn history(&self) -> String {
        format!("histories/{}", self.name.replace('/', "-"))
    }
}

/// Reads the list.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Case>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let list: List =
        toml::from_str(&text).with_context(|| format!("{shown} is not a case list"))?;
    Ok(list.case)
}
