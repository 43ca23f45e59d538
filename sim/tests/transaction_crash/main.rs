//! Crashes of a broker in the midst of transactions: each is there in every partition and in its
//! group, or nowhere; what was acknowledged as committed is there, what was acknowledged as aborted
//! or never asked to be committed is not.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test may panic")]

mod site;

use onrush_record::TopicId;
use onrush_sim::{CrashPlan, SimDisk};
use onrush_sys::{Random as _, SeededRandom};
use site::{Outcome, PARTITIONS, Site, Who};

/// States judged at least; ten times as many with `ONRUSH_TESTS=all`.
const STATES: u64 = 30_000;
const IDS: [&str; 2] = ["a", "b"];

/// One transaction, with the disk's boundaries at which things were asked for and answered.
#[derive(Debug)]
struct Transaction {
    id: usize,
    who: Who,
    records: Vec<Record>,
    /// The offset it commits for the group, when asked for and when answered.
    offset: Option<(u64, usize, usize)>,
    /// Whether it commits; when asked for and when answered, if it was.
    end: Option<(bool, usize, Option<usize>)>,
    /// When its producer was fenced, if it was: from then on it can only be aborted.
    fenced: Option<usize>,
}

#[derive(Debug)]
struct Record {
    partition: u32,
    value: String,
    /// Appended by this boundary, and acknowledged, if the producer waited.
    acknowledged: Option<usize>,
}

/// What was done to the broker.
struct Story {
    topic: TopicId,
    /// When that topic's creation was answered.
    created: usize,
    transactions: Vec<Transaction>,
}

/// A producer as its client sees it.
#[derive(Clone, Copy)]
struct Client {
    who: Who,
    sequences: [i32; PARTITIONS as usize],
    /// Its transaction, if one is open.
    open: Option<usize>,
}

fn fresh(who: Who) -> Client {
    Client { who, sequences: [0; PARTITIONS as usize], open: None }
}

fn tell(disk: &SimDisk, seed: u64) -> Outcome<Story> {
    let random = SeededRandom::new(seed);
    let clock = Site::clock();
    let mut site = Site::open(disk, &clock, seed)?;
    let topic = site.create()?;
    let mut story = Story { topic, created: disk.boundaries(), transactions: Vec::new() };
    let mut clients: [Option<Client>; 2] = [None; 2];
    for step in 0..36 {
        let id = usize::try_from(random.below(2)).unwrap();
        let begun = disk.boundaries();
        let Some(mut client) = clients[id] else {
            clients[id] = Some(fresh(site.init(IDS[id])?));
            continue;
        };
        match random.below(20) {
            0 => {
                // A new instance takes over.
                if let Some(open) = client.open {
                    story.transactions[open].fenced.get_or_insert(begun);
                }
                client = fresh(site.init(IDS[id])?);
            }
            1 => site.pass(1 + random.below(2)),
            2 => {
                if random.below(2) == 0 {
                    site.stop()?;
                } else {
                    drop(site);
                }
                site = Site::open(disk, &clock, seed + step)?;
            }
            3 => {
                // Long enough for open transactions to be aborted.
                for open in clients.iter().flatten().filter_map(|client| client.open) {
                    story.transactions[open].fenced.get_or_insert(begun);
                }
                let idle = clients.iter().flatten().all(|client| client.open.is_none());
                site.pass(31);
                if !idle {
                    site.check_settled(topic)?;
                }
                for (id, client) in clients.iter_mut().enumerate() {
                    if client.is_some_and(|client| client.open.is_some()) {
                        *client = Some(fresh(site.init(IDS[id])?));
                    }
                }
                continue;
            }
            4..=8 if client.open.is_some() => {
                let number = client.open.unwrap();
                if random.below(2) == 0 {
                    // The end is asked for while the last record is still on its way to the disk.
                    let transaction = &mut story.transactions[number];
                    produce(
                        &mut site,
                        disk,
                        topic,
                        &random,
                        &mut client,
                        transaction,
                        number,
                        false,
                    )?;
                }
                client.open = None;
                let begun = disk.boundaries();
                let (commit, bump) = (random.below(3) > 0, random.below(2) == 0);
                story.transactions[number].end = Some((commit, begun, None));
                let next = site.end(IDS[id], client.who, commit, bump)?;
                story.transactions[number].end = Some((commit, begun, Some(disk.boundaries())));
                if next != client.who {
                    client = fresh(next);
                }
            }
            9..=10 if client.open.is_some() => {
                let number = client.open.unwrap();
                site.commit_offset(IDS[id], client.who, topic, number as u64 + 1)?;
                let offset = (number as u64 + 1, begun, disk.boundaries());
                story.transactions[number].offset = Some(offset);
            }
            _ => {
                let number = *client.open.get_or_insert_with(|| {
                    let (records, who) = (Vec::new(), client.who);
                    let (offset, end, fenced) = (None, None, None);
                    story.transactions.push(Transaction { id, who, records, offset, end, fenced });
                    story.transactions.len() - 1
                });
                let wait = random.below(3) > 0;
                let transaction = &mut story.transactions[number];
                produce(&mut site, disk, topic, &random, &mut client, transaction, number, wait)?;
            }
        }
        clients[id] = Some(client);
    }
    Ok(story)
}

