//! What a log owes its clients at each moment of a run, and the judgement of what a crash left.
//!
//! Pure: it knows no log, only batches as bytes with the offsets they took. A test tells the
//! [`Timeline`] what it did and what it was answered, each with the disk's boundary at that time;
//! [`Timeline::at`] then says what may and what must be found after a crash at any boundary.

use bytes::Bytes;
use std::sync::Arc;

/// A batch as it lies in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its first offset.
    pub base: u64,
    /// The offset after its last.
    pub next: u64,
    /// All its bytes, stamped.
    pub bytes: Bytes,
}

/// What happened, or what the caller was told.
#[derive(Clone, Debug)]
pub enum Event {
    /// The log's creation was acknowledged.
    Created,
    /// These are about to be written.
    Attempt(Vec<Stored>),
    /// They were: acknowledged to whoever does not wait for durability.
    Landed,
    /// They were refused, and must never be seen.
    Refused,
    /// All below this offset was acknowledged as durable.
    Durable(u64),
    /// The page cache may have dropped what is not durable.
    CacheLost,
    /// Records below this offset are being let go.
    TrimAsked(u64),
    /// They are gone, as far as whoever asked was told.
    Trimmed(u64),
    /// Appends may carry this epoch from now on.
    Epoch(u32),
    /// The log was opened (or reopened after a failure) with exactly so many of all batches ever
    /// appended, those already trimmed included; all of them are durable.
    Recovered(usize),
    /// Syncs may have failed: what was cut off may come back, until something takes its place.
    Shaky,
    /// It was closed in order.
    Closed,
    /// It is in use again.
    Touched,
}

/// What a log owes at one moment.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    /// It must be there at all.
    pub exists: bool,
    /// Every batch appended since the log began, trimmed ones included.
    pub log: Arc<Vec<Stored>>,
    /// May follow that, in this order: their outcome is not known, or not told yet.
    pub doubtful: Vec<Stored>,
    /// Of unknown outcome, and not there when the log was last opened, on a disk whose syncs fail:
    /// nobody was told that they are gone, and until the next append they may be back.
    pub ghosts: Vec<Stored>,
    shaky: bool,
    /// What lies below was acknowledged as durable.
    pub durable: u64,
    /// What lies below was acknowledged as written.
    pub written: u64,
    /// Where the log may start: from what was acknowledged up to what was asked for.
    pub starts: (u64, u64),
    /// The highest epoch that any batch may carry.
    pub epoch: u32,
    /// Closed in order, and not touched since.
    pub closed: bool,
}

impl Expectation {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Created => self.exists = true,
            Event::Attempt(batches) => self.doubtful.clone_from(batches),
            Event::Landed => {
                Arc::make_mut(&mut self.log).append(&mut self.doubtful);
                self.ghosts.clear();
                self.written = self.end();
            }
            Event::Refused => self.doubtful.clear(),
            Event::Durable(offset) => {
                self.durable = self.durable.max(*offset);
                self.written = self.written.max(*offset);
            }
            Event::CacheLost => self.written = self.durable,
            Event::TrimAsked(start) => self.starts.1 = self.starts.1.max(*start),
            Event::Trimmed(start) => self.starts.0 = self.starts.0.max(*start),
            Event::Epoch(epoch) => self.epoch = self.epoch.max(*epoch),
            Event::Recovered(batches) => {
                self.exists = true;
                let log = Arc::make_mut(&mut self.log);
                log.append(&mut self.doubtful);
                let gone = log.split_off((*batches).min(log.len()));
                if self.shaky && !gone.is_empty() {
                    self.ghosts = gone;
                }
                self.durable = self.end();
                self.written = self.durable;
                self.starts.1 = self.starts.1.min(self.durable);
            }
            Event::Shaky => self.shaky = true,
            Event::Closed => self.closed = true,
            Event::Touched => self.closed = false,
        }
    }

    /// The offset after the last batch appended.
    pub fn end(&self) -> u64 {
        self.log.last().map_or(0, |last| last.next)
    }

    /// Every batch that may be found, in order.
    pub fn candidates(&self) -> impl Iterator<Item = &Stored> {
        self.log.iter().chain(&self.doubtful)
    }

    /// Judges what a client read: the batches `found` of a log that says it starts at `start` and
    /// ends at `end`. All below `least` has to be there. Says how many of all batches ever appended
    /// that is.
    ///
    /// # Errors
    /// Which promise does not hold.
    pub fn judge(
        &self,
        start: u64,
        end: u64,
        least: u64,
        found: &[Stored],
    ) -> Result<usize, String> {
        if start < self.starts.0 || start > self.starts.1 {
            return Err(format!(
                "it starts at {start}; acknowledged was {}, asked for {}",
                self.starts.0, self.starts.1
            ));
        }
        if end < least {
            return Err(format!("it ends at {end}; acknowledged was {least}"));
        }
        let passed = self.candidates().take_while(|batch| batch.next <= start).count();
        let mut at = self.candidates().take(passed).last().map_or(0, |batch| batch.next);
        let mut expected = self.candidates().skip(passed);
        for batch in found {
            match expected.next() {
                Some(right) if right == batch => at = batch.next,
                Some(right) if right.base == batch.base => {
                    return Err(format!("the batch at {} has other bytes", batch.base));
                }
                Some(right) => {
                    return Err(format!("a batch at {} where {} follows", batch.base, right.base));
                }
                None => return Err(format!("a batch at {} that nobody appended", batch.base)),
            }
        }
        if at != end {
            return Err(format!("what is read ends at {at}, the log says {end}"));
        }
        Ok(passed + found.len())
    }
}

