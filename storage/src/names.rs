//! File names in a log's directory.

use std::fmt;
use std::path::{Path, PathBuf};

/// Bits of a segment's number; those above it say how often it was cleaned.
const NUMBER_BITS: u32 = 40;
const NUMBER_MAX: u64 = (1 << NUMBER_BITS) - 1;
const GENERATION_MAX: u32 = (1 << (64 - NUMBER_BITS)) - 1;

/// Number of a segment, and which cleaned copy of it this is: 0 is the segment as it was appended to.
/// Numbers only grow, and no number is used twice in the same generation. In this order segments
/// are in order of offset.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug, Default)]
pub struct SegmentSeq {
    number: u64,
    generation: u32,
}

impl SegmentSeq {
    /// The segment that [`SegmentSeq::get`] gave `seq` for: below 2^40, the segment of that number.
    pub const fn new(seq: u64) -> Self {
        let [a, b, c, ..] = seq.to_be_bytes();
        SegmentSeq { number: seq & NUMBER_MAX, generation: u32::from_be_bytes([0, a, b, c]) }
    }

    /// Its number, and its generation above that, as files hold it.
    pub const fn get(self) -> u64 {
        self.number | (self.generation as u64) << NUMBER_BITS
    }

    pub(crate) fn next(self) -> Self {
        SegmentSeq { number: (self.number + 1).min(NUMBER_MAX), generation: 0 }
    }

    /// The next cleaned copy; none after sixteen million.
    pub(crate) fn cleaned(self) -> Option<Self> {
        let generation = self.generation + 1;
        (generation <= GENERATION_MAX).then_some(SegmentSeq { generation, ..self })
    }

    pub(crate) const fn is_cleaned(self) -> bool {
        self.generation > 0
    }

    /// Whether both are copies of one segment.
    pub(crate) const fn is_copy_of(self, other: Self) -> bool {
        self.number == other.number
    }

    pub(crate) fn log_name(self) -> String {
        format!("{self:010}.log")
    }

    pub(crate) fn idx_name(self) -> String {
        format!("{self:010}.idx")
    }

    pub(crate) fn torn_name(self, position: u64) -> String {
        format!("{self:010}.torn-{position}")
    }

    pub(crate) fn log_path(self, dir: &Path) -> PathBuf {
        dir.join(self.log_name())
    }

    pub(crate) fn idx_path(self, dir: &Path) -> PathBuf {
        dir.join(self.idx_name())
    }
}

impl fmt::Display for SegmentSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)?;
        if self.generation > 0 {
            write!(f, "-{}", self.generation)?;
        }
        Ok(())
    }
}

/// What a name in a log's directory says.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Named {
    Log(SegmentSeq),
    Idx(SegmentSeq),
    State(usize),
    Torn(SegmentSeq),
    Other,
}

/// Reads a file name.
pub(crate) fn parse(name: &str) -> Named {
    match name {
        "state.0" => return Named::State(0),
        "state.1" => return Named::State(1),
        _ => {}
    }
    let Some((number, kind)) = name.split_once('.') else { return Named::Other };
    let (number, generation) = number.split_once('-').unwrap_or((number, "0"));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if number.len() < 10 || !digits(number) || !digits(generation) {
        return Named::Other;
    }
    let (Ok(number), Ok(generation)) = (number.parse(), generation.parse()) else {
        return Named::Other;
    };
    if number > NUMBER_MAX || generation > GENERATION_MAX {
        return Named::Other;
    }
    let seq = SegmentSeq { number, generation };
    match kind {
        "log" if seq.log_name() == name => Named::Log(seq),
        "idx" if seq.idx_name() == name => Named::Idx(seq),
        _ if kind.starts_with("torn-") => Named::Torn(seq),
        _ => Named::Other,
    }
}

/// The path of a state slot.
pub(crate) fn state_path(dir: &Path, slot: usize) -> PathBuf {
    dir.join(if slot == 0 { "state.0" } else { "state.1" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_strangers_are_left_alone() {
        let seq = SegmentSeq::new(7);
        assert_eq!(parse(&seq.log_name()), Named::Log(seq));
        assert_eq!(parse(&seq.idx_name()), Named::Idx(seq));
        assert_eq!(parse(&seq.torn_name(61)), Named::Torn(seq));
        assert_eq!(parse("state.1"), Named::State(1));
        let big = SegmentSeq::new(123_456_789_012);
        assert_eq!(parse(&big.log_name()), Named::Log(big));
        let cleaned = seq.cleaned().unwrap();
        assert_eq!(cleaned.log_name(), "0000000007-1.log");
        assert!(seq < cleaned && cleaned < seq.next() && cleaned.next() == seq.next());
        for seq in [cleaned, cleaned.cleaned().unwrap()] {
            assert_eq!(parse(&seq.log_name()), Named::Log(seq));
            assert_eq!(parse(&seq.idx_name()), Named::Idx(seq));
            assert_eq!(parse(&seq.torn_name(0)), Named::Torn(seq));
            assert_eq!(SegmentSeq::new(seq.get()), seq);
            assert!(seq.is_copy_of(cleaned) && !seq.is_copy_of(seq.next()));
        }
        let last = SegmentSeq { number: 7, generation: GENERATION_MAX };
        assert_eq!(SegmentSeq::new(last.get()), last);
        assert_eq!(last.cleaned(), None);
        for other in [
            "0000000007-0.log",
            "0000000007-01.log",
            "0000000007-.log",
            "7.log",
            "0000000007.log.tmp",
            "00000000007.log",
            "notes",
            "x.idx",
            "state.2",
        ] {
            assert_eq!(parse(other), Named::Other, "{other}");
        }
    }
}
