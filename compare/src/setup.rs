//! Where things are, and how much work there is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use onrush_bench::machine::Scratch;

/// What every part of a race needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    dir: PathBuf,
    binaries: PathBuf,
    kafka_libraries: Option<PathBuf>,
    peers: Option<PathBuf>,
    quick: bool,
}

impl Setup {
    pub(crate) fn new(
        dir: PathBuf,
        binaries: Option<PathBuf>,
        kafka_libraries: Option<PathBuf>,
        peers: Option<PathBuf>,
        quick: bool,
    ) -> Result<Setup> {
        let own = std::env::current_exe().context("cannot tell where this binary is")?;
        let binaries = binaries.or_else(|| own.parent().map(PathBuf::from));
        let binaries = binaries.context("cannot tell where this binary is")?;
        for name in ["onrush", "onrush-loadgen"] {
            let path = binaries.join(name);
            ensure!(
                path.exists(),
                "{} is not there; `cargo xtask compare` builds it first",
                path.display()
            );
        }
        Ok(Setup { dir, binaries, kafka_libraries, peers, quick })
    }

    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// Apache Kafka's libraries, as a class path.
    pub(crate) fn kafka_class_path(&self) -> Result<PathBuf> {
        let libraries = self.kafka_libraries.as_deref();
        let libraries = libraries.context(
            "Apache Kafka's libraries are not there: --kafka-libraries names their directory, and \
             `cargo xtask compare` fetches them",
        )?;
        Ok(Path::join(libraries, "*"))
    }

    /// A program that was installed for the race.
    pub(crate) fn peer_program(&self, name: &str) -> Result<PathBuf> {
        let peers = self.peers.as_deref();
        let peers = peers.with_context(|| {
            format!("{name} is not there: --peers names its directory, and `cargo xtask compare` builds it")
        })?;
        Ok(peers.join(name))
    }

    /// A new directory on the disk to measure.
    pub(crate) fn scratch(&self) -> Result<Scratch> {
        Scratch::new(&self.dir)
            .with_context(|| format!("cannot make a directory in {}", self.dir.display()))
    }

    /// The same with a tenth of the work.
    pub(crate) fn quick(&self) -> Setup {
        Setup { quick: true, ..self.clone() }
    }

    /// So much work, or a tenth of it.
    pub(crate) fn amount(&self, full: u64) -> u64 {
        if self.quick { full / 10 } else { full }
    }
}
