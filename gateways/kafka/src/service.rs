//! What opens connections of the Kafka protocol.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use onrush_broker::{Broker, Gauge};
use onrush_gateway_net::{Peer, Service, Shared};

use crate::context::{Context, Endpoint};
use crate::handle::share::ShareSessions;
use crate::options::Options;
use crate::session::Session;

/// The Kafka protocol, as a broker speaks it at one listener.
#[derive(Clone, Debug)]
pub struct Kafka {
    options: Arc<Options>,
    listener: Arc<str>,
    /// Nothing: what they have connected to already.
    advertised: Option<Arc<Endpoint>>,
    open: Gauge,
}

impl Kafka {
    /// The listener `name` of this broker, whose clients are told to connect to the address they
    /// have connected to.
    pub fn new(broker: &Broker, options: Arc<Options>, name: &str) -> Kafka {
        let open = broker.metrics().connections("kafka");
        Kafka { options, listener: name.into(), advertised: None, open }
    }

    /// The same, but its clients are told to connect to this address.
    #[must_use]
    pub fn advertise(self, host: &str, port: u16) -> Kafka {
        let endpoint = Endpoint { name: self.listener.to_string(), host: host.to_owned(), port };
        Kafka { advertised: Some(Arc::new(endpoint)), ..self }
    }
}

impl Service for Kafka {
    type Conversation = Session;

    fn open(&self, shared: &Rc<Shared>, peer: &Peer) -> Session {
        let endpoint = self.advertised.clone().unwrap_or_else(|| {
            let (host, port) = (peer.local.ip().to_canonical().to_string(), peer.local.port());
            Arc::new(Endpoint { name: self.listener.to_string(), host, port })
        });
        let context = Context {
            shares: ShareSessions::new(shared.broker.clone()),
            broker: shared.broker.clone(),
            options: Arc::clone(&self.options),
            host: peer.remote.ip().to_canonical().to_string().into(),
            endpoint,
            throttle: RefCell::default(),
        };
        Session::new(shared, context)
    }

    fn connections(&self) -> &Gauge {
        &self.open
    }

    fn connections_max(&self) -> usize {
        self.options.connections_max
    }
}