/// A run as it is told, step by step.
#[derive(Clone, Debug)]
pub struct Timeline {
    base: Expectation,
    events: Vec<(usize, Event)>,
    now: Expectation,
}

impl Timeline {
    /// A run that begins with this owed already.
    pub fn new(base: Expectation) -> Timeline {
        Timeline { now: base.clone(), base, events: Vec::new() }
    }

    /// Something happened, when the disk had come to this boundary.
    pub fn tell(&mut self, boundary: usize, event: Event) {
        self.now.apply(&event);
        self.events.push((boundary, event));
    }

    /// What is owed now.
    pub fn now(&self) -> &Expectation {
        &self.now
    }

    /// What is owed after a crash at a boundary.
    pub fn at(&self, boundary: usize) -> Expectation {
        let mut expectation = self.base.clone();
        for (_, event) in self.events.iter().take_while(|(when, _)| *when <= boundary) {
            expectation.apply(event);
        }
        expectation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(base: u64, fill: u8) -> Stored {
        Stored { base, next: base + 2, bytes: Bytes::from(vec![fill; 8]) }
    }

    fn told() -> Timeline {
        let mut timeline = Timeline::new(Expectation::default());
        timeline.tell(1, Event::Created);
        for n in 0..3u8 {
            let at = 10 * usize::from(n);
            timeline.tell(at + 2, Event::Attempt(vec![stored(u64::from(n) * 2, n)]));
            timeline.tell(at + 4, Event::Landed);
        }
        timeline.tell(30, Event::Durable(4));
        timeline
    }

    #[test]
    fn what_is_owed_follows_what_was_told() {
        let timeline = told();
        assert!(!timeline.at(0).exists && timeline.at(1).exists);
        assert_eq!((timeline.at(3).log.len(), timeline.at(3).doubtful.len()), (0, 1));
        assert_eq!((timeline.at(4).written, timeline.at(29).durable), (2, 0));
        assert_eq!((timeline.at(30).durable, timeline.now().written), (4, 6));
    }

    #[test]
    fn only_a_prefix_that_holds_what_was_acknowledged_is_right() {
        let owed = told().at(30);
        let all = owed.log.to_vec();
        assert_eq!(owed.judge(0, 6, owed.durable, &all), Ok(3));
        assert_eq!(owed.judge(0, 4, owed.durable, &all[..2]), Ok(2));
        assert!(owed.judge(0, 4, owed.written, &all[..2]).is_err(), "one acknowledged is missing");
        assert!(owed.judge(0, 2, owed.durable, &all[..1]).is_err());
        assert!(owed.judge(0, 6, 4, &all[1..]).is_err(), "the first is missing");
        assert!(owed.judge(0, 4, 4, &[all[0].clone(), stored(2, 9)]).is_err(), "other bytes");
        assert!(owed.judge(0, 6, 4, &all[..2]).is_err(), "less than the log says");
        assert!(owed.judge(2, 6, 4, &all[1..]).is_err(), "nobody trimmed it");
        let twice = [all[0].clone(), all[0].clone(), all[1].clone()];
        assert!(owed.judge(0, 4, 4, &twice).is_err(), "doubled");
    }
}
