//! Quotas: how many bytes a second a client may send or fetch.
//!
//! Clients are told apart by what they call themselves, as in Kafka where there are no users. A quota
//! is kept in the metadata journal. What comes from a client and what it is given is charged to it.
//! Whatever its size, all of it is remembered: a gateway makes the client wait until it is paid for,
//! so that the rate holds in the long run. Nothing that was sent is refused, or waits before it is
//! done; who owes for what it fetched is given no more until that is paid for.

mod bucket;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use bucket::Bucket;

/// One answer gives a client no more than what its rate allows in so long, a batch that is larger
/// excepted: it would have to wait for longer than it may be patient. As much as with Kafka.
const ANSWER_SECONDS: u64 = 10;

/// Clients beyond which those that owe nothing are forgotten; if none is left, others share what one may.
const CLIENTS_MAX: usize = 10_000;
/// How often at the most they are looked through for that.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Whose quota it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuotaEntity {
    /// Each client's that has none of its own.
    AnyClient,
    /// A client's, by what it calls itself.
    Client(String),
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaKind {
    /// What clients send.
    Produce,
    /// What they fetch.
    Fetch,
}

/// A quota: bytes a second; None: not limited here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaLimits {
    /// Of what is sent.
    pub produce: Option<u64>,
    /// Of what is fetched.
    pub fetch: Option<u64>,
}

impl QuotaLimits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.produce.is_none() && self.fetch.is_none()
    }

    fn of(&self, kind: QuotaKind) -> Option<u64> {
        match kind {
            QuotaKind::Produce => self.produce,
            QuotaKind::Fetch => self.fetch,
        }
    }
}

/// What may be given to a client that has a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How long it takes until what it was given is paid for.
    pub owed: Duration,
    /// How many bytes one answer gives it at most, a batch that is larger excepted.
    pub bytes: u64,
}

/// All quotas, by whose they are.
pub(crate) type QuotaTable = BTreeMap<QuotaEntity, QuotaLimits>;

/// The quotas in force, and what clients have used of them.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    /// There are any: a broker without quotas takes no lock for them.
    limited: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Of any client.
    any: QuotaLimits,
    /// Of those that have their own.
    own: HashMap<String, QuotaLimits>,
    produced: Buckets,
    fetched: Buckets,
}

/// What clients have used of one kind.
#[derive(Debug, Default)]
struct Buckets {
    of_client: HashMap<String, Bucket>,
    /// Of all those for which there is no room any more.
    of_others: Bucket,
    /// When to look again for those that owe nothing.
    sweep_at: Duration,
}

impl Buckets {
    fn take(&mut self, now: Duration, client: &str, bytes: u64, rate: u64) -> Duration {
        if let Some(bucket) = self.of_client.get_mut(client) {
            return bucket.take(now, bytes, rate);
        }
        if !self.has_room(now) {
            return self.of_others.take(now, bytes, rate);
        }
        self.of_client.entry(client.to_owned()).or_default().take(now, bytes, rate)
    }

    fn owed(&mut self, now: Duration, client: &str) -> Duration {
        if let Some(bucket) = self.of_client.get(client) {
            return bucket.owed(now);
        }
        if self.has_room(now) { Duration::ZERO } else { self.of_others.owed(now) }
    }

    /// Whether there is room for another client, once those that owe nothing are forgotten.
    fn has_room(&mut self, now: Duration) -> bool {
        if self.of_client.len() >= CLIENTS_MAX && now >= self.sweep_at {
            self.sweep_at = now.saturating_add(SWEEP_EVERY);
            self.of_client.retain(|_, bucket| !bucket.is_full(now));
        }
        self.of_client.len() < CLIENTS_MAX
    }
}

impl State {
    /// The rate of a client, if it has one, and what clients have used of such.
    fn limit(&mut self, client: &str, kind: QuotaKind) -> Option<(u64, &mut Buckets)> {
        let own = self.own.get(client).and_then(|own| own.of(kind));
        let rate = own.or(self.any.of(kind))?;
        let buckets = match kind {
            QuotaKind::Produce => &mut self.produced,
            QuotaKind::Fetch => &mut self.fetched,
        };
        Some((rate, buckets))
    }
}

impl Quotas {
    /// Puts other quotas in force. What clients owe by the old ones is forgiven.
    pub(crate) fn replace(&self, table: QuotaTable) {
        let mut state = self.state.lock();
        self.limited.store(!table.is_empty(), Ordering::SeqCst);
        *state = State::default();
        for (entity, limits) in table {
            match entity {
                QuotaEntity::AnyClient => state.any = limits,
                QuotaEntity::Client(name) => drop(state.own.insert(name, limits)),
            }
        }
    }

