//! How durable a produce has to be before it is acknowledged.

use std::fmt;

/// When a produce is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Acks {
    /// Never: nothing is promised.
    None,
    /// Once it is in the page cache: it survives a killed process.
    Written,
    /// Once it is on stable storage.
    All,
}

impl Acks {
    /// Reads what [`Display`](fmt::Display) writes, and Kafka's `-1` for all.
    pub fn parse(text: &str) -> Option<Acks> {
        match text {
            "0" => Some(Acks::None),
            "1" => Some(Acks::Written),
            "all" | "-1" => Some(Acks::All),
            _ => None,
        }
    }
}

impl fmt::Display for Acks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Acks::None => "0",
            Acks::Written => "1",
            Acks::All => "all",
        })
    }
}
