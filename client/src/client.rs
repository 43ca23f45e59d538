//! The client: where producers, consumers and the admin interface come from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use onrush_sys::{Clock, SystemClock};

use crate::admin::Admin;
use crate::connector::Connector;
use crate::consumer::ConsumerBuilder;
use crate::error::{Error, Result};
use crate::net::TcpConnector;
use crate::net::link::{LazyLink, LinkConfig};
use crate::producer::ProducerBuilder;

/// A connection to a broker, and what everything made from it shares.
///
/// Cloning is cheap. A producer or consumer made from a client has a connection of its own and
/// outlives it. All background work runs as tasks of the tokio runtime on which it was started,
/// of any flavour, with I/O and time enabled; it ends when the handle is dropped.
#[derive(Clone)]
pub struct Client {
    link: Arc<LazyLink>,
}

impl Client {
    /// A client of the broker at `server` (`host:port`), with defaults.
    ///
    /// # Errors
    /// When the broker cannot be reached. A connection that is lost later comes back by itself.
    pub async fn connect(server: &str) -> Result<Self> {
        Self::builder().server(server).connect().await
    }

    /// Sets what differs from the defaults.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            servers: Vec::new(),
            connector: None,
            client_id: "onrush-client".into(),
            clock: None,
            request_timeout: Duration::from_secs(30),
        }
    }

    /// Begins a producer.
    pub fn producer(&self) -> ProducerBuilder {
        ProducerBuilder::new(self.config())
    }

    /// Begins a consumer.
    pub fn consumer(&self) -> ConsumerBuilder {
        ConsumerBuilder::new(self.config())
    }

    /// Topics, offsets and groups.
    pub fn admin(&self) -> Admin {
        Admin::new(Arc::clone(&self.link))
    }

    /// A client of the same broker that shares no connection with this one. The connection that
    /// clones share is served by the runtime it was first used in: work in another runtime, which
    /// may run while that one does not, needs its own.
    #[must_use]
    pub fn anew(&self) -> Client {
        Client { link: Arc::new(LazyLink::new(self.config())) }
    }

    fn config(&self) -> LinkConfig {
        self.link.config().clone()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("config", self.link.config()).finish()
    }
}

/// Sets up a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    servers: Vec<String>,
    connector: Option<Arc<dyn Connector>>,
    client_id: Arc<str>,
    clock: Option<Arc<dyn Clock>>,
    request_timeout: Duration,
}

impl ClientBuilder {
    /// Where the broker is, as `host:port`. Given more than once, the addresses are tried in turn.
    #[must_use]
    pub fn server(mut self, address: impl Into<String>) -> Self {
        self.servers.push(address.into());
        self
    }

    /// Another way to reach the broker than TCP.
    #[must_use]
    pub fn connector(mut self, connector: Arc<dyn Connector>) -> Self {
        self.connector = Some(connector);
        self
    }

    /// What the client calls itself; operators see it. Default: `onrush-client`.
    #[must_use]
    pub fn client_id(mut self, client_id: impl Into<Arc<str>>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// Where time comes from. Default: the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// How long a request may take. Default: 30 s.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when no broker answers.
    pub async fn connect(self) -> Result<Client> {
        let client = self.lazy()?;
        client.link.get().await?;
        Ok(client)
    }

    /// A client that connects when it is first used.
    ///
    /// # Errors
    /// When neither a server nor a connector was given.
    pub fn lazy(self) -> Result<Client> {
        let connector = match self.connector {
            Some(connector) => connector,
            None if self.servers.is_empty() => {
                return Err(Error::invalid("no server was named: call server() or connector()"));
            }
            None => Arc::new(TcpConnector::new(self.servers)),
        };
        let config = LinkConfig {
            connector,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock)),
            client_id: self.client_id,
            request_timeout: self.request_timeout,
        };
        Ok(Client { link: Arc::new(LazyLink::new(config)) })
    }
}
