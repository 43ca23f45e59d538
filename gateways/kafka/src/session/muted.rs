//! A client that is over its quota: its answers tell it to wait, and nothing more is taken from its
//! connection until then, whether it heeds that or not.

use std::time::Duration;

use onrush_broker::QuotaKind;
use onrush_gateway_net::Conversation as _;

use super::Session;

/// What a connection's client has to do with quotas.
#[derive(Debug, Default)]
pub(super) struct Muted {
    /// What the client last called itself.
    client: String,
    /// Until when nothing is taken from it; zero: it never was muted.
    until: Duration,
}

impl Muted {
    /// The client says what it calls itself.
    pub(super) fn calls_itself(&mut self, client: Option<&str>) {
        let client = client.unwrap_or_default();
        if self.client != client {
            client.clone_into(&mut self.client);
        }
    }

    /// When it ends, if it does not have yet.
    pub(super) fn deadline(&self, now: Duration) -> Option<Duration> {
        (self.until > now).then_some(self.until)
    }
}

impl Session {
    /// Charges the client for bytes; gives the milliseconds that the answer is to tell it to wait.
    pub(super) fn charge(&mut self, kind: QuotaKind, bytes: u64) -> i32 {
        let wait = self.context.broker.charge(kind, &self.muted.client, bytes);
        if wait.is_zero() {
            return 0;
        }
        self.muted.until = self.muted.until.max(self.context.now().saturating_add(wait));
        self.note_deadline(self.muted.until);
        i32::try_from(wait.as_millis()).unwrap_or(i32::MAX).max(1)
    }

    /// Whether nothing is taken from the client now.
    pub(super) fn is_muted(&self) -> bool {
        !self.muted.until.is_zero() && self.muted.deadline(self.context.now()).is_some()
    }
}
