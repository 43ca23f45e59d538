//! Apache Iggy, which no ordinary package manager installs: where we stand to it by way of Kafka.
//!
//! Both were measured once, beside each other, on a machine of the same kind. Our ratio to Kafka of now,
//! divided by Iggy's ratio to Kafka of then, is as good as such a figure can be. No check depends on it.

use super::claim::Claim;
use super::series::Named;

/// A figure of Iggy divided by Kafka's under its Java tools, as measured at another time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Then {
    iggy: f64,
    kafka: f64,
}

/// Messages a second.
pub(super) const PRODUCE_RATE: Then = Then { iggy: 3.4e6, kafka: 0.77e6 };
pub(super) const DURABLE_RATE: Then = Then { iggy: 1.0e6, kafka: 0.53e6 };
pub(super) const CONSUME_RATE: Then = Then { iggy: 5.1e6, kafka: 2.0e6 };
/// Nanoseconds of the broker a message. Kafka's to consume was 50 to 120.
pub(super) const PRODUCE_CPU: Then = Then { iggy: 225.0, kafka: 260.0 };
pub(super) const CONSUME_CPU: Then = Then { iggy: 127.0, kafka: 85.0 };
/// Nanoseconds of broker and clients, produced and consumed once.
pub(super) const ALL_CPU: Then =
    Then { iggy: 225.0 + 115.0 + 127.0 + 85.0, kafka: 260.0 + 1_470.0 + 85.0 + 620.0 };

/// Where its figures come from.
pub(super) const NOTE: &str = "
Apache Iggy 0.8 cannot be installed by an ordinary package manager. Its figures were measured at another \
time, on a machine of the same kind, beside Apache Kafka 4.3 under its Java tools: 3.4 M messages/s produced \
(Kafka 0.77 M), 1.0 M with a sync for each batch (0.53 M), 5.1 M consumed (2.0 M), broker CPU of 225 \
ns/message to produce (260) and 127 to consume (50 to 120), client CPU of 115 and 85 (1,470 and 620). What \
stands here is our ratio to Kafka under its Java tools of now, divided by Iggy's ratio to Kafka of then; no \
check depends on it.
";

/// Our figure to Iggy's, by way of Kafka's.
pub(super) fn claim(
    mark: &'static str,
    what: &str,
    then: Then,
    ours: Option<Named>,
    kafka: Option<Named>,
) -> Claim {
    let what = format!("{what} to Iggy's, by way of Kafka's");
    Claim::ratio(mark, what, ours, kafka).divided_by(then.iggy / then.kafka)
}
