//! What of one segment's data is good, and what lies between: for looking, and for repair.

use onrush_record::Offset;

use crate::error::Result;
use crate::index::Point;
use crate::tail::{Stop, Tail};

/// A run of a data file.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// Valid batches that follow each other.
    Good { from: Point, to: Point },
    /// Offsets that no valid batch holds any more, and the bytes where they should be.
    Lost { from: Point, to: Point, reason: String },
}

impl Piece {
    pub(crate) fn end(&self) -> Point {
        match self {
            Piece::Good { to, .. } | Piece::Lost { to, .. } => *to,
        }
    }
}

/// Takes a data file apart from `at` on. `to` is the offset at which the segment is known to end, if
/// it is; without, it ends with its last valid batch.
pub(crate) fn take_apart(tail: &mut Tail<'_>, at: Point, to: Option<Offset>) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut at = at;
    loop {
        let scanned = tail.scan(at, to)?;
        if scanned.end != at {
            pieces.push(Piece::Good { from: at, to: scanned.end });
        }
        at = scanned.end;
        if scanned.stop == Stop::Limit {
            return Ok(pieces);
        }
        let below = to.unwrap_or(Offset::new(u64::MAX));
        let next = tail.search(at.position, tail.len, at.offset.plus(1), below)?.0;
        let reason = match scanned.stop {
            Stop::Bad(reason) => reason,
            _ => "there are zeros where data was".to_owned(),
        };
        let Some(next) = next else {
            if let Some(to) = to {
                let to = Point { offset: to, position: tail.len.max(at.position) };
                pieces.push(Piece::Lost { from: at, to, reason });
            }
            return Ok(pieces);
        };
        pieces.push(Piece::Lost { from: at, to: next, reason });
        at = next;
    }
}
