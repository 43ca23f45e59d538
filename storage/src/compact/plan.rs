//! Which segments a cleaning is about.

use std::sync::Arc;

use onrush_record::{Offset, TimestampMs};

use super::CleanPolicy;
use crate::error::Result;
use crate::index::Point;
use crate::names::SegmentSeq;
use crate::segment::Segment;
use crate::view::{Epochs, Shared};

/// The segments at the beginning of a log that may be cleaned, and what is known of them.
#[derive(Debug)]
pub(super) struct Plan {
    /// Rolled and durable, oldest first, the first ones clean.
    pub(super) segments: Vec<Arc<Segment>>,
    /// Those after them that hold durable records, and up to where: transactions may end there.
    pub(super) beyond: Vec<(Arc<Segment>, Point)>,
    /// Where the dirty part begins.
    pub(super) dirty_from: Offset,
    /// Nothing from here on is cleaned.
    pub(super) limit: Offset,
    pub(super) epochs: Epochs,
}

/// Where a segment that was rolled ends.
pub(super) fn end_of(segment: &Segment) -> Point {
    segment.sealed().map_or(segment.base_point(), |sealed| sealed.end)
}

impl Plan {
    /// What may be cleaned now, of the segments before `below` and the records before `stable`.
    pub(super) fn of(
        shared: &Shared,
        policy: &CleanPolicy,
        stable: Offset,
        below: Option<SegmentSeq>,
        now_ms: TimestampMs,
    ) -> Result<Plan> {
        let (all, durable, damage, epochs, start) = shared.look(|view| {
            let first = view.damage.iter().map(|damage| damage.from).min();
            (view.segments.clone(), view.durable, first, view.epochs.clone(), view.start)
        });
        let young = now_ms.saturating_sub(i64::try_from(policy.min_lag_ms).unwrap_or(i64::MAX));
        let mut limit = stable.min(durable.offset);
        let mut count = 0;
        for segment in all.iter() {
            let end = end_of(segment).offset;
            let rolled = segment.sealed().is_some() && segment.seq < durable.seq;
            let sound = damage.is_none_or(|damage| end <= damage);
            if !rolled
                || !sound
                || below.is_some_and(|below| segment.seq >= below)
                || segment.base >= limit
                || policy.min_lag_ms > 0
                    && shared.max_timestamp(segment)?.is_some_and(|newest| newest > young)
            {
                limit = limit.min(segment.base);
                break;
            }
            count += 1;
        }
        let segments = all[..count].to_vec();
        limit = limit.min(segments.last().map_or(start, |last| end_of(last).offset));
        let beyond = all[count..]
            .iter()
            .take_while(|segment| segment.seq <= durable.seq && damage.is_none())
            .map(|segment| {
                let end = if segment.seq == durable.seq {
                    Point { offset: durable.offset, position: durable.position }
                } else {
                    end_of(segment)
                };
                (segment.clone(), end)
            })
            .collect();
        let mut dirty_from = segments.first().map_or(start, |first| first.base);
        for segment in &segments {
            let clean_to = segment.clean_to(&shared.env)?;
            dirty_from = clean_to.min(end_of(segment).offset);
            if dirty_from < end_of(segment).offset {
                break;
            }
        }
        Ok(Plan { segments, beyond, dirty_from, limit, epochs })
    }
}
