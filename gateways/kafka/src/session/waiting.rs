//! Requests that have come and have not begun: they wait for those before them.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use onrush_broker::{Budget, Held};
use onrush_gateway_net::{Source, Turn};

use super::frame::{Head, LENGTH};

/// Whole frames. What comes with one read is kept in one piece, so that small frames take no more
/// than their bytes; nothing more is read while there are any.
#[derive(Default)]
pub(super) struct Waiting {
    kept: VecDeque<Kept>,
}

enum Kept {
    /// One frame, in a buffer of its own that counts against the budget already.
    One(Source),
    /// One frame behind the other.
    Many(BytesMut, Held),
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Keeps one more frame.
    pub(super) fn push(&mut self, source: Source, turn: &Turn, budget: &Arc<Budget>) {
        if !matches!(source, Source::Hot(_)) {
            return self.kept.push_back(Kept::One(source));
        }
        let bytes = source.bytes(turn);
        if let Some(Kept::Many(frames, held)) = self.kept.back_mut() {
            frames.extend_from_slice(bytes);
            held.resize(frames.len() as u64);
        } else {
            let held = budget.hold(bytes.len() as u64);
            self.kept.push_back(Kept::Many(BytesMut::from(bytes), held));
        }
    }

    /// What the first frame begins with.
    pub(super) fn head(&self, turn: &Turn) -> Option<Head> {
        self.kept.front().map(|first| match first {
            Kept::One(source) => Head::read(source.bytes(turn)),
            Kept::Many(frames, _) => Head::read(frames),
        })
    }

    /// Takes the first frame out.
    pub(super) fn pop(&mut self) -> Option<Source> {
        if let Some(Kept::Many(frames, held)) = self.kept.front_mut() {
            // It was whole when it was kept.
            let length = frames.first_chunk::<LENGTH>().map(|length| u32::from_be_bytes(*length));
            let length = length.map_or(0, |length| LENGTH + length as usize).min(frames.len());
            if length > 0 && length < frames.len() {
                let first = frames.split_to(length);
                held.resize(frames.len() as u64);
                return Some(Source::Own(first, None));
            }
        }
        Some(match self.kept.pop_front()? {
            Kept::One(source) => source,
            Kept::Many(frames, held) => Source::Own(frames, Some(held)),
        })
    }
}
