//! The share sessions that were opened over one connection: they end with it.

use std::cell::RefCell;
use std::collections::HashMap;

use onrush_broker::Broker;

/// The sessions of one connection, by group and member; dropping it tells the broker that they
/// are gone, so that what their members hold goes to others without waiting for a time-out.
#[derive(Debug)]
pub(crate) struct ShareSessions {
    broker: Broker,
    open: RefCell<HashMap<(String, String), u64>>,
}

impl ShareSessions {
    pub(crate) fn new(broker: Broker) -> ShareSessions {
        ShareSessions { broker, open: RefCell::default() }
    }

    /// A session is used over this connection.
    pub(super) fn note(&self, group: &str, member: &str, id: u64) {
        let known = (group.to_owned(), member.to_owned());
        self.open.borrow_mut().insert(known, id);
    }

    /// A session was closed in order.
    pub(super) fn forget(&self, group: &str, member: &str) {
        self.open.borrow_mut().remove(&(group.to_owned(), member.to_owned()));
    }
}

impl Drop for ShareSessions {
    fn drop(&mut self) {
        for ((group, member), id) in self.open.get_mut().drain() {
            self.broker.share_session_lost(&group, &member, id);
        }
    }
}