/// One more record of an open transaction.
#[expect(clippy::too_many_arguments, reason = "all that a step of the story knows")]
fn produce(
    site: &mut Site,
    disk: &SimDisk,
    topic: TopicId,
    random: &SeededRandom,
    client: &mut Client,
    transaction: &mut Transaction,
    number: usize,
    wait: bool,
) -> Outcome {
    let partition = u32::try_from(random.below(u64::from(PARTITIONS))).unwrap();
    let value = format!("{number}/{}", transaction.records.len());
    let sequence = &mut client.sequences[partition as usize];
    let at = (topic, partition);
    site.produce(IDS[transaction.id], client.who, at, *sequence, &value, wait)?;
    *sequence += 1;
    let acknowledged = wait.then(|| disk.boundaries());
    transaction.records.push(Record { partition, value, acknowledged });
    Ok(())
}

/// What may be found of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Committed,
    Aborted,
    /// All or nothing, but nobody was told which.
    Either,
}

impl Transaction {
    fn fate(&self, at: usize) -> Fate {
        match self.end {
            Some((true, _, Some(done))) if done <= at => Fate::Committed,
            Some((true, begun, _)) if begun <= at => Fate::Either,
            _ => Fate::Aborted,
        }
    }
}

impl Story {
    /// Opens what a crash at a boundary left, lets the broker settle it, and holds it against what
    /// was asked for and answered by then.
    fn judge(&self, disk: &SimDisk, at: usize, goes_on: bool) -> Outcome {
        // The clock of the beginning: what is open has not timed out.
        let mut site = Site::open(disk, &Site::clock(), at as u64)?;
        if site.broker.topic(self.topic).is_none() {
            return if at < self.created { Ok(()) } else { Err("the topic is gone".to_owned()) };
        }
        site.rest();
        let resumed = if goes_on { self.resume(&mut site, at)? } else { None };
        // What is still open goes when the next instance comes.
        for id in IDS {
            site.init(id)?;
        }
        site.rest();
        site.check_settled(self.topic)?;
        let found: Vec<_> = (0..PARTITIONS)
            .map(|index| site.committed(self.topic, index))
            .collect::<Outcome<_>>()?;
        for (index, values) in found.iter().enumerate() {
            let known = |value: &String| {
                let mut records = self.transactions.iter().flat_map(|one| &one.records);
                records.any(|record| record.value == *value && record.partition as usize == index)
            };
            if let Some((value, count)) = values.iter().find(|(v, n)| **n != 1 || !known(v)) {
                return Err(format!("partition {index} has {value} {count} times"));
            }
        }
        let mut commits = Vec::new();
        for (number, transaction) in self.in_order_of_ends(at, resumed) {
            let goes_on = resumed == Some(number);
            let there =
                |record: &&Record| found[record.partition as usize].contains_key(&record.value);
            let acknowledged = |record: &&Record| {
                !goes_on || record.acknowledged.is_some_and(|acknowledged| acknowledged <= at)
            };
            let count = transaction.records.iter().filter(there).count();
            let whole = transaction.records.iter().filter(acknowledged).all(|one| there(&one));
            let fate = if goes_on { Fate::Committed } else { transaction.fate(at) };
            match fate {
                Fate::Committed | Fate::Either if whole => {
                    commits.extend(transaction.offset);
                }
                Fate::Aborted | Fate::Either if count == 0 => {}
                _ => {
                    return Err(format!(
                        "{count} records are there, it should be {fate:?}: {transaction:?}"
                    ));
                }
            }
        }
        // Of two commits the one that was made last holds, whichever transaction ended last.
        commits.sort_by_key(|(_, begun, _)| *begun);
        let mut offsets = vec![None];
        for (offset, begun, done) in commits {
            if done <= at {
                offsets.clear();
            }
            if begun <= at {
                offsets.push(Some(offset));
            }
        }
        let offset = site.committed_offset(self.topic)?;
        if !offsets.contains(&offset) {
            return Err(format!("{offset:?} is committed, not one of {offsets:?}"));
        }
        Ok(())
    }

