//! Bytes of a state slot: what a log must remember beside its data.
//!
//! Little-endian. A head with a checksum of its own (magic, version, length), so that a newer
//! version is told from damage; then the body and its checksum.

use onrush_record::{LeaderEpoch, Offset, crc32c};

use crate::layout::{FORMAT_VERSION, HeaderFault, PLAIN_VERSION, i64_at, u32_at, u64_at};
use crate::names::SegmentSeq;
use crate::report::Damage;
use crate::view::Epochs;

const MAGIC: [u8; 8] = *b"ONRUSHST";
/// Bytes of the head.
pub(crate) const STATE_HEAD_LEN: usize = 24;

/// One segment as a clean stop left it.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct SegmentRow {
    pub seq: SegmentSeq,
    pub base: Offset,
    pub end: Offset,
    pub length: u64,
    pub max_timestamp: i64,
    pub first_append_ms: i64,
    pub entries: u64,
}

/// What a state slot holds.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub(crate) struct State {
    pub log_start: Offset,
    /// Oldest segment kept, and its first offset: files below it are leftovers.
    pub first_seq: SegmentSeq,
    pub first_base: Offset,
    /// Durable end when this was written.
    pub durable_end: Offset,
    pub epochs: Epochs,
    /// The caller's bytes, and the offset up to which they account for the log.
    pub attachment: Option<(Offset, Vec<u8>)>,
    pub damage: Vec<Damage>,
    /// There are cleaned segments, whose names an older version does not know.
    pub is_cleaned: bool,
    /// After a clean stop: the segments, so that nothing else need be read.
    pub segments: Option<Vec<SegmentRow>>,
}

struct Out(Vec<u8>);

impl Out {
    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("far fewer than 2^32 of anything"));
    }
    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }
}

struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
    fn u32(&mut self) -> Option<u32> {
        self.take(4).map(|bytes| u32_at(bytes, 0))
    }
    fn u64(&mut self) -> Option<u64> {
        self.take(8).map(|bytes| u64_at(bytes, 0))
    }
    fn i64(&mut self) -> Option<i64> {
        self.take(8).map(|bytes| i64_at(bytes, 0))
    }
    fn offset(&mut self) -> Option<Offset> {
        self.u64().map(Offset::new)
    }
    fn seq(&mut self) -> Option<SegmentSeq> {
        self.u64().map(SegmentSeq::new)
    }
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.u32()? as usize;
        self.take(count)
    }
}

impl State {
    /// Appends from `start` on carry `epoch`. An epoch in which nothing was appended is forgotten.
    pub(crate) fn raise_epoch(&mut self, epoch: LeaderEpoch, start: Offset) {
        if self.epochs.last().is_some_and(|(last, _)| *last >= epoch) {
            return;
        }
        self.epochs.retain(|(_, began)| *began < start);
        self.epochs.push((epoch, start));
        self.segments = None;
    }

    /// The epoch of the batch at `offset`.
    pub(crate) fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.epochs.partition_point(|(_, start)| *start <= offset);
        Some(self.epochs.get(after.checked_sub(1)?)?.0)
    }

    pub(crate) fn encode(&self, generation: u64) -> Vec<u8> {
        let mut out = Out(Vec::with_capacity(256));
        out.0.resize(STATE_HEAD_LEN, 0);
        out.u64(generation);
        out.u64(self.log_start.get());
        out.u64(self.first_seq.get());
        out.u64(self.first_base.get());
        out.u64(self.durable_end.get());
        out.count(self.epochs.len());
        for (epoch, start) in &self.epochs {
            out.u32(epoch.get());
            out.u64(start.get());
        }
        out.count(self.damage.len());
        for damage in &self.damage {
            out.u64(damage.from.get());
            out.u64(damage.to.get());
            out.u64(damage.seq.get());
            out.u64(damage.position);
            out.u64(damage.length);
            out.bytes(damage.reason.as_bytes());
        }
        match &self.segments {
            None => out.u32(0),
            Some(rows) => {
                out.u32(1);
                out.count(rows.len());
                for row in rows {
                    out.u64(row.seq.get());
                    out.u64(row.base.get());
                    out.u64(row.end.get());
                    out.u64(row.length);
                    out.u64(row.max_timestamp.cast_unsigned());
                    out.u64(row.first_append_ms.cast_unsigned());
                    out.u64(row.entries);
                }
            }
        }
        match &self.attachment {
            None => out.u32(0),
            Some((offset, bytes)) => {
                out.u32(1);
                out.u64(offset.get());
                out.bytes(bytes);
            }
        }
        let mut bytes = out.0;
        let length = u32::try_from(bytes.len() + 4).expect("a state slot is far below 4 GiB");
        bytes[..8].copy_from_slice(&MAGIC);
        let version = if self.is_cleaned { FORMAT_VERSION } else { PLAIN_VERSION };
        bytes[8..12].copy_from_slice(&version.to_le_bytes());
        bytes[12..16].copy_from_slice(&length.to_le_bytes());
        let head_crc = crc32c(&bytes[..20]);
        bytes[20..24].copy_from_slice(&head_crc.to_le_bytes());
        let crc = crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a slot; gives its generation too.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(u64, State), HeaderFault> {
        if bytes.len() < STATE_HEAD_LEN
            || bytes[..8] != MAGIC
            || crc32c(&bytes[..20]) != u32_at(bytes, 20)
        {
            return Err(HeaderFault::Damaged);
        }
        let version = u32_at(bytes, 8);
        if version > FORMAT_VERSION {
            return Err(HeaderFault::Newer(version));
        }
        let length = u32_at(bytes, 12) as usize;
        let whole = bytes.get(..length).ok_or(HeaderFault::Damaged)?;
        let (body, crc) =
            whole.split_at_checked(length.wrapping_sub(4)).ok_or(HeaderFault::Damaged)?;
        if body.len() < STATE_HEAD_LEN || crc32c(body) != u32_at(crc, 0) {
            return Err(HeaderFault::Damaged);
        }
        let (generation, mut state) =
            decode_body(In(&body[STATE_HEAD_LEN..])).ok_or(HeaderFault::Damaged)?;
        state.is_cleaned = version > PLAIN_VERSION;
        Ok((generation, state))
    }
}

