//! Going on after a failed sync.
//!
//! After a sync has failed the kernel takes the pages for clean, whether or not they reached the
//! medium. They are still in the page cache, so they are copied from there into fresh segments,
//! which are synced. Nothing that was readable is dropped; if that cannot be done, or a sync fails
//! again, the log goes offline.

use std::io::{self, IoSlice};
use std::sync::Arc;

use onrush_record::Offset;
use onrush_record::batch;
use onrush_sys::{File, OpenMode};

use crate::background::{Spare, prepare};
use crate::checkpoint::store_copied;
use crate::error::{IoContext, Result, StorageError};
use crate::index::{Index, Point};
use crate::interval::Interval;
use crate::names::SegmentSeq;
use crate::room::Room;
use crate::scan::{Headers, Seen, after};
use crate::segment::Segment;
use crate::view::Mark;
use crate::writer::{Active, Health, LogWriter};

const CHUNK: usize = 1 << 20;

/// A fresh copy of one segment.
struct Copy {
    segment: Arc<Segment>,
    file: Arc<dyn File>,
    interval: Interval,
}

impl LogWriter {
    /// Whether the log is poisoned, so that [`LogWriter::reopen_after_failure`] is due.
    pub fn is_poisoned(&self) -> bool {
        matches!(self.health, Health::Poisoned(_))
    }

    /// After a failed sync: copies every segment that was not durable, as far as its checksums
    /// hold, into fresh segments, makes them durable and goes on there. Waits for the disk. Appends
    /// that were pending keep an unknown outcome: they may be in the log now.
    ///
    /// # Errors
    /// `Offline` if this fails, or if it is the second failure: the log then stays offline.
    pub fn reopen_after_failure(&mut self) -> Result<Offset> {
        let Health::Poisoned(reason) = self.health.clone() else {
            return self.check_health().map(|()| self.written_end());
        };
        self.failures += 1;
        self.era += 1;
        let outcome = if self.failures > 1 {
            Err(format!("a second failure ({reason})"))
        } else {
            self.copy_over().map_err(|error| format!("reopening after a failure failed: {error}"))
        };
        if let Err(reason) = outcome {
            self.take_offline(reason);
            self.check_health()?;
        }
        Ok(self.written_end())
    }

    fn copy_over(&mut self) -> Result<()> {
        let (segments, durable, readable) =
            self.shared.look(|view| (view.segments.clone(), view.durable, view.readable()));
        let kept = segments.partition_point(|segment| segment.seq < durable.seq);
        let mut copies: Vec<Copy> = Vec::new();
        for segment in &segments[kept..] {
            let end = segment.sealed().map_or(self.end(), |sealed| sealed.end);
            let seq = self.take_seq();
            let (copy, whole) = self.copy_segment(segment, seq, end, readable.offset)?;
            copies.push(copy);
            if !whole {
                break;
            }
        }
        self.make_durable(&copies, durable.seq)?;
        let spare = match self.spare {
            Spare::Ready { seq, .. } => Some(seq),
            _ => None,
        };
        self.go_on_in(&segments[..kept], copies);
        for segment in &segments[kept..] {
            segment.close();
        }
        self.delete_old(segments[kept..].iter().map(|segment| segment.seq).chain(spare));
        Ok(())
    }

