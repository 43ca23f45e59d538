//! What must hold of what the members of a group received and committed, whoever they are: clients of
//! a model, or real ones in processes that were stopped and killed.
//!
//! Pure: it knows no broker and no protocol, only deliveries and accepted commits, told in an order in
//! which those of a generation come before those of the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;

/// Who received: the client, and which of its lives.
pub type Reader = (usize, u32);

/// What is known of one partition.
#[derive(Debug, Default)]
struct Log {
    end: u64,
    committed: u64,
    /// Who received each record, by generation.
    delivered: Vec<HashMap<i32, Reader>>,
}

/// Judges one group over partitions named `P`.
#[derive(Debug)]
pub struct Judge<P>(BTreeMap<P, Log>);

impl<P> Default for Judge<P> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<P: Ord + Copy + Debug> Judge<P> {
    /// There is such a partition.
    pub fn add(&mut self, partition: P) {
        self.0.entry(partition).or_default();
    }

    /// All of them.
    pub fn partitions(&self) -> BTreeSet<P> {
        self.0.keys().copied().collect()
    }

    /// So many records more came into a partition.
    pub fn append(&mut self, partition: P, records: u64) {
        let log = self.0.entry(partition).or_default();
        log.end += records;
        let len = usize::try_from(log.end).unwrap_or(usize::MAX);
        log.delivered.resize_with(len, HashMap::new);
    }

    /// Where a partition ends.
    pub fn end(&self, partition: P) -> u64 {
        self.0.get(&partition).map_or(0, |log| log.end)
    }

    /// How far it is committed.
    pub fn committed(&self, partition: P) -> u64 {
        self.0.get(&partition).map_or(0, |log| log.committed)
    }

    /// A record was delivered.
    ///
    /// # Errors
    /// When it is none, or went to two members of one generation.
    pub fn deliver(
        &mut self,
        partition: P,
        offset: u64,
        generation: i32,
        reader: Reader,
    ) -> Result<(), String> {
        let log = self.0.get_mut(&partition);
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(record) = log.and_then(|log| log.delivered.get_mut(at)) else {
            return Err(format!("there is no record {offset} of {partition:?}"));
        };
        let first = *record.entry(generation).or_insert(reader);
        if first == reader {
            return Ok(());
        }
        Err(format!(
            "record {offset} of {partition:?} went to two members of generation {generation}, \
             {first:?} and {reader:?}"
        ))
    }

    /// A commit was accepted.
    ///
    /// # Errors
    /// When something before it is skipped, or it takes something back.
    pub fn commit(&mut self, partition: P, offset: u64) -> Result<(), String> {
        let Some(log) = self.0.get_mut(&partition) else {
            return Err(format!("there is no partition {partition:?}"));
        };
        if offset < log.committed {
            return Err(format!("{partition:?} went back from {} to {offset}", log.committed));
        }
        let before = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(below) = log.delivered.get(..before) else {
            return Err(format!("{offset} is past the end of {partition:?}"));
        };
        if let Some(skipped) = below.iter().position(HashMap::is_empty) {
            return Err(format!("record {skipped} of {partition:?} is skipped by {offset}"));
        }
        log.committed = offset;
        Ok(())
    }

    /// Everything was delivered, and committed.
    pub fn is_done(&self) -> bool {
        self.0.values().all(|log| log.committed == log.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_to_happen_is_told() {
        let mut judge = Judge::default();
        judge.append("t", 3);
        assert_eq!(judge.deliver("t", 0, 1, (1, 0)), Ok(()));
        assert_eq!(judge.deliver("t", 0, 1, (1, 0)), Ok(()), "once more to the same");
        assert_eq!(judge.deliver("t", 0, 2, (2, 0)), Ok(()), "in another generation");
        assert!(judge.deliver("t", 0, 2, (3, 0)).is_err(), "to two of one generation");
        assert!(judge.deliver("t", 3, 2, (3, 0)).is_err(), "there is none");
        assert_eq!(judge.commit("t", 1), Ok(()));
        assert!(judge.commit("t", 0).is_err(), "taken back");
        assert!(judge.commit("t", 2).is_err(), "skipped");
        assert!(judge.commit("t", 4).is_err(), "past the end");
        assert!(!judge.is_done());
        for offset in 1..3 {
            assert_eq!(judge.deliver("t", offset, 2, (2, 0)), Ok(()));
        }
        assert_eq!(judge.commit("t", 3), Ok(()));
        assert!(judge.is_done());
    }
}