fn decode_body(mut body: In<'_>) -> Option<(u64, State)> {
    let generation = body.u64()?;
    let mut state = State {
        log_start: body.offset()?,
        first_seq: body.seq()?,
        first_base: body.offset()?,
        durable_end: body.offset()?,
        ..State::default()
    };
    for _ in 0..body.u32()? {
        state.epochs.push((LeaderEpoch::new(body.u32()?), body.offset()?));
    }
    for _ in 0..body.u32()? {
        state.damage.push(Damage {
            from: body.offset()?,
            to: body.offset()?,
            seq: body.seq()?,
            position: body.u64()?,
            length: body.u64()?,
            reason: String::from_utf8_lossy(body.bytes()?).into_owned(),
        });
    }
    if body.u32()? == 1 {
        let mut rows = Vec::new();
        for _ in 0..body.u32()? {
            rows.push(SegmentRow {
                seq: body.seq()?,
                base: body.offset()?,
                end: body.offset()?,
                length: body.u64()?,
                max_timestamp: body.i64()?,
                first_append_ms: body.i64()?,
                entries: body.u64()?,
            });
        }
        state.segments = Some(rows);
    }
    if body.u32()? == 1 {
        state.attachment = Some((body.offset()?, body.bytes()?.to_vec()));
    }
    Some((generation, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> State {
        State {
            log_start: Offset::new(3),
            first_seq: SegmentSeq::new(1),
            first_base: Offset::new(2),
            durable_end: Offset::new(90),
            is_cleaned: false,
            epochs: Epochs::from_slice(&[(LeaderEpoch::new(1), Offset::new(0))]),
            attachment: Some((Offset::new(90), b"producers".to_vec())),
            damage: vec![Damage {
                from: Offset::new(5),
                to: Offset::new(7),
                seq: SegmentSeq::new(1),
                position: 61,
                length: 70,
                reason: "gone".into(),
            }],
            segments: Some(vec![SegmentRow {
                seq: SegmentSeq::new(1),
                base: Offset::new(2),
                end: Offset::new(90),
                length: 4000,
                max_timestamp: -1,
                first_append_ms: 6,
                entries: 2,
            }]),
        }
    }

    #[test]
    fn states_round_trip_and_every_flipped_bit_is_noticed() {
        let cleaned = State { is_cleaned: true, ..sample() };
        assert_eq!(State::decode(&cleaned.encode(8)), Ok((8, cleaned)));
        let bytes = sample().encode(8);
        assert_eq!(State::decode(&bytes), Ok((8, sample())));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(State::decode(&flipped), Err(HeaderFault::Damaged), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(State::decode(&bytes[..length]), Err(HeaderFault::Damaged));
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = sample().encode(8);
        bytes[8..12].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
        let crc = crc32c(&bytes[..20]);
        bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(State::decode(&bytes), Err(HeaderFault::Newer(FORMAT_VERSION + 1)));
    }
}