    /// Every transaction; those that ended in the order in which they did, others behind them.
    fn in_order_of_ends(&self, at: usize, resumed: Option<usize>) -> Vec<(usize, &Transaction)> {
        let mut all: Vec<_> = self.transactions.iter().enumerate().collect();
        all.sort_by_key(|(number, transaction)| {
            let ended = transaction.end.map(|(_, begun, _)| begun).filter(|begun| *begun <= at);
            (resumed == Some(*number), ended.unwrap_or(usize::MAX))
        });
        all
    }

    /// A client that has survived the crash goes on with its transaction, and commits it.
    fn resume(&self, site: &mut Site, at: usize) -> Outcome<Option<usize>> {
        let open = self.transactions.iter().enumerate().rev().find(|(_, transaction)| {
            let begun = transaction.records.first().and_then(|record| record.acknowledged);
            let over = transaction.end.is_some_and(|(_, begun, _)| begun <= at)
                || transaction.fenced.is_some_and(|fenced| fenced <= at);
            begun.is_some_and(|begun| begun <= at) && !over
        });
        let Some((number, transaction)) = open else { return Ok(None) };
        site.end(IDS[transaction.id], transaction.who, true, number % 2 == 0)
            .map_err(|error| format!("transaction {number} cannot go on: {error}"))?;
        Ok(Some(number))
    }
}

fn explore(seed: u64, states: &mut (u64, u64)) -> Outcome {
    let disk = SimDisk::new();
    let story = tell(&disk, seed)?;
    let plan = CrashPlan { torn: 1, reordered: 2, seed };
    let random = SeededRandom::new(seed);
    for (point, crashed) in disk.crash_states(plan) {
        let in_doubt = |error| format!("{point} ({}): {error}", disk.describe(point.boundary));
        states.0 += 1;
        let twice = states.0.is_multiple_of(60);
        // Where the recovery is crashed too, no client goes on with what the first one ends.
        let goes_on = !twice && random.below(2) == 0;
        story.judge(&crashed, point.boundary, goes_on).map_err(in_doubt)?;
        if twice {
            for (again, crashed_again) in crashed.crash_states(CrashPlan { torn: 1, ..plan }) {
                states.1 += 1;
                let judged = story.judge(&crashed_again, point.boundary, false);
                judged.map_err(|error| {
                    format!("{point}, then {again} ({}): {error}", crashed.describe(again.boundary))
                })?;
            }
        }
    }
    Ok(())
}

#[test]
fn transaction_crash_exploration() {
    let all = std::env::var("ONRUSH_TESTS").is_ok_and(|which| which == "all");
    let target = if all { 10 * STATES } else { STATES };
    let first = std::env::var("ONRUSH_SEED").map_or(1, |seed| seed.parse().unwrap());
    let (mut seed, mut states) = (first, (0, 0));
    while states.0 + states.1 < target {
        if let Err(error) = explore(seed, &mut states) {
            panic!("ONRUSH_SEED={seed}: {error}");
        }
        seed += 1;
    }
    let (once, again) = states;
    println!(
        "{once} crash states of transactions, seeds {first} to {}, {again} after two",
        seed - 1
    );
}
