//! The broker to load: one at an address, or one inside this process.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use onrush::{Config, Onrush};
use onrush_client::Client;

use crate::args::RunArgs;
use crate::meter::Meter;

/// Where a broker listens unless it is told otherwise.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:7222";

/// A broker that connections can be made to.
#[derive(Clone, Debug)]
pub enum Target {
    /// At an address.
    Address(Arc<str>),
    /// Inside this process, for as long as one of these lives.
    Embedded(Arc<Onrush>),
    /// At an address, by the Kafka protocol.
    Kafka(Arc<str>),
}

impl Target {
    /// The broker of a run.
    pub fn of(args: &RunArgs) -> Result<Target> {
        match &args.kafka {
            Some(_) if cfg!(not(feature = "kafka")) => bail!(
                "this load generator was built without its Kafka client: build it with `cargo \
                 build --release -p onrush-loadgen --features kafka` (takes make and a C compiler)"
            ),
            Some(address) => Ok(Target::Kafka(address.as_str().into())),
            None if args.embedded => Target::embedded(),
            None => Ok(Target::at(&args.target)),
        }
    }

    /// The broker at an address.
    #[must_use]
    pub fn at(address: &str) -> Target {
        Target::Address(address.into())
    }

    /// A new broker inside this process, its files gone with it.
    pub fn embedded() -> Result<Target> {
        let onrush = Onrush::open(Config::ephemeral()).context("cannot open an embedded broker")?;
        Ok(Target::Embedded(Arc::new(onrush)))
    }

    /// A new connection.
    pub async fn connect(&self) -> Result<Client> {
        match self {
            Target::Address(address) => Client::builder()
                .server(&**address)
                .client_id("onrush-loadgen")
                .connect()
                .await
                .with_context(|| format!("cannot connect to {address}")),
            Target::Embedded(onrush) => Ok(onrush.client()),
            Target::Kafka(address) => bail!("{address} is spoken to by the Kafka protocol only"),
        }
    }

    /// Whose CPU and memory are the broker's, where that is known.
    #[must_use]
    pub fn meter(&self, pid: Option<u32>) -> Option<Meter> {
        match self {
            Target::Address(_) | Target::Kafka(_) => pid.map(Meter::Pid),
            Target::Embedded(_) => Some(Meter::Own),
        }
    }

    /// What to call it in a report.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Target::Address(address) => address.to_string(),
            Target::Embedded(_) => "embedded".to_owned(),
            Target::Kafka(address) => format!("Kafka at {address}"),
        }
    }
}
