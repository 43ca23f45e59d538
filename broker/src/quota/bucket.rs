//! How fast one client may go: a bucket of tokens, kept as one point in time.

use std::time::Duration;

/// A client that was silent may send what a second's rate allows at once.
const BURST: Duration = Duration::from_secs(1);

/// The longest that may be owed: who has sent too much on many connections at once is not punished
/// for days.
const DEBT_MAX: Duration = Duration::from_secs(600);

/// A bucket that is filled at a steady rate, and may be overdrawn: who takes more than is in it waits
/// afterwards, not before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    /// When all that was taken is paid for.
    paid_at: Duration,
}

impl Bucket {
    /// Takes bytes at `rate` a second; tells how long to wait before more is taken.
    pub(super) fn take(&mut self, now: Duration, bytes: u64, rate: u64) -> Duration {
        let cost = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
        let cost = Duration::from_nanos(u64::try_from(cost).unwrap_or(u64::MAX));
        let from = self.paid_at.max(now.saturating_sub(BURST));
        self.paid_at = from.saturating_add(cost).min(now.saturating_add(DEBT_MAX));
        self.owed(now)
    }

    /// How long it takes until all that was taken is paid for.
    pub(super) fn owed(&self, now: Duration) -> Duration {
        self.paid_at.saturating_sub(now)
    }

    /// Whether it is as good as a new one.
    pub(super) fn is_full(&self, now: Duration) -> bool {
        self.paid_at <= now.saturating_sub(BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_is_free_and_the_rest_is_waited_for() {
        let mut bucket = Bucket::default();
        let now = ms(100_000);
        assert_eq!(bucket.take(now, 1000, 1000), ms(0), "a second's worth");
        assert_eq!(bucket.take(now, 500, 1000), ms(500));
        assert_eq!(bucket.take(now + ms(500), 250, 1000), ms(250));
        assert!(!bucket.is_full(now + ms(1749)));
        assert!(bucket.is_full(now + ms(1750)));
    }

    #[test]
    fn who_heeds_it_keeps_the_rate() {
        let (mut bucket, mut now, mut sent) = (Bucket::default(), ms(50_000), 0);
        while now < ms(60_000) {
            sent += 300;
            now += bucket.take(now, 300, 1000).max(ms(1));
        }
        assert!((10_000..=11_300).contains(&sent), "{sent} bytes in 10 s at 1000 a second");
    }

    #[test]
    fn nothing_overflows() {
        let mut bucket = Bucket::default();
        bucket.take(ms(1), u64::MAX, 1);
        assert_eq!(bucket.take(ms(1), u64::MAX, 0), DEBT_MAX);
    }

    #[test]
    fn no_more_is_owed_than_can_be_waited_for() {
        let mut bucket = Bucket::default();
        (0..20).for_each(|_| assert!(bucket.take(ms(1), 1_000_000, 10_000) <= DEBT_MAX));
        assert_eq!(bucket.take(DEBT_MAX + ms(1), 10_000, 10_000), ms(1000));
    }
}
