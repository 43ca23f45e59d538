//! Counting: each path runs twice under callgrind, the second time for twice the rounds.

use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program that is counted.
pub(super) struct Program {
    file: PathBuf,
    /// What callgrind found, to be looked into by `callgrind_annotate`.
    folder: PathBuf,
}

/// One way that messages go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) name: String,
    /// Rounds of the shorter run.
    rounds: u64,
}

impl Program {
    pub(super) fn at(file: PathBuf, folder: PathBuf) -> anyhow::Result<Program> {
        std::fs::create_dir_all(&folder).context("cannot make the folder of what is counted")?;
        Ok(Program { file, folder })
    }

    /// The paths it has.
    pub(super) fn paths(&self) -> anyhow::Result<Vec<Counted>> {
        output(Command::new(&self.file).arg("list"))?.lines().map(listed).collect()
    }

    /// What of the processor it may use under valgrind.
    pub(super) fn processor(&self) -> anyhow::Result<String> {
        let mut valgrind = Command::new("valgrind");
        output(valgrind.args(["--quiet", "--tool=none"]).arg(&self.file).arg("processor"))
    }

    /// Instructions that a message takes, to a tenth.
    pub(super) fn per_message(&self, path: &Counted) -> anyhow::Result<f64> {
        let shorter = self.count(path, path.rounds)?;
        let longer = self.count(path, path.rounds * 2)?;
        per_message(shorter, longer).with_context(|| format!("{} cannot be counted", path.name))
    }

    /// Instructions of a whole run, and its messages.
    fn count(&self, path: &Counted, rounds: u64) -> anyhow::Result<(u64, u64)> {
        let file = self.folder.join(format!("{}.{rounds}.callgrind", path.name));
        let mut to = std::ffi::OsString::from("--callgrind-out-file=");
        to.push(&file);
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--tool=callgrind"]).arg(to).arg(&self.file);
        let messages = output(valgrind.args(["run", &path.name, &rounds.to_string()]))?;
        Ok((total(&file)?, messages.parse().context("it did not say how many messages went")?))
    }
}

/// What the second half of the longer run took, without start and end.
fn per_message(shorter: (u64, u64), longer: (u64, u64)) -> anyhow::Result<f64> {
    let more = (longer.0.checked_sub(shorter.0)).zip(longer.1.checked_sub(shorter.1));
    let Some((instructions, messages @ 1..)) = more else {
        bail!("(instructions, messages) are {shorter:?}, and {longer:?} for twice the work")
    };
    Ok((instructions * 10 / messages) as f64 / 10.0)
}

/// What callgrind says of a whole run.
fn total(file: &Path) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("callgrind has not written {}", file.display()))?;
    let mut totals = text.lines().filter_map(|line| line.strip_prefix("totals: "));
    let total = totals.next().with_context(|| format!("{} has no total", file.display()))?;
    total.trim().parse().with_context(|| format!("{total:?} is no count"))
}

fn listed(line: &str) -> anyhow::Result<Counted> {
    let mut fields = line.split('\t');
    let mut next = || fields.next().with_context(|| format!("{line:?} names no path"));
    let name = next()?.to_owned();
    let rounds = next()?.parse()?;
    ensure!(rounds > 0, "{name} does nothing");
    Ok(Counted { name, rounds })
}

/// What a command prints; what it complains of if it fails.
pub(super) fn output(command: &mut Command) -> anyhow::Result<String> {
    let ran = command.stdin(Stdio::null()).output();
    let ran = ran.with_context(|| format!("cannot run {command:?}"))?;
    let (said, complained) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    ensure!(ran.status.success(), "{command:?} ended with {}:\n{complained}", ran.status);
    Ok(said.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_path_is_read() {
        let path = listed("append\t200\tPartition::produce").unwrap();
        assert_eq!(path, Counted { name: "append".to_owned(), rounds: 200 });
        assert!(listed("append\t0\t").is_err());
        assert!(listed("append").is_err());
    }

    #[test]
    fn start_and_end_do_not_count() {
        assert_eq!(per_message((1_000, 10), (1_055, 20)).unwrap(), 5.5);
        assert!(per_message((1_000, 10), (1_055, 10)).is_err());
        assert!(per_message((1_000, 10), (999, 20)).is_err());
    }

    #[test]
    fn what_fails_says_why() {
        let failed = output(Command::new("sh").args(["-c", "echo it broke >&2; exit 3"]));
        let said = failed.unwrap_err().to_string();
        assert!(said.contains("it broke") && said.contains('3'), "{said}");
    }
}
