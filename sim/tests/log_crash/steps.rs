//! What a process does to its log, one small step at a time: whatever may be under way at once is
//! under way at once.

use std::path::Path;

use onrush_record::Offset;
use onrush_sim::{Event, Fault, Operation};
use onrush_storage::{CheckpointTicket, StorageError};
use onrush_sys::{Disk as _, OpenMode, Random as _};

use crate::world::{Outcome, Past, World, digest, index, read_all};

/// A checkpoint under way.
pub enum Checkpoint {
    Begun(CheckpointTicket),
    Written(CheckpointTicket),
}

impl World {
    /// One step, drawn by lot.
    pub fn step(&mut self, faults: bool) -> Outcome {
        if self.writer.failure().is_some() {
            return self.recover_from_failure();
        }
        match self.random.below(100) {
            0..38 => self.append().map(drop),
            38..60 => self.step_flush(),
            60..70 => self.step_checkpoint(),
            70..82 => self.step_background(),
            82..84 => {
                // Refused is fine: the log goes on in the old segment.
                let _ = self.writer.roll();
                Ok(())
            }
            84..89 => self.step_trim(),
            89..91 => self.close(),
            91..93 => self.restart(),
            93..98 if faults => {
                self.break_something();
                Ok(())
            }
            _ => {
                self.disk.heal();
                Ok(())
            }
        }
    }

    fn step_flush(&mut self) -> Outcome {
        match self.flush.take() {
            None => self.flush = self.writer.begin_flush().map(|ticket| (ticket, None)),
            Some((ticket, None)) => {
                let outcome = ticket.sync(&self.disk);
                self.flush = Some((ticket, Some(outcome)));
            }
            Some((ticket, Some(outcome))) => {
                if let Ok(durable) = self.writer.complete_flush(ticket, outcome) {
                    self.tell(Event::Durable(durable.get()));
                }
            }
        }
        Ok(())
    }

    /// Appends at acks=all, with whatever flush is under way done first.
    pub fn append_durably(&mut self) -> Outcome {
        while self.flush.is_some() {
            self.step_flush()?;
        }
        if !self.append()? {
            return Err(format!("it takes no append: {:?}", self.writer.failure()));
        }
        let durable = self.writer.flush_now().map_err(|error| format!("cannot flush: {error}"))?;
        self.tell(Event::Durable(durable.get()));
        if durable != self.writer.written_end() {
            return Err(format!("flushed up to {durable} only"));
        }
        Ok(())
    }

    fn attachment(&self) -> Option<Vec<u8>> {
        let end = self.writer.written_end().get();
        (self.random.below(3) > 0).then(|| digest(self.time.now(), end))
    }

    fn step_checkpoint(&mut self) -> Outcome {
        match self.checkpoint.take() {
            None => {
                let attachment = self.attachment();
                let begun = self.writer.begin_checkpoint(attachment);
                self.checkpoint = begun.map(Checkpoint::Begun);
            }
            Some(Checkpoint::Begun(ticket)) if !ticket.is_durable() => {
                self.checkpoint = Some(Checkpoint::Begun(ticket));
            }
            Some(Checkpoint::Begun(mut ticket)) => match ticket.write() {
                Ok(()) => self.checkpoint = Some(Checkpoint::Written(ticket)),
                // Its failure is the checkpoint's, not the log's.
                failed => drop(self.writer.complete_checkpoint(ticket, failed)),
            },
            Some(Checkpoint::Written(ticket)) => {
                let outcomes = self.disk.sync_files(ticket.files());
                let synced: std::io::Result<()> = outcomes.into_iter().collect();
                let synced = synced.map_err(|source| StorageError::Io {
                    op: "sync",
                    path: "index".to_owned(),
                    source,
                });
                drop(self.writer.complete_checkpoint(ticket, synced));
            }
        }
        Ok(())
    }

    fn step_background(&mut self) -> Outcome {
        match self.job.take() {
            None => self.job = self.writer.background().map(|job| job.run()),
            Some(done) => drop(self.writer.complete_background(done)),
        }
        Ok(())
    }

