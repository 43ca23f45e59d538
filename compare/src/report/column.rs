//! The figures of a reading: what they are called, and which way is better.

use onrush_bench::stats::{Spread, short};

use super::findings::Rounds;
use crate::reading::Reading;

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    More,
    Less,
}

/// One figure of a reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) better: Better,
    pub(super) of: fn(&Reading) -> Option<f64>,
}

const fn less(title: &'static str, of: fn(&Reading) -> Option<f64>) -> Column {
    Column { title, better: Better::Less, of }
}

pub(super) const RATE: Column =
    Column { title: "messages/s", better: Better::More, of: |reading| reading.per_second };
pub(super) const BROKER_CPU: Column = less("broker CPU ns/message", |reading| reading.broker_cpu);
pub(super) const CLIENT_CPU: Column = less("client CPU ns/message", |reading| reading.client_cpu);
pub(super) const ALL_CPU: Column = less("broker and client CPU ns/message", |reading| {
    Some(reading.broker_cpu? + reading.client_cpu?)
});
pub(super) const ACK_P50: Column = less("ack p50 µs", |reading| Some(reading.ack?.p50));
pub(super) const ACK_P99: Column = less("ack p99 µs", |reading| Some(reading.ack?.p99));
pub(super) const END_P50: Column =
    less("end to end p50 µs", |reading| Some(reading.end_to_end?.p50));
pub(super) const END_P99: Column =
    less("end to end p99 µs", |reading| Some(reading.end_to_end?.p99));
pub(super) const RSS: Column =
    less("broker RSS MiB", |reading| Some(reading.broker_rss? / f64::from(1 << 20)));

pub(super) const SECONDS: Column = less("seconds", |reading| reading.seconds);

/// Of the partition with the fewest messages, as a part of an even share.
pub(super) const LEAST_SHARE: Column =
    Column { title: "least share", better: Better::More, of: |reading| reading.least_share };

/// Of the machine, not of a contender: beside a tail it tells whose that tail may be.
pub(super) const STOLEN: Column = less("taken by the host %", |reading| reading.stolen);

/// What tables have of a contender, in order.
pub(super) const COLUMNS: [Column; 15] = [
    RATE,
    BROKER_CPU,
    CLIENT_CPU,
    ACK_P50,
    ACK_P99,
    less("ack p99.9 µs", |reading| Some(reading.ack?.p999)),
    END_P50,
    END_P99,
    less("end to end p99.9 µs", |reading| Some(reading.end_to_end?.p999)),
    less("disk bytes/message", |reading| reading.disk_bytes_per_message),
    RSS,
    less("broker RSS, peak, MiB", |reading| Some(reading.broker_rss_peak? / f64::from(1 << 20))),
    SECONDS,
    Column {
        title: "messages/s beside it",
        better: Better::More,
        of: |reading| reading.beside_per_second,
    },
    LEAST_SHARE,
];

impl Column {
    /// Its figures over the rounds; nothing where no round has it.
    pub(super) fn spread(&self, rounds: &Rounds) -> Option<Spread> {
        spread(rounds.values().filter_map(self.of))
    }

    /// As it stands in a table: rates by thousands or millions, since nobody reads nine digits.
    pub(super) fn text(&self, spread: Spread) -> String {
        let (by, suffix) = match spread.median {
            median if self.better == Better::Less || median < 1e4 => (1.0, ""),
            median if median < 1e6 => (1e3, " k"),
            _ => (1e6, " M"),
        };
        let Spread { median, min, max } = spread;
        let [median, min, max] = [median, min, max].map(|value| short(value / by));
        if min == max {
            return format!("{median}{suffix}");
        }
        format!("{median}{suffix} [{min}..{max}]")
    }

    /// The median alone.
    pub(super) fn median_text(&self, spread: Spread) -> String {
        let Spread { median, .. } = spread;
        self.text(Spread { median, min: median, max: median })
    }
}

/// Of what is finite; nothing of nothing.
pub(super) fn spread(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    (!values.is_empty()).then(|| Spread::of(values))
}

/// `of` of two rows' readings of the same round, over all rounds that both have.
pub(super) fn paired(
    one: &Rounds,
    other: &Rounds,
    of: impl Fn(&Reading, &Reading) -> Option<f64>,
) -> Option<Spread> {
    spread(one.iter().filter_map(|(round, reading)| of(reading, other.get(round)?)))
}
