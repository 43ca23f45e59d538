//! What a run came to: for scripts as JSON, for people as a table.

use std::collections::BTreeMap;
use std::fmt;

use hdrhistogram::Histogram;
use onrush_record::codec::Codec;
use serde::Serialize;

use super::recorder::Recorder;
use super::topic::RunTopic;
use super::{Cost, Measured};
use crate::args::{RunArgs, acks_name, codec_name};
use crate::target::Target;

/// The result of a run. Fields that scripts rely on come first.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Messages due in the measured window that were acknowledged.
    pub produced: u64,
    /// Messages due in the window that consumers received; of a run that only consumes, all.
    pub consumed: u64,
    /// Acknowledgements a second within the window.
    pub produced_per_second: f64,
    /// Messages that reached consumers a second within the window.
    pub consumed_per_second: f64,
    /// From when a message was due until it was acknowledged.
    pub ack_latency_us: Latency,
    /// From when a message was due until a consumer had it.
    pub end_to_end_latency_us: Latency,
    /// Broker CPU for each message produced (or else consumed) in the window.
    pub broker_cpu_ns_per_message: Option<f64>,
    /// The load generator's CPU likewise; an open loop that spins uses all of its core.
    pub client_cpu_ns_per_message: Option<f64>,
    /// The most memory that the broker had resident at once.
    pub broker_rss_peak_bytes: Option<u64>,
    /// Messages refused, failed or missing.
    pub errors: u64,
    /// What went wrong, and how often.
    pub error_kinds: BTreeMap<String, u64>,
    /// Messages that were due in the window.
    pub offered: u64,
    /// All messages handed to producers, warm-up included.
    pub sent: u64,
    /// All messages acknowledged, warm-up included.
    pub acknowledged: u64,
    /// All messages that consumers received, warm-up included.
    pub received: u64,
    /// Seconds measured.
    pub seconds: f64,
    /// Value bytes produced (or else consumed) a second, in 10⁶.
    pub megabytes_per_second: f64,
    /// Messages of the backlog that `--drain` read within the window.
    pub drained: u64,
    /// Value bytes of those, a second, in 10⁶.
    pub drained_megabytes_per_second: f64,
    /// The share of one core that the broker used.
    pub broker_cores: Option<f64>,
    /// The share of one core that the load generator used.
    pub client_cores: Option<f64>,
    /// Throughput second by second, warm-up included.
    pub by_second: Vec<Second>,
    /// How it was run.
    pub setup: BTreeMap<&'static str, String>,
    /// The curves, for the report.
    #[serde(skip)]
    pub curves: Curves,
}

/// Percentiles in microseconds; absent where nothing was measured.
#[derive(Copy, Clone, Debug, Default, Serialize)]
pub struct Latency {
    /// Half were faster.
    pub p50: Option<f64>,
    /// 9 of 10 were faster.
    pub p90: Option<f64>,
    /// 99 of 100 were faster.
    pub p99: Option<f64>,
    /// 999 of 1,000 were faster.
    pub p999: Option<f64>,
    /// The slowest.
    pub max: Option<f64>,
    /// How many were measured.
    pub count: u64,
}

/// One second of a run.
#[derive(Copy, Clone, Debug, Serialize)]
pub struct Second {
    /// Messages acknowledged in it.
    pub produced: u64,
    /// Messages that reached consumers in it.
    pub consumed: u64,
}

/// Latency by share of messages that were slower: `(share, microseconds)`, falling shares.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    /// Of acknowledgements.
    pub ack: Vec<(f64, f64)>,
    /// End to end.
    pub end_to_end: Vec<(f64, f64)>,
    /// Seconds of warm-up, at the begin of the run.
    pub warmup_seconds: f64,
}