    fn step_trim(&mut self) -> Outcome {
        let Some(mut trim) = self.trim.take() else {
            let ends = self.reader.ends();
            let span = ends.durable.min(ends.readable).since(ends.start);
            let start = match self.random.below(2) {
                0 => self.writer.retention_due(0),
                _ => Some(ends.start.plus(self.random.below(span + 1))),
            };
            let Some(start) = start else { return Ok(()) };
            self.tell(Event::TrimAsked(start.get()));
            let mut trim = self.writer.trim_to(start).map_err(|error| error.to_string())?;
            if trim.persist().is_ok() {
                self.tell(Event::Trimmed(start.get()));
                self.trim = Some(trim);
            }
            return Ok(());
        };
        // It may be persisted any number of times.
        if self.random.below(4) == 0 && trim.persist().is_err() {
            return Ok(());
        }
        // What could not be deleted goes at the next opening.
        let _ = trim.delete_files();
        Ok(())
    }

    /// A stop in order, and the marker of it that the broker would write.
    fn close(&mut self) -> Outcome {
        while self.flush.is_some() {
            self.step_flush()?;
        }
        while self.job.is_some() {
            self.step_background()?;
        }
        if let Some(checkpoint) = self.checkpoint.take() {
            let (Checkpoint::Begun(ticket) | Checkpoint::Written(ticket)) = checkpoint;
            let given_up = StorageError::Misuse("given up");
            drop(self.writer.complete_checkpoint(ticket, Err(given_up)));
        }
        if self.writer.failure().is_some() {
            return Ok(());
        }
        let attachment = self.attachment();
        if self.writer.close_cleanly(attachment).is_ok() {
            self.tell(Event::Durable(self.writer.written_end().get()));
            self.tell(Event::Closed);
            for _ in 0..2 {
                let marker = self.disk.open(Path::new("clean"), OpenMode::Create);
                let marked = marker.and_then(|_| self.disk.sync_dir(Path::new("")));
                drop(marked);
            }
            if self.random.below(2) == 0 {
                return self.restart();
            }
            self.tell(Event::Touched);
            // Going on after a close is allowed.
        }
        Ok(())
    }

    /// The process dies, or ends after a stop in order, and another one opens the log. Not all that
    /// makes openings fail has been repaired by then.
    pub fn restart(&mut self) -> Outcome {
        let clean = self.time.now().closed;
        let seed = self.random.next_u64();
        let least = self.time.now().written;
        let reopen = |clean| {
            let past = Past { dir: self.dir, time: self.time.clone(), least, seed };
            World::open(&self.disk, past, &self.cfg, clean)
        };
        let next = match reopen(clean) {
            Err(_) if self.broken => {
                self.disk.heal();
                self.broken = false;
                reopen(false)
            }
            other => other,
        };
        *self = next.map_err(|error| format!("at a restart (clean: {clean}): {error}"))?;
        Ok(())
    }

    /// Some operation to come fails, or there is no more room.
    fn break_something(&mut self) {
        self.broken = true;
        self.tell(Event::Shaky);
        let operations = [
            Operation::Sync,
            Operation::Sync,
            Operation::Sync,
            Operation::Write,
            Operation::SyncDir,
            Operation::Preallocate,
            Operation::Truncate,
            Operation::Create,
            Operation::Remove,
        ];
        let fault = match self.random.below(11) {
            9 | 10 => {
                return self.disk.set_capacity(self.disk.used_bytes() + self.random.below(900));
            }
            n => Fault::next(operations[usize::try_from(n).unwrap()]),
        };
        let fault = fault.after(self.random.below(3)).times(1 + self.random.below(2));
        self.disk.fail(if self.random.below(2) == 0 { fault.no_space() } else { fault });
    }

    /// The log has failed: it is opened anew in the process, or the process is started anew.
    fn recover_from_failure(&mut self) -> Outcome {
        let choice = self.random.below(10);
        if choice < 4 {
            self.disk.heal();
        }
        if choice == 9 {
            self.disk.drop_caches();
            self.tell(Event::CacheLost);
        }
        if index(&self.random, 3) == 0 || !self.writer.is_poisoned() {
            return self.restart();
        }
        let before: Offset = self.reader.ends().readable;
        match self.writer.reopen_after_failure() {
            Err(StorageError::Offline { .. }) => Ok(()),
            Err(error) => Err(format!("reopening gave {error}")),
            Ok(end) => {
                let ends = self.reader.ends();
                if ends.durable != end || ends.readable != end || end < before {
                    return Err(format!("reopened at {end}, but {ends:?}, and {before} before"));
                }
                let found = read_all(&self.reader, 1 << 20)?;
                let owed = self.time.now();
                let least = owed.written;
                let batches = owed.judge(ends.start.get(), end.get(), least, &found)?;
                self.tell(Event::Recovered(batches));
                Ok(())
            }
        }
    }
}
