//! Where things are, and how much work there is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use onrush_bench::machine::Scratch;

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// To make brokers warm.
    WarmUp,
    /// For trying things out, not for quoting.
    Quick,
    /// What figures are quoted from.
    Standard,
    /// The same work, and more of what only shows with more.
    Full,
}

impl Extent {
    /// Standard work is divided by this.
    pub(crate) fn divisor(self) -> u32 {
        match self {
            Extent::WarmUp => 10,
            Extent::Quick => 5,
            Extent::Standard | Extent::Full => 1,
        }
    }
}

/// What every part of a race needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    dir: PathBuf,
    binaries: PathBuf,
    kafka_libraries: Option<PathBuf>,
    peers: Option<PathBuf>,
    extent: Extent,
}

impl Setup {
    pub(crate) fn new(
        dir: PathBuf,
        binaries: Option<PathBuf>,
        kafka_libraries: Option<PathBuf>,
        peers: Option<PathBuf>,
        extent: Extent,
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
        Ok(Setup { dir, binaries, kafka_libraries, peers, extent })
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

    /// The same with less work.
    pub(crate) fn warm_up(&self) -> Setup {
        Setup { extent: Extent::WarmUp, ..self.clone() }
    }

    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }

    /// So much work, or a part of it.
    pub(crate) fn amount(&self, standard: u64) -> u64 {
        standard / u64::from(self.extent.divisor())
    }

    /// So long, or a part of it that still tells something.
    pub(crate) fn time(&self, standard: Duration) -> Duration {
        (standard / self.extent.divisor()).max(Duration::from_secs(2))
    }
}
