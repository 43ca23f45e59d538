//! The largest timestamp of a segment, where opening the log did not tell.
//!
//! The closing record has it as a rule. Where it has not, the index's entries tell; and where those
//! are damaged, the batches that they were about. What is given is never too low: by it records are
//! let go of, and passed over in a lookup by time.

use std::sync::Arc;

use onrush_record::{Offset, TimestampMs};

use crate::error::Result;
use crate::index::{Index, Point};
use crate::segment::{NO_TIMESTAMP, Segment};
use crate::tail::{Stop, Tail};
use crate::view::Shared;

/// More than this is not read for it: a writer may be waiting.
const READ_MAX: u64 = 4 << 20;

impl Shared {
    /// At least the largest timestamp of the segment's records, if it has any: the highest there is
    /// where part of the segment cannot be judged. Of the segment that is appended to, for its writer
    /// only.
    pub(crate) fn max_timestamp(&self, segment: &Arc<Segment>) -> Result<Option<TimestampMs>> {
        if let Some(known) = segment.known_max_timestamp() {
            return Ok(known);
        }
        let end = match segment.sealed() {
            Some(sealed) => sealed.end,
            None => self.look(|view| Point {
                offset: view.written.offset,
                position: view.written.position,
            }),
        };
        let index = segment.index_with(&self.env, Index::must_load)?;
        let mut newest = NO_TIMESTAMP;
        let mut gaps = Vec::new();
        let mut at = segment.base_point();
        for entry in index.entries() {
            let start = Point { offset: entry.first, position: entry.position };
            gaps.push((at, start));
            newest = newest.max(entry.max_timestamp);
            at = Point { offset: entry.next, position: entry.end() };
        }
        drop(index);
        gaps.push((at, end));
        // What is known to be damaged is refused to readers, and holds no record for them.
        let damaged = self.look(|view| view.damage.clone());
        gaps.retain(|(from, to)| {
            let hit = damaged.iter().any(|bad| bad.from <= from.offset && from.offset < bad.to);
            from.position < to.position && !hit
        });
        let newest = newest.max(self.newest_in(segment, &gaps)?.unwrap_or(TimestampMs::MAX));
        segment.raise_max_timestamp(newest, true);
        Ok((newest != NO_TIMESTAMP).then_some(newest))
    }

    /// The largest timestamp of what lies in `gaps`; none if they cannot be read through.
    fn newest_in(
        &self,
        segment: &Arc<Segment>,
        gaps: &[(Point, Point)],
    ) -> Result<Option<TimestampMs>> {
        let mut newest = NO_TIMESTAMP;
        let bytes: u64 = gaps.iter().map(|(from, to)| to.position - from.position).sum();
        let path = segment.log_path();
        if bytes > READ_MAX {
            tracing::warn!(file = %path.display(), bytes, "its index is damaged: it is not let go of by age");
            return Ok(None);
        }
        for (from, to) in gaps {
            let file = self.open(segment)?;
            let mut tail = Tail {
                file: &**file.file(),
                path: &path,
                len: to.position,
                state: None,
                interval_bytes: u32::MAX,
                bytes_read: 0,
                batches: 0,
            };
            let scanned = tail.scan(*from, Some(to.offset))?;
            if scanned.stop != Stop::Limit {
                let at: Offset = scanned.end.offset;
                tracing::warn!(file = %path.display(), offset = %at, "it is damaged, and not let go of by age");
                return Ok(None);
            }
            newest = newest.max(scanned.open.max_timestamp());
            newest = scanned.entries.iter().map(|entry| entry.max_timestamp).fold(newest, i64::max);
        }
        Ok(Some(newest))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use onrush_record::LeaderEpoch;
    use onrush_record::batch::{BatchBuilder, BatchHeader, Codec};
    use onrush_sim::SimDisk;
    use onrush_sys::ManualClock;

    use super::*;
    use crate::config::{Env, LogConfig};
    use crate::files::OpenFiles;
    use crate::layout::entry_position;
    use crate::segment::UNKNOWN_TIMESTAMP;

    #[test]
    fn what_damage_hides_is_looked_for_and_never_taken_for_old() {
        let disk = SimDisk::new();
        let clock = Arc::new(ManualClock::new(0));
        let env = Env { disk: disk.as_disk(), clock, files: OpenFiles::new(8) };
        let cfg = LogConfig { index_interval_bytes: 100, ..LogConfig::default() };
        let dir = Path::new("log");
        let (mut writer, reader) = crate::create(&env, dir, cfg, LeaderEpoch::new(1)).unwrap();
        for timestamp in [10, 90, 20] {
            let mut builder = BatchBuilder::new(Codec::None);
            builder.push(timestamp, None, Some(b"each batch has an interval of its own"), &[]);
            let mut bytes = builder.finish().unwrap();
            let header = BatchHeader::parse(&bytes).unwrap();
            writer.append(&mut [&mut bytes], &[header], 0).unwrap();
        }
        writer.flush_now().unwrap();
        writer.roll().unwrap();
        writer.checkpoint_now(None).unwrap();
        let rolled = reader.shared.look(|view| view.segments[0].clone());
        let end = rolled.sealed().unwrap().end;
        // As a closing record of which this is not known leaves it.
        let newest = || {
            let index = Index::new(3, end);
            let segment = Arc::new(Segment::new(dir.into(), rolled.seq, rolled.base, index));
            segment.seal(end);
            segment.raise_max_timestamp(UNKNOWN_TIMESTAMP, true);
            let found = reader.shared.max_timestamp(&segment).unwrap();
            (found, segment.max_timestamp_for_row())
        };
        assert_eq!(newest(), (Some(90), 90));
        disk.flip_bit(&rolled.idx_path(), entry_position(1) * 8).unwrap();
        assert_eq!(newest(), (Some(90), 90), "the batch is read instead");
        disk.flip_bit(&rolled.log_path(), end.position / 2 * 8).unwrap();
        assert_eq!(newest(), (Some(TimestampMs::MAX), UNKNOWN_TIMESTAMP));
    }
}
