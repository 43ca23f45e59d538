//! Java's clients: Maven fetches the libraries, javac compiles the cases.

use super::{Places, once, read, succeed, system};
use anyhow::{Context, ensure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Pinned, since its default differs from machine to machine.
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
/// The package of the cases.
const PACKAGE: &str = "onrush.clients";

/// Where a folder's libraries and classes are.
pub(super) fn cache(places: &Places, kit: &str) -> PathBuf {
    places.cache.join("java").join(kit)
}

/// Fetches the libraries of a folder of `tests/clients/java`, and compiles what is in it.
pub(super) fn install(places: &Places, kit: &str) -> anyhow::Result<()> {
    system::require("java", "default-jdk-headless")?;
    system::require("javac", "default-jdk-headless")?;
    let libraries = libraries(places, kit)?;
    let (sources, cache) = (places.sources.join("java").join(kit), cache(places, kit));
    compile(&[&places.sources.join("java/checks"), &sources], &libraries, &cache)
}

/// Fetches what the folder's `pom.xml` lists, and tells where it is.
pub(super) fn libraries(places: &Places, kit: &str) -> anyhow::Result<PathBuf> {
    let cache = cache(places, kit);
    std::fs::create_dir_all(&cache).context("cannot make the cache of java")?;
    let pom = places.sources.join("java").join(kit).join("pom.xml");
    let libraries = cache.join("libraries");
    once(&cache.join("libraries.installed"), &read(&pom)?, || {
        system::require("mvn", "maven")?;
        // Of an older list nothing may be left.
        let _ = std::fs::remove_dir_all(&libraries);
        let mut maven = Command::new("mvn");
        maven.args(["--quiet", "--batch-mode", COPY, "--file"]).arg(&pom);
        succeed(maven.arg(format!("-DoutputDirectory={}", libraries.display())))
    })?;
    Ok(libraries)
}

/// Keeps what the JVM has made of the console tools' classes: each of their some fifty runs takes half
/// the CPU time with it.
pub(super) fn archive_tools(places: &Places) -> anyhow::Result<()> {
    let cache = cache(places, "kafka");
    let (archive, partial) = (cache.join("tools.jsa"), cache.join("tools.jsa.partial"));
    let archived =
        once(&cache.join("tools.archived"), &read(&cache.join("libraries.installed"))?, || {
            // Nobody listens there: the tool loads nearly all that it ever does, and gives up.
            let impatient = cache.join("impatient.properties");
            std::fs::write(&impatient, "default.api.timeout.ms=1000\nrequest.timeout.ms=500\n")
                .context("cannot write the tool's properties")?;
            let mut java = Command::new("java");
            java.arg(format!("-XX:ArchiveClassesAtExit={}", partial.display()))
                .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xlog:disable", "-cp"])
                .arg(cache.join("libraries/*"))
                .args(["org.apache.kafka.tools.TopicCommand", "--list"])
                .args(["--bootstrap-server", "127.0.0.1:1", "--command-config"])
                .arg(&impatient);
            let _ = (std::fs::remove_file(&archive), std::fs::remove_file(&partial));
            // The tool cannot succeed, but it must have come to its end: the archive is written there.
            let ended = java.stdin(Stdio::null()).output().context("cannot start java")?;
            ensure!(ended.status.code().is_some(), "java ended with {}", ended.status);
            std::fs::rename(&partial, &archive).context("java has left no archive")
        });
    if let Err(error) = archived {
        println!("  SLOWER   console: {error:#}; all works without");
    }
    Ok(())
}

fn compile(folders: &[&Path], libraries: &Path, cache: &Path) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for folder in folders {
        let entries = std::fs::read_dir(folder);
        for entry in entries.with_context(|| format!("cannot list {}", folder.display()))? {
            files.push(entry.context("cannot list a folder")?.path());
        }
    }
    files.sort();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "java"));
    ensure!(!files.is_empty(), "there is nothing to compile in {folders:?}");
    let texts: anyhow::Result<Vec<String>> = files.iter().map(|file| read(file)).collect();
    let classes = cache.join("classes");
    once(&cache.join("classes.compiled"), &texts?.concat(), || {
        let _ = std::fs::remove_dir_all(&classes);
        let mut javac = Command::new("javac");
        javac.args(["-nowarn", "-parameters", "-encoding", "UTF-8", "-proc:none", "-cp"]);
        javac.arg(libraries.join("*")).arg("-d").arg(&classes).args(&files);
        succeed(&mut javac)
    })?;
    for folder in folders {
        let logging = folder.join("log4j2.properties");
        if logging.is_file() {
            std::fs::copy(&logging, classes.join("log4j2.properties")).context("cannot copy")?;
        }
    }
    Ok(())
}

/// The classes of a folder's cases and its libraries.
fn class_path(places: &Places, kit: &str) -> OsString {
    let cache = cache(places, kit);
    let mut path = cache.join("classes").into_os_string();
    path.push(":");
    path.push(cache.join("libraries/*"));
    path
}

/// Runs a class. The flags make it start in half the time; no case needs an optimising compiler.
pub(super) fn command(places: &Places, kit: &str, class: &str) -> Command {
    let mut java = Command::new("java");
    java.args(["-Xmx700m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
        // Flink serialises what the JDK holds close.
        .args(["--add-opens=java.base/java.util=ALL-UNNAMED"])
        .args(["--add-opens=java.base/java.lang=ALL-UNNAMED", "-cp"])
        .arg(class_path(places, kit))
        .arg(format!("{PACKAGE}.{class}"));
    java
}
