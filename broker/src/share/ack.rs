//! What a member says of records it has acquired.

use onrush_record::Offset;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AckType {
    /// There is no such record: it was compacted away, or is the broker's own.
    Gap,
    /// It was dealt with.
    Accept,
    /// Not yet: somebody shall try it again.
    Release,
    /// It cannot be dealt with: nobody shall try it again.
    Reject,
    /// It takes longer: the lock begins anew.
    Renew,
}

impl AckType {
    /// By its number in Kafka's protocol.
    pub fn from_id(id: i8) -> Option<AckType> {
        match id {
            0 => Some(AckType::Gap),
            1 => Some(AckType::Accept),
            2 => Some(AckType::Release),
            3 => Some(AckType::Reject),
            4 => Some(AckType::Renew),
            _ => None,
        }
    }
}

/// An acknowledgement of a run of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareAcknowledgement {
    /// The first record.
    pub first: Offset,
    /// The last record.
    pub last: Offset,
    /// One for all of them, or one for each.
    pub types: Vec<AckType>,
}

impl ShareAcknowledgement {
    /// One type for all records of a run.
    pub fn new(first: Offset, last: Offset, of_all: AckType) -> ShareAcknowledgement {
        ShareAcknowledgement { first, last, types: vec![of_all] }
    }

    /// Runs of one type: first, end (exclusive), type. None if it contradicts itself.
    pub(crate) fn runs(&self) -> Option<Vec<(u64, u64, AckType)>> {
        let (first, last) = (self.first.get(), self.last.get());
        if first > last || last == u64::MAX {
            return None;
        }
        if let [one] = self.types[..] {
            return Some(vec![(first, last + 1, one)]);
        }
        if self.types.len() as u64 != last - first + 1 {
            return None;
        }
        let mut runs: Vec<(u64, u64, AckType)> = Vec::new();
        for (at, &kind) in (first..).zip(&self.types) {
            match runs.last_mut() {
                Some((_, end, of)) if *of == kind => *end = at + 1,
                _ => runs.push((at, at + 1, kind)),
            }
        }
        Some(runs)
    }
}
