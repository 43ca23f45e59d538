//! The figures in the repository, and what they were made with.

use super::count::{Program, output};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// What the file begins with.
const ABOUT: &str = "# Instructions a message: docs/performance.md, \"The guard\". Not to be edited:\n\
                     # `cargo xtask bench --guard --update` writes it.\n\n";

/// Instructions a message on each path, and what they depend on besides the code.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Kept {
    pub(super) made_with: BTreeMap<String, String>,
    pub(super) instructions: BTreeMap<String, f64>,
}

impl Kept {
    /// Nothing counted yet.
    pub(super) fn made_here(program: &Program) -> anyhow::Result<Kept> {
        let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        // Copies are libc's; where that cannot be asked, it is another than in the file.
        let libc = output(Command::new("getconf").arg("GNU_LIBC_VERSION"));
        let made_with = [
            ("rustc", output(Command::new(rustc).arg("--version"))?),
            ("flags", std::env::var("RUSTFLAGS").unwrap_or_default()),
            ("libc", libc.unwrap_or_else(|_| "unknown".to_owned())),
            ("valgrind", output(Command::new("valgrind").arg("--version"))?),
            ("processor", program.processor()?),
        ];
        let made_with = made_with.into_iter().map(|(what, which)| (what.to_owned(), which));
        Ok(Kept { made_with: made_with.collect(), instructions: BTreeMap::new() })
    }

    pub(super) fn put(&mut self, path: &str, instructions: f64) {
        self.instructions.insert(path.to_owned(), instructions);
    }

    /// What is kept; nothing if the file is not there.
    pub(super) fn read(file: &Path) -> anyhow::Result<Kept> {
        match std::fs::read_to_string(file) {
            Ok(text) => toml::from_str(&text)
                .with_context(|| format!("{} cannot be read; --update writes it", file.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Kept::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    pub(super) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let text = ABOUT.to_owned() + &toml::to_string(self)?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut kept = Kept::default();
        kept.made_with.insert("rustc".to_owned(), "rustc 1.0".to_owned());
        kept.put("append", 12.5);
        let file = std::env::temp_dir().join(format!("onrush-guard-{}.toml", std::process::id()));
        kept.write(&file).unwrap();
        let read = Kept::read(&file);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(read.unwrap(), kept);
        assert_eq!(Kept::read(&file).unwrap(), Kept::default());
    }

    #[test]
    fn the_one_in_the_repository_is_sound() {
        let kept = Kept::read(&super::super::kept_file()).unwrap();
        assert!(kept.instructions.values().all(|each| *each > 0.0));
        assert!(!kept.instructions.is_empty());
    }
}
