//! What cases run with: each kit installs itself by the package manager of its language, once, into
//! the cache, and again when its manifest changes.

mod go;
mod java;
mod node;
mod python;
pub(crate) mod system;

use super::Places;
use super::cases::Case;
use crate::steps::Outcome;
use anyhow::{Context, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The kits that were asked for; an error tells why the machine does not have one.
pub(crate) struct Kits {
    installed: BTreeMap<String, Result<(), String>>,
}

impl Kits {
    /// Installs what the cases need.
    pub(crate) fn prepare(places: &Places, cases: &[Case]) -> anyhow::Result<Kits> {
        std::fs::create_dir_all(places.cache.join("logs")).context("cannot make the cache")?;
        let wanted: BTreeSet<&str> = cases.iter().map(|case| case.kit.as_str()).collect();
        // Kits of one package manager one after the other: most of them do not like company.
        let mut queues: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for kit in wanted {
            queues.entry(manager(kit)?).or_default().push(kit);
        }
        let mut installed = BTreeMap::new();
        std::thread::scope(|scope| {
            let threads: Vec<_> = queues
                .values()
                .map(|queue| {
                    scope.spawn(move || {
                        let all = queue.iter();
                        all.map(|kit| ((*kit).to_owned(), install(places, kit))).collect::<Vec<_>>()
                    })
                })
                .collect();
            for thread in threads {
                installed.extend(thread.join().unwrap_or_default());
            }
        });
        Ok(Kits { installed })
    }

    /// Why the machine does not have what a case needs.
    pub(crate) fn missing(&self, case: &Case) -> Option<&str> {
        match self.installed.get(&case.kit) {
            Some(Ok(())) => None,
            Some(Err(why)) => Some(why),
            None => Some("it was not installed"),
        }
    }

    /// The command that runs a case.
    pub(crate) fn command(&self, places: &Places, case: &Case) -> anyhow::Result<Command> {
        let mut words = case.run.split_whitespace();
        let what = words.next().with_context(|| format!("{} runs nothing", case.name))?;
        let mut command = match case.kit.as_str() {
            "python" | "aiokafka" => python::command(places, what),
            "node" => node::command(places, what),
            "franz-go" => go::command(places, "franz", what),
            "sarama" => go::command(places, "sarama", what),
            "kcat" => shell(places, what),
            "load-generator" => {
                let mut command = shell(places, what);
                command.env("LOADGEN", places.binaries.join("onrush-loadgen"));
                command
            }
            "console" => {
                let mut command = shell(places, what);
                command.env("KAFKA_TOOLS", java::cache(places, "kafka"));
                command
            }
            kit => java::command(places, folder(kit), what),
        };
        command.args(words);
        Ok(command)
    }
}

/// Who installs a kit.
fn manager(kit: &str) -> anyhow::Result<&'static str> {
    Ok(match kit {
        "python" | "aiokafka" => "pip",
        "node" => "npm",
        "franz-go" | "sarama" => "go",
        "kcat" => "apt",
        "load-generator" => "cargo",
        "console" | "java" | "spring" | "flink" | "streams" => "maven",
        _ => bail!("there is no kit {kit:?}; xtask/src/clients/kits/mod.rs has them"),
    })
}

/// The folder of a Java kit.
fn folder(kit: &str) -> &str {
    match kit {
        "console" | "java" => "kafka",
        kit => kit,
    }
}

fn install(places: &Places, kit: &str) -> Result<(), String> {
    let began = Instant::now();
    let done = match kit {
        "python" => python::install(places, "requirements.txt"),
        "aiokafka" => python::install(places, "requirements-all.txt"),
        "node" => node::install(places),
        "franz-go" => go::install(places, "franz"),
        "sarama" => go::install(places, "sarama"),
        "kcat" => {
            system::require("kcat", "kcat").and_then(|()| system::require("python3", "python3"))
        }
        "load-generator" => load_generator(),
        "console" => java::install(places, "kafka").and_then(|()| java::archive_tools(places)),
        kit => java::install(places, folder(kit)),
    };
    let took = began.elapsed().as_secs_f64();
    match &done {
        Ok(()) => println!("  ready    {kit} in {took:.1} s"),
        Err(error) => println!("  MISSING  {kit}: {error:#}"),
    }
    done.map_err(|error| format!("{error:#}"))
}

/// Where Apache Kafka's libraries are, fetched if need be.
pub(crate) fn kafka_libraries(places: &Places) -> anyhow::Result<PathBuf> {
    system::require("java", "default-jdk-headless")?;
    java::libraries(places, "kafka")
}

/// Builds our own, whose Kafka client takes a C compiler and make.
fn load_generator() -> anyhow::Result<()> {
    for (program, package) in [("cc", "gcc"), ("make", "make"), ("python3", "python3")] {
        system::require(program, package)?;
    }
    if std::env::var_os("ONRUSH_BINARIES").is_some() {
        return Ok(());
    }
    match crate::test::release_binaries() {
        Outcome::Passed => Ok(()),
        Outcome::Failed(why) | Outcome::Skipped(why) => bail!(why),
    }
}

/// A case that is a shell script.
fn shell(places: &Places, script: &str) -> Command {
    let mut command = Command::new("bash");
    command.arg(places.sources.join("shell").join(script));
    command
}

/// Installs unless `stamp` says that exactly this was: `manifest` tells one state from another.
fn once(
    stamp: &Path,
    manifest: &str,
    install: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if std::fs::read_to_string(stamp).is_ok_and(|installed| installed == manifest) {
        return Ok(());
    }
    // Until it is whole nothing counts as installed, also not what was there before: an install that is
    // interrupted may have taken some of that away.
    if let Err(error) = std::fs::remove_file(stamp)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error).with_context(|| format!("cannot remove {}", stamp.display()));
    }
    install()?;
    std::fs::write(stamp, manifest).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Runs a command that says something only when it fails.
pub(crate) fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {program}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(6)..];
    bail!("{program} ended with {}: {}", output.status, last.join(" / "))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_install_leaves_nothing_that_counts_as_installed() -> anyhow::Result<()> {
        let stamp = std::env::temp_dir().join(format!("onrush-stamp-{}", std::process::id()));
        let mut installs = 0;
        once(&stamp, "one", || {
            installs += 1;
            Ok(())
        })?;
        assert!(once(&stamp, "two", || bail!("interrupted")).is_err());
        // Of "one" there may be only a part left.
        for _ in 0..2 {
            once(&stamp, "one", || {
                installs += 1;
                Ok(())
            })?;
        }
        std::fs::remove_file(&stamp)?;
        assert_eq!(installs, 2);
        Ok(())
    }
}
