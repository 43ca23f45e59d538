//! File names in a log's directory.

use std::fmt;
use std::path::{Path, PathBuf};

/// Number of a segment. Numbers only grow and are never used twice.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug, Default)]
pub struct SegmentSeq(u64);

impl SegmentSeq {
    /// The segment numbered `seq`.
    pub const fn new(seq: u64) -> Self {
        SegmentSeq(seq)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }

    pub(crate) fn next(self) -> Self {
        SegmentSeq(self.0.saturating_add(1))
    }

    pub(crate) fn log_name(self) -> String {
        format!("{:010}.log", self.0)
    }

    pub(crate) fn idx_name(self) -> String {
        format!("{:010}.idx", self.0)
    }

    pub(crate) fn torn_name(self, position: u64) -> String {
        format!("{:010}.torn-{position}", self.0)
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
        self.0.fmt(f)
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
    if number.len() < 10 || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Named::Other;
    }
    let Ok(seq) = number.parse().map(SegmentSeq) else { return Named::Other };
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
        for other in ["7.log", "0000000007.log.tmp", "00000000007.log", "notes", "x.idx", "state.2"]
        {
            assert_eq!(parse(other), Named::Other, "{other}");
        }
    }
}
