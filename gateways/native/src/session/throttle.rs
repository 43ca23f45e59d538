//! Clients with a quota. They need not wait, for the broker does it for them: it reads no more of who
//! has sent too much, and tells it; and who was given too much is given nothing, fetched or subscribed
//! to, until that is paid for.

use std::time::Duration;

use onrush_broker::QuotaKind;
use onrush_gateway_net::Conversation as _;
use onrush_protocol::response::Throttle;
use onrush_protocol::{Message as _, Opcode, features};

use super::Session;

/// How long a fetch whose client owes is kept waiting, even if that is longer than it would wait
/// for records: what is answered at once is asked for again at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look at the least whether what is owed was forgiven.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What the client may be given now.
pub(super) enum Given {
    /// At most so many bytes at once, a batch that is larger excepted.
    Bytes(u32),
    /// Nothing; look again then.
    NothingUntil(Duration),
}

impl Session {
    /// The client has sent so many bytes.
    pub(super) fn charge_sent(&mut self, bytes: usize) {
        let owed = self.throttle.charge(&self.broker, QuotaKind::Produce, bytes as u64);
        // What came with the same read is still taken, and charged.
        let wait = self.throttle.mute(&self.broker, QuotaKind::Produce, owed);
        if wait.is_zero() {
            return;
        }
        if let Some(until) = self.throttle.muted_until(&self.broker) {
            self.note_deadline(until);
        }
        // Unless told, it would give up the connection in time, and be free on the next one.
        if self.features & features::THROTTLE != 0 {
            let wait_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).saturating_add(1);
            self.outbox.push(Opcode::Throttle, None, |body| Throttle { wait_ms }.encode(body));
        }
    }

    /// Whether nothing is taken from the client now.
    pub(super) fn over_quota(&mut self) -> bool {
        self.throttle.muted_until(&self.broker).is_some()
    }

    /// The client is given so many bytes.
    pub(super) fn charge_given(&self, bytes: u64) {
        // What that makes it wait is seen when it is to be given more.
        let _ = self.throttle.charge(&self.broker, QuotaKind::Fetch, bytes);
    }

    /// What the client may be given now.
    pub(super) fn may_be_given(&self) -> Given {
        match self.throttle.allowance(&self.broker) {
            None => Given::Bytes(u32::MAX),
            Some(allowance) if allowance.owed.is_zero() => {
                Given::Bytes(u32::try_from(allowance.bytes).unwrap_or(u32::MAX))
            }
            Some(allowance) => {
                let wait = allowance.owed.min(LOOK_EVERY);
                Given::NothingUntil(self.now().saturating_add(wait))
            }
        }
    }
}
