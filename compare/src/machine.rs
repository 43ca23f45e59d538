//! What machine this is.

use std::fs;
use std::path::Path;

use onrush_bench::machine::cores;
use serde::{Deserialize, Serialize};

/// What a reader has to know of it. What the system does not tell is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    /// Whether the processor says that it is not a real one.
    pub(crate) is_virtual: bool,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    /// The file system that brokers wrote to, and the device that it is on.
    pub(crate) disk: String,
}

impl Machine {
    /// This one, with data below `dir`.
    pub(crate) fn here(dir: &Path) -> Machine {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo");
        Machine {
            cores: cores(),
            processor: line(&processor, "model name").to_owned(),
            is_virtual: line(&processor, "flags").split(' ').any(|flag| flag == "hypervisor"),
            memory_bytes: kibibytes(line(&read("/proc/meminfo"), "MemTotal")) << 10,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            disk: fs::canonicalize(dir)
                .map(|dir| disk(&read("/proc/self/mountinfo"), &dir))
                .unwrap_or_default(),
        }
    }
}

/// What stands behind `name` and a colon, the first time.
fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| line.strip_prefix(name)?.trim_start().strip_prefix(':');
    text.lines().find_map(value).unwrap_or_default().trim()
}

fn kibibytes(text: &str) -> u64 {
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// File system and device of the mount that `dir` is in: the one with the longest path.
fn disk(mounts: &str, dir: &Path) -> String {
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let point = before.split(' ').nth(4)?.to_owned();
        let mut after = after.split(' ');
        let (kind, device) = (after.next()?, after.next()?);
        let device = device.trim_start_matches("/dev/");
        dir.starts_with(&point).then(|| (point.len(), format!("{kind} on {device}")))
    };
    // The last of equals lies above the others.
    mounts.lines().filter_map(mount).max_by_key(|(len, _)| *len).map_or(String::new(), |it| it.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_is_the_disk() {
        let mounts = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                      30 22 0:25 / /tmp rw - tmpfs tmpfs rw,size=8g\n";
        assert_eq!(disk(mounts, Path::new("/var/lib")), "ext4 on vda");
        assert_eq!(disk(mounts, Path::new("/tmp/here")), "tmpfs on tmpfs");
        assert_eq!(disk("nothing of the kind", Path::new("/")), "");
    }

    #[test]
    fn a_line_is_found_by_its_name() {
        let text = "processor\t: 0\nmodel name\t: Some Chip @ 2 GHz\nflags\t\t: fpu hypervisor\n";
        assert_eq!(line(text, "model name"), "Some Chip @ 2 GHz");
        assert_eq!(line(text, "bogus"), "");
        assert_eq!(kibibytes(line("MemTotal:       24 kB\n", "MemTotal")), 24);
    }
}
