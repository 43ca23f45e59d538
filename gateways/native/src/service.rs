//! What opens connections of the native protocol, with and without a socket.

use std::rc::Rc;
use std::sync::Arc;

use onrush_broker::{Broker, Gauge};
use onrush_gateway_net::{Peer, Service, ShardHandle, Shared};
use parking_lot::Mutex;

use crate::in_process::{self, InProcess};
use crate::options::Options;
use crate::pipe;
use crate::session::Session;

/// Where clients reach the broker, once it listens.
#[derive(Clone, Debug, Default)]
pub struct Address(Arc<Mutex<Option<(String, u16)>>>);

impl Address {
    /// Sets it, unless it is set already.
    pub fn set(&self, host: &str, port: u16) {
        self.0.lock().get_or_insert_with(|| (host.to_owned(), port));
    }

    /// It, if the broker listens.
    pub fn get(&self) -> Option<(String, u16)> {
        self.0.lock().clone()
    }
}

/// The native protocol, as a broker speaks it.
#[derive(Clone, Debug)]
pub struct Native {
    options: Arc<Options>,
    address: Address,
    open: Gauge,
}

impl Native {
    /// Of this broker.
    pub fn new(broker: &Broker, options: Options, address: &Address) -> Native {
        let open = broker.metrics().connections("native");
        Native { options: Arc::new(options), address: address.clone(), open }
    }

    /// Opens a connection that needs no socket; nothing when the shard is gone for good.
    pub fn connect(&self, shard: &ShardHandle) -> Option<InProcess> {
        if shard.is_closed() {
            return None;
        }
        let (requests, from_client) = pipe::pipe();
        let (to_client, responses) = pipe::pipe();
        let end = in_process::ServerEnd { requests: from_client, responses: to_client };
        let service = self.clone();
        // When it cannot be taken the far end is dropped: a connection closed at once, which the
        // client opens anew.
        let _ = shard.begin(move |shared| in_process::start(shared, &service, end));
        Some(InProcess { requests, responses })
    }

    /// A conversation with a client on this host.
    pub(crate) fn session(&self, shared: &Rc<Shared>, host: &str) -> Session {
        Session::new(shared, &self.options, &self.address, host)
    }
}

impl Service for Native {
    type Conversation = Session;

    fn open(&self, shared: &Rc<Shared>, peer: &Peer) -> Session {
        self.session(shared, &peer.remote.ip().to_string())
    }

    fn connections(&self) -> &Gauge {
        &self.open
    }
}