impl Outcome {
    pub(super) fn new(
        args: &RunArgs,
        target: &Target,
        topic: &RunTopic,
        measured: Measured,
    ) -> Outcome {
        let Measured { recorder, broker, client, messages, seconds, totals } = measured;
        let window = recorder.window;
        let per_message = |cost: &Cost| cost.cpu.as_secs_f64() * 1e9 / messages as f64;
        let cores = |cost: &Cost| cost.cpu.as_secs_f64() / seconds;
        let measurable = messages > 0 && seconds > 0.0;
        let [broker_known, client_known] = [broker, client].map(|cost| cost.filter(|_| measurable));
        let only_consumes = args.producers == 0;
        let produced_per_second = recorder.acknowledgements.per_second(&window);
        let consumed_per_second = recorder.arrivals.per_second(&window);
        let rate = if only_consumes { consumed_per_second } else { produced_per_second };
        let mut outcome = Outcome {
            produced: recorder.produced,
            consumed: if only_consumes { recorder.arrivals.total } else { recorder.consumed },
            produced_per_second,
            consumed_per_second,
            ack_latency_us: Latency::of(&recorder.ack),
            end_to_end_latency_us: Latency::of(&recorder.end_to_end),
            broker_cpu_ns_per_message: broker_known.as_ref().map(per_message),
            client_cpu_ns_per_message: client_known.as_ref().map(per_message),
            broker_rss_peak_bytes: broker.and_then(|cost| cost.rss_peak_bytes),
            errors: recorder.errors.values().sum(),
            error_kinds: recorder.errors.clone(),
            offered: recorder.offered,
            sent: totals.sent,
            acknowledged: totals.acknowledged,
            received: totals.consumed,
            seconds,
            megabytes_per_second: rate * args.size as f64 / 1e6,
            drained: recorder.drained,
            drained_megabytes_per_second: if seconds > 0.0 {
                recorder.drained_bytes as f64 / seconds / 1e6
            } else {
                0.0
            },
            broker_cores: broker_known.as_ref().map(cores),
            client_cores: client_known.as_ref().map(cores),
            by_second: by_second(&recorder),
            setup: setup(args, target, topic),
            curves: Curves {
                ack: curve(&recorder.ack),
                end_to_end: curve(&recorder.end_to_end),
                warmup_seconds: (window.from_ns - window.start_ns) as f64 / 1e9,
            },
        };
        outcome.count_missing(args);
        outcome
    }

    /// What was acknowledged and never reached a consumer is an error too.
    fn count_missing(&mut self, args: &RunArgs) {
        if args.consumers > 0 && args.producers > 0 && args.group.is_none() {
            let missing = self.produced.saturating_sub(self.consumed);
            if missing > 0 {
                self.errors += missing;
                self.error_kinds.insert("acknowledged but not consumed".to_owned(), missing);
            }
        }
    }
}

impl Latency {
    /// Of a histogram of nanoseconds.
    #[must_use]
    pub fn of(nanos: &Histogram<u64>) -> Latency {
        if nanos.is_empty() {
            return Latency::default();
        }
        let at = |quantile| Some(nanos.value_at_quantile(quantile) as f64 / 1e3);
        Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: Some(nanos.max() as f64 / 1e3),
            count: nanos.len(),
        }
    }
}

fn curve(nanos: &Histogram<u64>) -> Vec<(f64, f64)> {
    /// Points in each factor of ten.
    const DENSITY: f64 = 20.0;
    if nanos.is_empty() {
        return Vec::new();
    }
    let least_share = 1.0 / nanos.len() as f64;
    let shares = (0_u32..).map(|step| 10_f64.powf(-f64::from(step) / DENSITY));
    let mut points: Vec<(f64, f64)> = shares
        .take_while(|share| *share > least_share && *share > 1e-7)
        .map(|share| (share, nanos.value_at_quantile(1.0 - share) as f64 / 1e3))
        .collect();
    points.push((least_share.max(1e-7), nanos.max() as f64 / 1e3));
    points
}

fn by_second(recorder: &Recorder) -> Vec<Second> {
    let (produced, consumed) = (&recorder.acknowledgements.by_second, &recorder.arrivals.by_second);
    let at = |seconds: &[u64], index: usize| seconds.get(index).copied().unwrap_or(0);
    (0..produced.len().max(consumed.len()))
        .map(|index| Second { produced: at(produced, index), consumed: at(consumed, index) })
        .collect()
}

