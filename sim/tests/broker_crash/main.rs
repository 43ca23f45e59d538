//! Crashes of a whole broker: topics, idempotent producers, commits of a group. Whatever was
//! acknowledged before the crash holds after it.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test may panic")]

mod site;

use onrush_broker::{Acks, NewTopic};
use onrush_record::{ProducerId, TopicId};
use onrush_sim::{CrashPlan, SimDisk};
use onrush_sys::{Random as _, SeededRandom};
use site::{Outcome, Site, batch, value};

/// States judged at least; ten times as many with `ONRUSH_TESTS=all`.
const STATES: u64 = 20_000;

/// When something was begun, and when it was acknowledged, by the disk's boundaries.
#[derive(Clone, Copy, Debug)]
struct Span {
    begun: usize,
    done: usize,
}

#[derive(Debug)]
struct Topic {
    name: String,
    id: TopicId,
    created: Span,
    deleted: Option<Span>,
    /// One record each.
    produced: Vec<Span>,
    commits: Vec<(u64, Span)>,
}

/// What was done to the broker.
struct Story {
    producer: ProducerId,
    topics: Vec<Topic>,
}

fn tell(disk: &SimDisk, seed: u64) -> Outcome<Story> {
    let random = SeededRandom::new(seed);
    let mut site = Site::open(disk, seed)?;
    let broker = site.broker.clone();
    let (producer, _) = site.run(broker.init_producer()).map_err(|error| error.to_string())?;
    drop(broker);
    let mut story = Story { producer, topics: Vec::new() };
    for step in 0..40 {
        let begun = disk.boundaries();
        let span = || Span { begun, done: disk.boundaries() };
        let alive: Vec<usize> =
            (0..story.topics.len()).filter(|n| story.topics[*n].deleted.is_none()).collect();
        let choice = random.below(20);
        if alive.is_empty() || (choice == 0 && alive.len() < 3) {
            let name = format!("topic-{step}");
            let new = NewTopic { name: name.clone(), ..NewTopic::default() };
            let broker = site.broker.clone();
            let made = site.run(broker.create_topic(new)).map_err(|error| error.to_string())?;
            let id = made.id.ok_or("a topic without an id")?;
            let (produced, commits) = (Vec::new(), Vec::new());
            let topic = Topic { name, id, created: span(), deleted: None, produced, commits };
            story.topics.push(topic);
            continue;
        }
        let topic =
            &mut story.topics[alive[usize::try_from(random.below(alive.len() as u64)).unwrap()]];
        match choice {
            1 => {
                let broker = site.broker.clone();
                site.run(broker.delete_topic(topic.id)).map_err(|error| error.to_string())?;
                topic.deleted = Some(span());
            }
            2..=4 => {
                let offset = random.below(topic.produced.len() as u64 + 1);
                site.commit(topic.id, offset)?;
                topic.commits.push((offset, span()));
            }
            5 | 6 => site.pass(1 + random.below(3)),
            7 => {
                if random.below(2) == 0 {
                    let broker = site.broker.clone();
                    site.run(broker.stop()).map_err(|error| error.to_string())?;
                    drop((broker, site));
                    site = Site::open(disk, seed + step)?;
                    if !site.clean {
                        return Err("a stop in order was not taken for one".to_owned());
                    }
                } else {
                    drop(site);
                    site = Site::open(disk, seed + step)?;
                }
            }
            _ => {
                let bytes = batch(producer, topic.produced.len());
                let placed = site.produce(topic.id, bytes, Acks::All)?;
                if placed.duplicate || placed.base_offset.get() != topic.produced.len() as u64 {
                    return Err(format!("placed {placed:?}"));
                }
                topic.produced.push(span());
            }
        }
    }
    Ok(story)
}

impl Story {
    /// Opens what a crash at a boundary left, and holds it against what was acknowledged by then.
    fn judge(&self, disk: &SimDisk, at: usize, seed: u64) -> Outcome {
        let mut site = Site::open(disk, seed)?;
        for topic in &self.topics {
            topic
                .judge(&mut site, self.producer, at)
                .map_err(|e| format!("{}: {e}", topic.name))?;
        }
        let broker = site.broker.clone();
        let (id, _) = site.run(broker.init_producer()).map_err(|error| error.to_string())?;
        // The first id was out as soon as any topic was.
        if id == self.producer && self.topics.iter().any(|topic| topic.created.begun <= at) {
            return Err(format!("producer id {id:?} was given out twice"));
        }
        Ok(())
    }
}

impl Topic {
    fn judge(&self, site: &mut Site, producer: ProducerId, at: usize) -> Outcome {
        let found = site.broker.topic(self.id);
        if self.deleted.is_some_and(|span| span.done <= at) || self.created.begun > at {
            let named = site.broker.topic_by_name(&self.name);
            return match found.or(named) {
                None => Ok(()),
                Some(_) => Err("it is there, though deleted or not created yet".to_owned()),
            };
        }
        let must = self.created.done <= at && self.deleted.is_none_or(|span| span.begun > at);
        if found.is_none() {
            return if must { Err("the topic is gone".to_owned()) } else { Ok(()) };
        }
        let acknowledged = self.produced.iter().filter(|span| span.done <= at).count();
        let begun = self.produced.iter().filter(|span| span.begun <= at).count();
        let right = |count: usize| (0..count).map(value).collect::<Vec<_>>();
        let there = site.read(self.id)?;
        if there != right(there.len()) || there.len() < acknowledged || there.len() > begun {
            return Err(format!("{acknowledged} of {begun} acknowledged, found {there:?}"));
        }
        // The producer sends again what it has no answer for, and the last that it had one for.
        for sequence in acknowledged.saturating_sub(1)..begun {
            let placed = site.produce(self.id, batch(producer, sequence), Acks::All)?;
            if placed.duplicate != (sequence < there.len())
                || placed.base_offset.get() != sequence as u64
            {
                return Err(format!("{} there; a retry of {sequence}: {placed:?}", there.len()));
            }
        }
        if site.read(self.id)? != right(begun) {
            return Err(format!("after retries of {begun}: {:?}", site.read(self.id)?));
        }
        let known = self.commits.iter().filter(|(_, span)| span.done <= at).count();
        let mut may: Vec<Option<u64>> =
            self.commits.iter().filter(|(_, s)| s.begun <= at).map(|(o, _)| Some(*o)).collect();
        may.insert(0, None);
        let committed = site.committed(self.id)?;
        if !may[known..].contains(&committed) {
            return Err(format!("{committed:?} is committed, not one of {:?}", &may[known..]));
        }
        Ok(())
    }
}

fn explore(seed: u64, states: &mut (u64, u64)) -> Outcome {
    let disk = SimDisk::new();
    let story = tell(&disk, seed)?;
    let plan = CrashPlan { torn: 1, reordered: 2, seed };
    for (point, crashed) in disk.crash_states(plan) {
        let in_doubt = |error| format!("{point} ({}): {error}", disk.describe(point.boundary));
        states.0 += 1;
        story.judge(&crashed, point.boundary, seed).map_err(in_doubt)?;
        if states.0.is_multiple_of(60) {
            for (again, crashed_again) in crashed.crash_states(CrashPlan { torn: 1, ..plan }) {
                states.1 += 1;
                let judged = story.judge(&crashed_again, point.boundary, seed);
                judged.map_err(|error| {
                    format!("{point}, then {again} ({}): {error}", crashed.describe(again.boundary))
                })?;
            }
        }
    }
    Ok(())
}

#[test]
fn broker_crash_exploration() {
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
    println!("{once} crash states of a broker, seeds {first} to {}, {again} after two", seed - 1);
}
