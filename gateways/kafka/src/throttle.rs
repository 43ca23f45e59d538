//! Clients with a quota: their answers tell them to wait, and their connections are muted until then.

use std::time::Duration;

use onrush_broker::{Allowance, QuotaKind};

use crate::context::Context;

impl Context {
    /// Charges the client for bytes, and mutes its connection if that is more than it may; gives the
    /// milliseconds that the answer is to tell it to wait.
    pub(crate) fn charge(&self, kind: QuotaKind, bytes: u64) -> i32 {
        let owed = self.throttle.borrow().charge(&self.broker, kind, bytes);
        self.mute(kind, owed)
    }

    /// Mutes the connection for what its client owes; gives the milliseconds that the answer is to
    /// tell it to wait.
    pub(crate) fn mute(&self, kind: QuotaKind, owed: Duration) -> i32 {
        if owed.is_zero() {
            return 0;
        }
        let wait = self.throttle.borrow_mut().mute(&self.broker, kind, owed);
        i32::try_from(wait.as_millis()).unwrap_or(i32::MAX).max(1)
    }

    /// What the client may be given now; nothing: it has no quota.
    pub(crate) fn allowance(&self) -> Option<Allowance> {
        self.throttle.borrow().allowance(&self.broker)
    }

    /// When to look again, if nothing is taken from the client now.
    pub(crate) fn muted_until(&self) -> Option<Duration> {
        self.throttle.borrow_mut().muted_until(&self.broker)
    }

    /// The client says what it calls itself.
    pub(crate) fn calls_itself(&self, client: Option<&str>) {
        self.throttle.borrow_mut().calls_itself(client.unwrap_or_default());
    }
}