fn setup(args: &RunArgs, target: &Target, topic: &RunTopic) -> BTreeMap<&'static str, String> {
    let mut setup = BTreeMap::from([
        ("target", target.name()),
        ("producers", args.producers.to_string()),
        ("consumers", args.consumers.to_string()),
        ("partitions", topic.partitions.to_string()),
    ]);
    if args.producers > 0 {
        let batch = args.batch.map_or_else(|| "default".to_owned(), |bytes| format!("{bytes} B"));
        setup.extend([
            ("size", format!("{} B", args.size)),
            ("rate", args.rate.to_string()),
            ("acks", acks_name(args.acks).to_owned()),
            ("batch", batch),
            ("linger", format!("{:?}", args.linger)),
            ("keys", args.keys.to_string()),
        ]);
    }
    if let Some(topic) = &args.drain {
        setup.insert("drains", topic.clone());
    }
    if let Some(rate) = args.drain_rate {
        setup.insert("drain rate", rate.to_string());
    }
    if args.compression != Codec::None {
        setup.insert("compression", codec_name(args.compression).to_owned());
    }
    if args.in_flight > 0 {
        setup.insert("in flight", args.in_flight.to_string());
    }
    for (key, value) in &args.configs {
        setup.entry("topic").or_default().push_str(&format!("{key}={value} "));
    }
    setup
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setup: Vec<String> =
            self.setup.iter().map(|(name, value)| format!("{name} {}", value.trim())).collect();
        writeln!(f, "{}", setup.join(" · "))?;
        writeln!(f, "measured {:.1} s\n", self.seconds)?;
        let whole = |value: f64| grouped(crate::time::whole(value.round()));
        writeln!(f, "{:<22}{:>14}{:>16}", "", "messages", "per second")?;
        if self.sent > 0 {
            let rate = whole(self.produced_per_second);
            writeln!(f, "{:<22}{:>14}{rate:>16}", "produced", grouped(self.produced))?;
        }
        if self.received > 0 {
            let rate = whole(self.consumed_per_second);
            writeln!(f, "{:<22}{:>14}{rate:>16}", "consumed", grouped(self.consumed))?;
        }
        if self.drained > 0 {
            let rate = format!("{:.1} MB", self.drained_megabytes_per_second);
            writeln!(f, "{:<22}{:>14}{rate:>16}", "drained beside", grouped(self.drained))?;
        }
        writeln!(f, "{:<22}{:>14}{:>16.1}", "value megabytes", "", self.megabytes_per_second)?;
        if self.ack_latency_us.count + self.end_to_end_latency_us.count > 0 {
            writeln!(f)?;
            let head = ["p50", "p90", "p99", "p99.9", "max"].map(|name| format!("{name:>12}"));
            writeln!(f, "{:<22}{}", "latency, µs", head.concat())?;
            latency_row(f, "until acknowledged", &self.ack_latency_us)?;
            latency_row(f, "end to end", &self.end_to_end_latency_us)?;
        }
        writeln!(f)?;
        for (name, per_message, cores) in [
            ("broker CPU", self.broker_cpu_ns_per_message, self.broker_cores),
            ("load generator CPU", self.client_cpu_ns_per_message, self.client_cores),
        ] {
            if let (Some(ns), Some(cores)) = (per_message, cores) {
                let micros = ns / 1e3;
                writeln!(
                    f,
                    "{name:<22}{micros:>11.3} s per million messages ({cores:.2} of a core)"
                )?;
            }
        }
        if let Some(bytes) = self.broker_rss_peak_bytes {
            let mebibytes = bytes as f64 / f64::from(1 << 20);
            writeln!(f, "{:<22}{mebibytes:>11.1} MiB at most", "broker memory")?;
        }
        write!(f, "{:<22}{:>11}", "errors", grouped(self.errors))?;
        for (error, count) in &self.error_kinds {
            write!(f, "\n  {count} × {error}")?;
        }
        Ok(())
    }
}

fn latency_row(f: &mut fmt::Formatter<'_>, name: &str, latency: &Latency) -> fmt::Result {
    let Latency {
        p50: Some(p50),
        p90: Some(p90),
        p99: Some(p99),
        p999: Some(p999),
        max: Some(max),
        ..
    } = *latency
    else {
        return Ok(());
    };
    write!(f, "{name:<22}")?;
    for micros in [p50, p90, p99, p999, max] {
        write!(f, "{micros:>12.1}")?;
    }
    writeln!(f)
}

/// A number with its digits in threes.
#[must_use]
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_in_threes() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234), "1,234");
        assert_eq!(grouped(12_345_678), "12,345,678");
    }

    #[test]
    fn a_curve_ends_at_the_slowest() {
        let mut nanos = Histogram::<u64>::new_with_bounds(1, 1_000_000_000, 3).unwrap();
        (1..=1_000).for_each(|micros| nanos.record(micros * 1_000).unwrap());
        let curve = curve(&nanos);
        assert!(curve.is_sorted_by(|a, b| a.0 >= b.0 && a.1 <= b.1), "{curve:?}");
        let (share, micros) = curve[curve.len() - 1];
        assert!((share - 1e-3).abs() < 1e-9 && (micros - 1_000.0).abs() < 2.0, "{share} {micros}");
    }
}
