//! What a verification came to.

use std::fmt;

use serde::Serialize;

use super::ledger::Findings;
use super::write::Written;
use crate::run::grouped;

/// The result of a verification. Fields that scripts rely on come first.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Records acknowledged.
    pub acknowledged: u64,
    /// Records that may or may not have been appended.
    pub unknown: u64,
    /// Records read back.
    pub read: u64,
    /// Acknowledged, but not there.
    pub lost: u64,
    /// There more than once.
    pub duplicated: u64,
    /// Behind a later one of the same producer and partition.
    pub out_of_order: u64,
    /// There although refused, never sent, or not what was sent.
    pub foreign: u64,
    /// Records refused.
    pub refused: u64,
    /// Seconds of writing.
    pub seconds: f64,
    /// The longest time without an acknowledgement.
    pub longest_silence_ms: f64,
    /// Producers that had to be made anew.
    pub producers_renewed: u64,
    /// The last thing that went wrong, if anything did.
    pub last_error: Option<String>,
    /// The first few records that are not as they should be.
    pub examples: Vec<String>,
}

impl Outcome {
    pub(super) fn new(findings: Findings, written: &Written, seconds: f64) -> Outcome {
        Outcome {
            acknowledged: findings.acknowledged,
            unknown: findings.unknown,
            read: findings.read,
            lost: findings.lost,
            duplicated: findings.duplicated,
            out_of_order: findings.out_of_order,
            foreign: findings.foreign,
            refused: findings.refused,
            seconds,
            longest_silence_ms: written.longest_silence_ns as f64 / 1e6,
            producers_renewed: written.producers_renewed,
            last_error: written.last_error.clone(),
            examples: findings.examples,
        }
    }

    /// Whether everything that was acknowledged is there, once and in order, and nothing else is.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.lost + self.duplicated + self.out_of_order + self.foreign == 0
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in [
            ("acknowledged", self.acknowledged),
            ("unknown", self.unknown),
            ("refused", self.refused),
            ("read back", self.read),
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("out of order", self.out_of_order),
            ("foreign", self.foreign),
        ] {
            writeln!(f, "{name:<14}{:>14}", grouped(value))?;
        }
        let silence =
            format!("longest time without an acknowledgement {:.0} ms", self.longest_silence_ms);
        writeln!(f, "wrote for {:.1} s, {silence}", self.seconds)?;
        if let Some(error) = &self.last_error {
            writeln!(f, "last error: {error}")?;
        }
        for example in &self.examples {
            writeln!(f, "  {example}")?;
        }
        let verdict = if self.is_sound() {
            "sound: every acknowledged record is there, once and in order"
        } else {
            "NOT SOUND: see above"
        };
        f.write_str(verdict)
    }
}