    /// Charges bytes to a client; tells how long it is to wait.
    pub(crate) fn charge(
        &self,
        now: Duration,
        client: &str,
        kind: QuotaKind,
        bytes: u64,
    ) -> Duration {
        if !self.is_limited() {
            return Duration::ZERO;
        }
        let mut state = self.state.lock();
        let Some((rate, buckets)) = state.limit(client, kind) else { return Duration::ZERO };
        buckets.take(now, client, bytes, rate)
    }

    /// What a client may be given now; nothing: as much as it likes.
    pub(crate) fn allowance(
        &self,
        now: Duration,
        client: &str,
        kind: QuotaKind,
    ) -> Option<Allowance> {
        if !self.is_limited() {
            return None;
        }
        let mut state = self.state.lock();
        let (rate, buckets) = state.limit(client, kind)?;
        let owed = buckets.owed(now, client);
        Some(Allowance { owed, bytes: rate.saturating_mul(ANSWER_SECONDS) })
    }

    /// Whether anybody has a quota.
    pub(crate) fn is_limited(&self) -> bool {
        self.limited.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn limits(produce: u64) -> QuotaLimits {
        QuotaLimits { produce: Some(produce), fetch: None }
    }

    #[test]
    fn a_quota_of_its_own_comes_before_that_of_any_client() {
        let quotas = Quotas::default();
        assert_eq!(quotas.charge(NOW, "a", QuotaKind::Produce, 1 << 40), Duration::ZERO);
        let own = QuotaLimits { fetch: Some(10), ..limits(100) };
        quotas.replace(BTreeMap::from([
            (QuotaEntity::AnyClient, limits(10)),
            (QuotaEntity::Client("a".to_owned()), own),
            (QuotaEntity::Client("b".to_owned()), QuotaLimits { produce: None, fetch: Some(5) }),
        ]));
        let charge = |client: &str, kind| quotas.charge(NOW, client, kind, 200).as_secs();
        assert_eq!(charge("a", QuotaKind::Produce), 1);
        assert_eq!(charge("b", QuotaKind::Produce), 19);
        assert_eq!(charge("", QuotaKind::Produce), 19);
        assert_eq!(charge("", QuotaKind::Fetch), 0);
        assert_eq!(charge("a", QuotaKind::Fetch), 19);
        let allowance = |client: &str| quotas.allowance(NOW, client, QuotaKind::Fetch);
        assert_eq!(allowance(""), None);
        let paid = Allowance { owed: Duration::ZERO, bytes: 50 };
        assert_eq!(allowance("b"), Some(paid));
        assert_eq!(allowance("a"), Some(Allowance { owed: Duration::from_secs(19), bytes: 100 }));
        quotas.replace(QuotaTable::new());
        assert_eq!(charge("a", QuotaKind::Produce), 0);
    }

    #[test]
    fn what_clients_call_themselves_does_not_fill_the_memory() {
        let quotas = Quotas::default();
        quotas.replace(BTreeMap::from([(QuotaEntity::AnyClient, limits(1000))]));
        let charge = |now, client: usize, bytes| {
            quotas.charge(now, &client.to_string(), QuotaKind::Produce, bytes)
        };
        let known = || quotas.state.lock().produced.of_client.len();
        for client in 0..CLIENTS_MAX {
            assert!(charge(NOW, client, 10).is_zero());
        }
        // There is room for no other: those who owe, too, share what one may.
        let waits: Vec<_> = (0..100).map(|n| charge(NOW, CLIENTS_MAX + n, 5000)).collect();
        assert!(waits.is_sorted() && waits[0] > Duration::ZERO);
        assert_eq!(known(), CLIENTS_MAX);
        let later = NOW + Duration::from_secs(2);
        assert!(!charge(later, usize::MAX, 5000).is_zero());
        assert_eq!(known(), 1);
    }

    #[test]
    fn who_is_new_does_not_wait_for_others_once_there_is_room() {
        let quotas = Quotas::default();
        quotas.replace(BTreeMap::from([(QuotaEntity::AnyClient, limits(1000))]));
        let charge = |client: &str, bytes| quotas.charge(NOW, client, QuotaKind::Produce, bytes);
        for client in 0..CLIENTS_MAX {
            charge(&client.to_string(), 10);
        }
        assert!(charge("another", 1 << 30) > Duration::from_secs(500));
        let owed =
            |now| quotas.allowance(now, "new", QuotaKind::Produce).map(|allowance| allowance.owed);
        assert!(owed(NOW) > Some(Duration::from_secs(500)));
        assert_eq!(owed(NOW + Duration::from_secs(2)), Some(Duration::ZERO));
    }
}
