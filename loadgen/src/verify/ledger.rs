//! What was promised, held against what is there.

/// A growing set of small numbers.
#[derive(Clone, Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    /// Adds a number; whether it was not in yet.
    fn insert(&mut self, number: u64) -> bool {
        let (word, bit) = place(number);
        if word >= self.0.len() {
            self.0.resize((word + 1).next_power_of_two(), 0);
        }
        let fresh = self.0[word] & bit == 0;
        self.0[word] |= bit;
        fresh
    }

    fn contains(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn len(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

fn place(number: u64) -> (usize, u64) {
    (usize::try_from(number / 64).unwrap_or(usize::MAX), 1 << (number % 64))
}

/// Which record: the number that a producer gave it, counted for each partition apart.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Which {
    /// Which producer.
    pub producer: u16,
    /// Which partition.
    pub partition: u32,
    /// Its number among that producer's records in that partition, from 0.
    pub number: u64,
}

/// The records of one producer in one partition.
#[derive(Clone, Debug, Default)]
struct Lane {
    sent: u64,
    acknowledged: Bits,
    refused: Bits,
    read: Bits,
    last_read: Option<u64>,
}

/// All records of a run: sent, decided, read back.
#[derive(Clone, Debug)]
pub struct Ledger {
    partitions: usize,
    lanes: Vec<Lane>,
    findings: Findings,
}

/// What the ledger comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Records acknowledged.
    pub acknowledged: u64,
    /// Records that may or may not have been appended.
    pub unknown: u64,
    /// Records refused: they must not be there.
    pub refused: u64,
    /// Records read back.
    pub read: u64,
    /// Acknowledged, but not there.
    pub lost: u64,
    /// There more than once: every time after the first.
    pub duplicated: u64,
    /// Behind a later one of the same producer and partition.
    pub out_of_order: u64,
    /// There although refused, never sent, or not what was sent.
    pub foreign: u64,
    /// The first few records that are not as they should be.
    pub examples: Vec<String>,
}

const EXAMPLES_MAX: usize = 20;

impl Ledger {
    /// An empty one.
    #[must_use]
    pub fn new(producers: u16, partitions: u32) -> Ledger {
        let partitions = partitions as usize;
        let lanes = vec![Lane::default(); usize::from(producers) * partitions];
        Ledger { partitions, lanes, findings: Findings::default() }
    }

    fn lane(&mut self, producer: u16, partition: u32) -> Option<&mut Lane> {
        let partition = usize::try_from(partition).ok().filter(|index| *index < self.partitions)?;
        self.lanes.get_mut(usize::from(producer) * self.partitions + partition)
    }

    /// The next record of that producer in that partition is being sent.
    pub fn send(&mut self, producer: u16, partition: u32) -> Which {
        let number = self.lane(producer, partition).map_or(0, |lane| {
            lane.sent += 1;
            lane.sent - 1
        });
        Which { producer, partition, number }
    }

    /// A record was acknowledged.
    pub fn acknowledged(&mut self, which: Which) {
        if let Some(lane) = self.lane(which.producer, which.partition) {
            lane.acknowledged.insert(which.number);
        }
    }

    /// A record was refused: nothing happened.
    pub fn refused(&mut self, which: Which) {
        if let Some(lane) = self.lane(which.producer, which.partition) {
            lane.refused.insert(which.number);
        }
    }

    /// A record was read back; records of one partition come in the order of their offsets.
    pub fn read(&mut self, which: Which, offset: u64) {
        self.findings.read += 1;
        let Some(lane) = self.lane(which.producer, which.partition) else {
            return self.foreign(which.partition, offset);
        };
        if which.number >= lane.sent || lane.refused.contains(which.number) {
            return self.foreign(which.partition, offset);
        }
        let fresh = lane.read.insert(which.number);
        let last = lane.last_read.replace(which.number);
        if !fresh {
            self.findings.duplicated += 1;
            self.example("again", which, Some(offset));
        } else if last.is_some_and(|last| last > which.number) {
            self.findings.out_of_order += 1;
            self.example("behind a later one", which, Some(offset));
        }
    }

    /// Something was read that this run did not write.
    pub fn foreign(&mut self, partition: u32, offset: u64) {
        self.findings.foreign += 1;
        if self.findings.examples.len() < EXAMPLES_MAX {
            let text = format!("partition {partition} offset {offset}: not what was written");
            self.findings.examples.push(text);
        }
    }

    fn example(&mut self, what: &str, which: Which, offset: Option<u64>) {
        if self.findings.examples.len() < EXAMPLES_MAX {
            let Which { producer, partition, number } = which;
            let offset = offset.map_or_else(String::new, |offset| format!(" offset {offset}"));
            let text = format!(
                "partition {partition}{offset}: record {number} of producer {producer} {what}"
            );
            self.findings.examples.push(text);
        }
    }

    /// Sums up, once all has been read back.
    #[must_use]
    pub fn findings(mut self) -> Findings {
        let lanes = std::mem::take(&mut self.lanes);
        for (index, lane) in lanes.iter().enumerate() {
            let (acknowledged, refused) = (lane.acknowledged.len(), lane.refused.len());
            self.findings.acknowledged += acknowledged;
            self.findings.refused += refused;
            self.findings.unknown += lane.sent - acknowledged - refused;
            for number in 0..lane.sent {
                if lane.acknowledged.contains(number) && !lane.read.contains(number) {
                    self.findings.lost += 1;
                    let producer = u16::try_from(index / self.partitions).unwrap_or(0);
                    let partition = u32::try_from(index % self.partitions).unwrap_or(0);
                    self.example("lost", Which { producer, partition, number }, None);
                }
            }
        }
        self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends ten, acknowledges all but the last two, refuses the last, and reads these back.
    fn findings_of(read: &[u64]) -> Findings {
        let mut ledger = Ledger::new(2, 3);
        for _ in 0..10 {
            let which = ledger.send(1, 2);
            match which.number {
                0..=7 => ledger.acknowledged(which),
                8 => {}
                _ => ledger.refused(which),
            }
        }
        for (offset, number) in (0..).zip(read) {
            ledger.read(Which { producer: 1, partition: 2, number: *number }, offset);
        }
        ledger.findings()
    }

    #[test]
    fn all_there_once_in_order_is_sound_with_or_without_the_unknown() {
        for read in [&[0, 1, 2, 3, 4, 5, 6, 7][..], &[0, 1, 2, 3, 4, 5, 6, 7, 8]] {
            let found = findings_of(read);
            assert_eq!((found.acknowledged, found.unknown, found.refused), (8, 1, 1));
            assert_eq!(
                (found.lost, found.duplicated, found.out_of_order, found.foreign),
                (0, 0, 0, 0)
            );
        }
    }

    #[test]
    fn what_is_wrong_is_counted() {
        let found = findings_of(&[0, 2, 1, 3, 3, 4, 5, 7, 9, 10]);
        assert_eq!((found.lost, found.duplicated, found.out_of_order, found.foreign), (1, 1, 1, 2));
        assert_eq!((found.read, found.examples.len()), (10, 5));
    }
}