    /// Copies one segment up to its first batch that does not hold; says whether that was all.
    fn copy_segment(
        &self,
        old: &Arc<Segment>,
        seq: SegmentSeq,
        end: Point,
        readable: Offset,
    ) -> Result<(Copy, bool)> {
        let source = self.shared.open(old)?;
        let from = old.log_path();
        let disk = &*self.env().disk;
        prepare(disk, &self.shared.dir, seq, Room::Zeros(0))?;
        let to = seq.log_path(&self.shared.dir);
        let file = disk.open(&to, OpenMode::ReadWrite).at("open", &to)?;
        let start = old.base_point();
        let segment =
            Arc::new(Segment::new(self.shared.dir.clone(), seq, old.base, Index::new(0, start)));
        segment.set_first_append_ms(old.first_append_ms().unwrap_or(crate::segment::NO_TIMESTAMP));
        let mut interval = Interval::at(start);
        let mut headers = Headers::new(&**source.file(), &from, end.position);
        let mut buffer: Vec<u8> = Vec::with_capacity(CHUNK);
        let mut written = 0;
        let mut at = start;
        while at.position < end.position {
            let reason = match headers.at(at)? {
                Seen::Bad(reason) => reason,
                Seen::Batch(header) => {
                    let begin = buffer.len();
                    buffer.resize(begin + header.total_len as usize, 0);
                    let bytes = &mut buffer[begin..];
                    source.file().read_exact_at(bytes, at.position).at("read", &from)?;
                    if batch::verify_crc(bytes, &header) {
                        if interval.is_full(header.total_len, self.cfg.index_interval_bytes)
                            && let Some(entry) = interval.close()
                        {
                            segment.index().push(entry);
                        }
                        interval.add(bytes, &header);
                        segment.raise_max_timestamp(interval.max_timestamp(), false);
                        at = after(at, &header);
                        if buffer.len() >= CHUNK {
                            write(&*file, &mut buffer, &mut written).at("write", &to)?;
                        }
                        continue;
                    }
                    buffer.truncate(begin);
                    "a batch does not match its checksum".to_owned()
                }
            };
            if at.offset < readable {
                // Dropping it is the operator's decision, not ours.
                return Err(crate::segment::damaged(old, at.offset, end.offset, reason));
            }
            tracing::warn!(file = %from.display(), offset = %at.offset, reason, "unacknowledged batches given up");
            break;
        }
        write(&*file, &mut buffer, &mut written).at("write", &to)?;
        if let Some(entry) = interval.close() {
            segment.index().push(entry);
        }
        Ok((Copy { segment, file, interval }, at == end))
    }

    /// Data first; then, in one index file, the word that the copies stand in for the originals.
    fn make_durable(&self, copies: &[Copy], replaced: SegmentSeq) -> Result<()> {
        let disk = &*self.env().disk;
        let dir = &*self.shared.dir;
        let files: Vec<Arc<dyn File>> = copies.iter().map(|copy| copy.file.clone()).collect();
        let synced: io::Result<()> = disk.sync_files(&files).into_iter().collect();
        synced.at("sync", dir)?;
        for (i, copy) in copies.iter().enumerate() {
            store_copied(self.env(), &copy.segment, (i == 0).then_some(replaced))?;
        }
        Ok(())
    }

    fn go_on_in(&mut self, kept: &[Arc<Segment>], mut copies: Vec<Copy>) {
        let Some(last) = copies.pop() else { return };
        let end = last.interval.end();
        for copy in &copies {
            copy.segment.seal(copy.interval.end());
        }
        let fresh = copies.iter().map(|copy| copy.segment.clone());
        let all: Arc<[Arc<Segment>]> =
            kept.iter().cloned().chain(fresh).chain([last.segment.clone()]).collect();
        let mark = Mark { offset: end.offset, seq: last.segment.seq, position: end.position };
        self.unstored.retain(|segment| kept.iter().any(|other| other.seq == segment.seq));
        self.oversized.retain(|segment| kept.iter().any(|other| other.seq == segment.seq));
        self.dirty.clear();
        self.active = Active {
            segment: last.segment,
            file: None,
            allocated: end.position,
            interval: Interval::at(end),
        };
        self.spare = Spare::None;
        self.unsynced_bytes = 0;
        self.flushing = false;
        self.checkpointing = false;
        self.preallocating = false;
        self.giving_back = false;
        self.raising = false;
        self.closing = false;
        self.touched = true;
        self.health = Health::Sound;
        self.shared.publish(|view| {
            view.segments = all;
            view.written = mark;
            view.set_durable(mark);
        });
    }

    /// Best effort: what stays is superseded and goes when the log is opened next.
    fn delete_old(&self, old: impl Iterator<Item = SegmentSeq>) {
        for seq in old {
            for path in [seq.log_path(&self.shared.dir), seq.idx_path(&self.shared.dir)] {
                if let Err(error) = self.env().disk.remove_file(&path)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    tracing::warn!(file = %path.display(), %error, "superseded file stays for now");
                }
            }
        }
    }

    /// Why the log cannot be appended to, if it cannot.
    pub fn failure(&self) -> Option<StorageError> {
        self.check_health().err()
    }
}

fn write(file: &dyn File, buffer: &mut Vec<u8>, written: &mut u64) -> io::Result<()> {
    file.write_all_at(&mut [IoSlice::new(buffer)], *written)?;
    *written += buffer.len() as u64;
    buffer.clear();
    Ok(())
}
