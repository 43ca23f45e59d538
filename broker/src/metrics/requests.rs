//! What gateways count of requests: each shard for itself, added up when somebody asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::{RequestLabels, name};

/// The shortest time told apart; each next one is twice as long.
const FIRST_NS: u64 = 50_000;
/// How many of them; the last is 13 s.
const STEPS: usize = 18;

/// What one shard counts of the requests of one gateway. It is written to by the shard's thread
/// only, without a lock.
pub struct RequestMeter {
    gateway: &'static str,
    kinds: Box<[Kind]>,
}

struct Kind {
    name: &'static str,
    taken: AtomicU64,
    nanos: AtomicU64,
    /// How many took at most so long; the last is for all that took longer.
    steps: [AtomicU64; STEPS + 1],
}

impl RequestMeter {
    /// A request of the kind with this number is taken in.
    pub fn taken(&self, kind: usize) {
        if let Some(kind) = self.kinds.get(kind) {
            add(&kind.taken, 1);
        }
    }

    /// One of that kind has been answered.
    pub fn answered(&self, kind: usize, took: Duration) {
        let Some(kind) = self.kinds.get(kind) else { return };
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        add(&kind.nanos, nanos);
        add(&kind.steps[step(nanos)], 1);
    }
}

/// Adds to what only this thread adds to: no need to shut out others in between.
fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

impl fmt::Debug for RequestMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestMeter").field("gateway", &self.gateway).finish_non_exhaustive()
    }
}

/// The first step that is no shorter.
fn step(nanos: u64) -> usize {
    let units = nanos.div_ceil(FIRST_NS);
    let doubled = u64::BITS - units.saturating_sub(1).leading_zeros();
    (doubled as usize).min(STEPS)
}

/// All meters there are.
#[derive(Debug, Default)]
pub(super) struct Requests {
    meters: Mutex<Vec<Arc<RequestMeter>>>,
}

/// What all shards counted of one kind.
#[derive(Default)]
struct Sum {
    taken: u64,
    nanos: u64,
    steps: [u64; STEPS + 1],
}

impl Requests {
    /// One more meter, for kinds of these names.
    pub(super) fn meter(
        &self,
        gateway: &'static str,
        kinds: impl IntoIterator<Item = &'static str>,
    ) -> Arc<RequestMeter> {
        let kind = |name| Kind {
            name,
            taken: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            steps: [const { AtomicU64::new(0) }; STEPS + 1],
        };
        let kinds = kinds.into_iter().map(kind).collect();
        let meter = Arc::new(RequestMeter { gateway, kinds });
        self.meters.lock().push(Arc::clone(&meter));
        meter
    }

    /// By gateway and name; those that never came are left out.
    fn sums(&self) -> BTreeMap<RequestLabels, Sum> {
        let mut sums: BTreeMap<_, Sum> = BTreeMap::new();
        for meter in self.meters.lock().iter() {
            for kind in &meter.kinds {
                let taken = kind.taken.load(Ordering::Relaxed);
                if taken == 0 {
                    continue;
                }
                let labels = RequestLabels { gateway: meter.gateway, request: kind.name };
                let sum = sums.entry(labels).or_default();
                sum.taken += taken;
                sum.nanos = sum.nanos.wrapping_add(kind.nanos.load(Ordering::Relaxed));
                for (all, one) in sum.steps.iter_mut().zip(&kind.steps) {
                    *all += one.load(Ordering::Relaxed);
                }
            }
        }
        sums
    }
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sums = self.sums();
        let (title, help) = name::REQUESTS;
        let mut metric = encoder.encode_descriptor(title, help, None, MetricType::Counter)?;
        for (labels, sum) in &sums {
            metric.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&sum.taken, None)?;
        }
        let (title, help) = name::REQUEST_SECONDS;
        let mut metric = encoder.encode_descriptor(title, help, None, MetricType::Histogram)?;
        for (labels, sum) in &sums {
            let ends = (0..STEPS).map(|step| (FIRST_NS << step) as f64 / 1e9);
            let buckets: Vec<_> = ends.chain([f64::MAX]).zip(sum.steps).collect();
            let (seconds, count) = (sum.nanos as f64 / 1e9, sum.steps.iter().sum());
            let mut metric = metric.encode_family(labels)?;
            metric.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_into_the_first_step_that_is_no_shorter() {
        let cases = [
            (0, 0),
            (1, 0),
            (FIRST_NS, 0),
            (FIRST_NS + 1, 1),
            (2 * FIRST_NS, 1),
            (2 * FIRST_NS + 1, 2),
            (FIRST_NS << (STEPS - 1), STEPS - 1),
            ((FIRST_NS << (STEPS - 1)) + 1, STEPS),
            (u64::MAX, STEPS),
        ];
        for (nanos, wanted) in cases {
            assert_eq!(step(nanos), wanted, "{nanos} ns");
        }
    }
}
