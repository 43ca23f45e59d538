//! A batch that its topic does not take whole, as several that it does.

use std::sync::Arc;

use onrush_protocol::ErrorCode;
use onrush_record::batch::{BatchBuilder, BatchError, BatchRef, Codec, HEADER_LEN};

use super::batch::{Batch, Identity};
use super::record::NewRecord;
use crate::error::Error;

/// No batch of ours was larger before it was compressed.
const PLAIN_MAX: usize = 1 << 30;

/// The largest batch that the broker says it takes there, if that is why it refused.
pub(super) fn most_taken(error: &Error) -> Option<usize> {
    let Error::Broker(answered) = error else { return None };
    (answered.error.code == ErrorCode::BATCH_TOO_LARGE)
        .then(|| usize::try_from(answered.error.detail).unwrap_or(usize::MAX))
}

/// What a batch was split into.
#[derive(Debug)]
pub(super) struct Pieces {
    /// In order, with the places and sequence numbers that their records had in the whole.
    pub(super) batches: Vec<Batch>,
    /// How large they may be before compression: what later batches should keep to.
    pub(super) bytes: usize,
}

impl Batch {
    /// Splits a batch that was refused as larger than `max`. `None` where that helps nobody: it is
    /// one record, or an earlier attempt may have succeeded, and the broker would not recognise
    /// the pieces as the same again.
    ///
    /// Every record keeps its sequence number, so that batches sent behind the refused one stay
    /// right. Whoever waits for a record is told of its piece; this batch must not be settled.
    pub(super) fn split(&self, max: usize) -> Option<Pieces> {
        if self.count < 2 || self.may_have_happened {
            return None;
        }
        let pieces = self.pieces(max).ok()?;
        let mut first = 0;
        let parts = pieces.batches.iter().map(|piece| {
            let part = (first, Arc::clone(&piece.completion));
            first += piece.count;
            part
        });
        self.completion.split(parts.collect());
        Some(pieces)
    }

    fn pieces(&self, max: usize) -> Result<Pieces, BatchError> {
        let wire = self.as_sent();
        let batch = BatchRef::parse(wire)?;
        let codec = batch.header().attributes.codec()?;
        let mut scratch = Vec::new();
        let plain = match codec {
            Codec::None => batch.payload(),
            _ => {
                batch.decompress_into(&mut scratch, PLAIN_MAX)?;
                &scratch
            }
        };
        // As much smaller as the whole was too large, if the broker said, and at most half of it:
        // then pieces that are refused in turn come to an end too.
        let whole = HEADER_LEN + plain.len();
        let bytes = (whole / 2).min(whole.saturating_mul(max) / wire.len());

        let mut batches = Vec::new();
        let mut first = 0;
        let mut builder = BatchBuilder::new(codec);
        builder.set_transactional(batch.header().attributes.is_transactional());
        for record in batch.records_in(plain) {
            let record = record?;
            let record = NewRecord {
                topic: "",
                partition: None,
                timestamp: Some(record.timestamp),
                key: record.key,
                value: record.value,
                headers: record.headers.collect(),
            };
            if !builder.is_empty() && builder.len() + record.most_bytes() > bytes {
                let piece = self.piece(first, &mut builder)?;
                first += piece.count;
                batches.push(piece);
            }
            let timestamp = record.timestamp.unwrap_or_default();
            builder.push(timestamp, record.key, record.value, &record.headers);
        }
        batches.push(self.piece(first, &mut builder)?);
        // What was reserved for the whole is given back with the last of them.
        if let Some(last) = batches.last_mut() {
            last.reserved = self.reserved;
        }
        Ok(Pieces { batches, bytes })
    }

    /// The records in `builder`, of which `first` were before them in this batch.
    fn piece(&self, first: u32, builder: &mut BatchBuilder) -> Result<Self, BatchError> {
        let count = builder.count();
        let mut first_sequence = self.first_sequence;
        if self.identity != Identity::NONE {
            first_sequence = first_sequence.plus(first);
            builder.set_producer(self.identity.id, self.identity.epoch, first_sequence);
        }
        Ok(self.part(first, count, first_sequence, builder.finish()?))
    }
}
