//! A client that is over its quota: nothing more is taken from its connection for a while, whether
//! it heeds what it is told or not.

use std::time::Duration;

use onrush_broker::{Allowance, Broker, QuotaKind};

/// The longest that a connection is muted for what was sent on it: one that its client has given up,
/// having sent something that is unread, is found out only then.
const SENT_WAIT_MAX: Duration = Duration::from_secs(600);
/// The same for what it was given. That needs no more, for whoever owes is given nothing.
const GIVEN_WAIT_MAX: Duration = Duration::from_secs(10);
/// How often to look whether the client has another quota now.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What a connection's client has to do with quotas.
#[derive(Debug, Default)]
pub struct Throttle {
    /// What the client last called itself.
    client: String,
    muted: Option<Mute>,
}

#[derive(Debug)]
struct Mute {
    kind: QuotaKind,
    until: Duration,
    /// When to look again, no later than that.
    look_at: Duration,
}

impl Throttle {
    /// The client says what it calls itself.
    pub fn calls_itself(&mut self, client: &str) {
        if self.client != client {
            client.clone_into(&mut self.client);
        }
    }

    /// Charges the client for bytes that it sent, or is given.
    pub fn charge(&self, broker: &Broker, kind: QuotaKind, bytes: u64) -> Duration {
        broker.charge(kind, &self.client, bytes)
    }

    /// What the client may be given now; nothing: it has no quota.
    pub fn allowance(&self, broker: &Broker) -> Option<Allowance> {
        broker.allowance(QuotaKind::Fetch, &self.client)
    }

    /// Mutes the connection for what its client owes. Tells for how long: zero if it owes nothing.
    pub fn mute(&mut self, broker: &Broker, kind: QuotaKind, owed: Duration) -> Duration {
        let wait = match kind {
            QuotaKind::Produce => owed.min(SENT_WAIT_MAX),
            QuotaKind::Fetch => owed.min(GIVEN_WAIT_MAX),
        };
        if !wait.is_zero() {
            let now = broker.clock().monotonic();
            let until = now.saturating_add(wait);
            if self.muted.as_ref().is_none_or(|mute| mute.until < until) {
                let look_at = until.min(now.saturating_add(LOOK_EVERY));
                self.muted = Some(Mute { kind, until, look_at });
            }
        }
        wait
    }

    /// When to look again, if the connection is muted now.
    pub fn muted_until(&mut self, broker: &Broker) -> Option<Duration> {
        let mute = self.muted.as_mut()?;
        let now = broker.clock().monotonic();
        if now >= mute.look_at {
            // What a client owes is forgiven when quotas change.
            let owes = || Some(broker.allowance(mute.kind, &self.client)?.owed);
            if now >= mute.until || owes().is_none_or(|owed| owed.is_zero()) {
                self.muted = None;
                return None;
            }
            mute.look_at = mute.until.min(now.saturating_add(LOOK_EVERY));
        }
        Some(mute.look_at)
    }
}
