//! Real Kafka clients against a running broker: installs them, runs the cases of `tests/clients/`.

mod broker;
mod cases;
mod history;
pub(crate) mod kits;
mod runner;

use crate::steps::Outcome;
use anyhow::{Context, bail, ensure};
use broker::Broker;
use cases::Case;
use clap::Args;
use kits::Kits;
use runner::Verdict;
use std::path::{Path, PathBuf};

/// Which clients, against what.
#[derive(Args)]
pub(crate) struct Options {
    /// Only the cases whose name contains this text.
    #[arg(long)]
    only: Option<String>,
    /// A broker that runs already, instead of one of ours; be it another Kafka.
    #[arg(long, value_name = "HOST:PORT")]
    against: Option<String>,
    /// The clients of `cargo xtask test --all` too, and the long versions of all.
    #[arg(long)]
    all: bool,
    /// The cases that wait for an ability of the broker too.
    #[arg(long)]
    waiting: bool,
    /// How many cases run at once [default: one more than there are cores].
    #[arg(long)]
    jobs: Option<usize>,
}

/// Where things are.
pub(crate) struct Places {
    /// `tests/clients`.
    sources: PathBuf,
    /// What is installed, and logs.
    cache: PathBuf,
    /// Our own programs: the release binaries, unless `ONRUSH_BINARIES` names a folder.
    binaries: PathBuf,
    /// Whether the long versions of the cases were asked for.
    long: bool,
}

impl Places {
    fn under(target: &Path, long: bool) -> anyhow::Result<Places> {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is in a folder")?;
        std::fs::create_dir_all(target).context("cannot make the target directory")?;
        // Other programs run elsewhere: their paths must not depend on where this one does.
        let target = target.canonicalize().context("cannot find the target directory")?;
        Ok(Places {
            sources: top.join("tests/clients"),
            cache: target.join("clients"),
            binaries: std::path::absolute(
                std::env::var_os("ONRUSH_BINARIES")
                    .map_or_else(|| target.join("release"), PathBuf::from),
            )
            .context("cannot tell where our own programs are")?,
            long,
        })
    }
}

/// The step of `cargo xtask test`; the release binaries are there.
pub(crate) fn step(target: &Path, all: bool) -> Outcome {
    let options = Options { only: None, against: None, all, waiting: false, jobs: None };
    match execute(target, &options) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Failed(format!("{error:#}")),
    }
}

/// `cargo xtask clients`.
pub(crate) fn run(target: &Path, options: &Options) -> anyhow::Result<()> {
    let ours = options.against.is_none() && std::env::var_os("ONRUSH_BINARIES").is_none();
    if ours && let Outcome::Failed(why) = crate::test::release_binaries() {
        bail!(why);
    }
    match execute(target, options)? {
        Outcome::Passed => Ok(()),
        Outcome::Skipped(why) | Outcome::Failed(why) => bail!(why),
    }
}

/// Fetches the libraries of Apache Kafka, its server and tools among them, and tells where they are.
pub(crate) fn kafka_libraries(target: &Path) -> anyhow::Result<PathBuf> {
    kits::kafka_libraries(&Places::under(target, false)?)
}

fn execute(target: &Path, options: &Options) -> anyhow::Result<Outcome> {
    let places = Places::under(target, options.all)?;
    let mut cases = cases::read(&places.sources.join("cases.toml"))?;
    cases.retain(|case| {
        (options.all || !case.all)
            && options.only.as_deref().is_none_or(|text| case.name.contains(text))
    });
    ensure!(!cases.is_empty(), "no case has such a name; tests/clients/cases.toml has them");
    let (waiting, cases): (Vec<Case>, Vec<Case>) =
        cases.into_iter().partition(|case| case.waits_for.is_some() && !options.waiting);
    let (own, cases): (Vec<Case>, Vec<Case>) =
        cases.into_iter().partition(|case| case.own_broker && options.against.is_some());
    for case in &own {
        println!("  NOT RUN  {}: it kills its broker, and starts one of ours for that", case.name);
    }
    for case in &waiting {
        let ability = case.waits_for.as_deref().unwrap_or_default();
        println!("  WAITING  {}: until the broker has {ability}", case.name);
    }
    if cases.is_empty() {
        return Ok(Outcome::Skipped("none of these cases can be run here".to_owned()));
    }
    let kits = Kits::prepare(&places, &cases)?;
    let broker = match &options.against {
        Some(_) => None,
        None => Some(Broker::start(&places)?),
    };
    let address = match (&options.against, &broker) {
        (Some(address), _) => address.clone(),
        (None, Some(broker)) => broker.kafka().to_owned(),
        (None, None) => bail!("there is no broker"),
    };
    let jobs = options.jobs.unwrap_or_else(|| {
        // Cases wait more than they compute.
        std::thread::available_parallelism().map_or(2, usize::from) + 1
    });
    let verdicts = runner::run_all(&places, &kits, &cases, &address, jobs.max(1));
    if let Some(broker) = broker {
        broker.stop()?;
    }
    Ok(sum_up(&cases, &verdicts))
}

/// The outcome of all; on CI's machine no client may be missing.
fn sum_up(cases: &[Case], verdicts: &[Verdict]) -> Outcome {
    let named = |wanted: fn(&Verdict) -> bool| -> Vec<&str> {
        let all = cases.iter().zip(verdicts);
        all.filter(|(_, verdict)| wanted(verdict)).map(|(case, _)| case.name.as_str()).collect()
    };
    let passed = named(|verdict| matches!(verdict, Verdict::Passed));
    let failed = named(|verdict| matches!(verdict, Verdict::Failed));
    let skipped = named(|verdict| matches!(verdict, Verdict::Skipped));
    println!(
        "\nclients: {} passed, {} failed, {} skipped",
        passed.len(),
        failed.len(),
        skipped.len()
    );
    if !failed.is_empty() {
        Outcome::Failed(format!("these cases failed: {}", failed.join(", ")))
    } else if skipped.is_empty() {
        Outcome::Passed
    } else if std::env::var_os("CI").is_some() {
        Outcome::Failed(format!("no client may be missing here: {}", skipped.join(", ")))
    } else {
        Outcome::Skipped(format!("clients that are missing: {}", skipped.join(", ")))
    }
}
