//! Who runs in the race.

use std::fmt;

use crate::client::Client;
use crate::peer::PeerName;

/// A broker under a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Contender {
    pub(crate) peer: PeerName,
    pub(crate) client: Client,
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.peer.title(), self.client.title())
    }
}
