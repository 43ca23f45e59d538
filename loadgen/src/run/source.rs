//! The messages of one producer.

use onrush_client::NewRecord;

use crate::keys::{Distribution, Keys};
use crate::payload::{Stamp, template};

/// Makes messages in place: one value buffer, its stamp overwritten for each.
#[derive(Debug)]
pub(super) struct Source {
    topic: String,
    keys: Keys,
    value: Vec<u8>,
    producer: u16,
    sequence: u64,
}

impl Source {
    /// The messages of producer number `producer`.
    #[must_use]
    pub(super) fn new(topic: &str, keys: Distribution, size: usize, producer: u16) -> Source {
        let keys = Keys::new(keys, u64::from(producer) + 1);
        Source { topic: topic.to_owned(), keys, value: template(size), producer, sequence: 0 }
    }

    /// How many it has made.
    #[must_use]
    pub(super) fn made(&self) -> u64 {
        self.sequence
    }

    /// Makes the next one, due at `due_ns`.
    pub(super) fn advance(&mut self, due_ns: u64) {
        let stamp = Stamp { due_ns, producer: self.producer, sequence: self.sequence };
        stamp.write(&mut self.value);
        self.sequence += 1;
        self.keys.advance();
    }

    /// The one made last.
    #[must_use]
    pub(super) fn record(&self) -> NewRecord<'_> {
        let record = NewRecord::to(self.topic()).value(self.value());
        match self.key() {
            Some(key) => record.key(key),
            None => record,
        }
    }

    /// Where they go.
    #[must_use]
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// The key of the one made last.
    #[must_use]
    pub(super) fn key(&self) -> Option<&[u8]> {
        self.keys.key()
    }

    /// The value of the one made last.
    #[must_use]
    pub(super) fn value(&self) -> &[u8] {
        &self.value
    }
}
