//! What handlers may use.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use onrush_broker::Broker;
use onrush_gateway_net::Throttle;

use crate::handle::share::ShareSessions;
use crate::options::Options;

/// Where clients of one listener are told to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name, as in `PLAINTEXT` or `DOCKER`.
    pub name: String,
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// One connection, as far as it concerns handlers.
#[derive(Debug)]
pub(crate) struct Context {
    /// Whom it is served by.
    pub(crate) broker: Broker,
    pub(crate) options: Arc<Options>,
    /// Where the client connects from.
    pub(crate) host: Arc<str>,
    /// What the client is to be told to connect to.
    pub(crate) endpoint: Arc<Endpoint>,
    /// The share sessions that end with it.
    pub(crate) shares: ShareSessions,
    /// Whether the client is over its quota.
    pub(crate) throttle: RefCell<Throttle>,
}

impl Context {
    /// The broker's clock.
    pub(crate) fn now(&self) -> Duration {
        self.broker.clock().monotonic()
    }
}
