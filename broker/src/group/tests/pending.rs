//! Commits that are part of transactions: which of several holds, and what becomes of them when
//! what they are about goes.

use onrush_record::ProducerId;

use super::*;

const ONE: ProducerId = ProducerId::new(1);
const TWO: ProducerId = ProducerId::new(2);

impl World {
    fn commit_pending(&mut self, producer: ProducerId, commit: GroupCommit) {
        let (now_ms, directory) = (self.now_ms, &self.directory);
        let judged = self.groups.commit_pending(now_ms, directory, producer, commit).unwrap();
        assert!(judged.0.iter().all(Result::is_ok));
        self.apply(judged.1.unwrap());
    }

    fn end(&mut self, producer: ProducerId, commits: bool) {
        self.apply(GroupEvent::PendingEnded { group: "g".to_owned(), producer, commits });
    }

    fn apply(&mut self, event: GroupEvent) {
        self.groups.apply(&event);
        self.events.push(event);
    }

    fn committed(&self, partition: u32) -> Option<u64> {
        let found = self.groups.offsets("g", Some(&[(TOPIC, partition)]));
        found[0].1.as_ref().map(|offset| offset.offset.get())
    }

    fn is_unstable(&self, partition: u32) -> bool {
        self.groups.stable_offsets("g", Some(&[(TOPIC, partition)]))[0].1.is_err()
    }

    /// Goes on from a snapshot, as after a restart.
    fn restart(&mut self) {
        let snapshot = self.groups.snapshot();
        self.groups = Groups::restore(GroupSettings::default(), &snapshot).unwrap();
        assert_eq!(self.groups.snapshot(), snapshot);
        self.groups.start(self.now_ms);
    }
}

fn alone(partition: u32, offset: u64) -> GroupCommit {
    commit_of("", -1, partition, offset)
}

/// Twice: once as it comes, once with a restart after every step.
fn both(story: impl Fn(&mut World, &dyn Fn(&mut World))) {
    story(&mut World::new(3), &|_| {});
    story(&mut World::new(3), &World::restart);
}

#[test]
fn the_commit_that_was_made_last_holds() {
    both(|world, after| {
        world.commit(alone(0, 1)).unwrap();
        world.commit_pending(ONE, alone(0, 10));
        world.commit_pending(ONE, alone(1, 11));
        world.commit(alone(0, 20)).unwrap();
        after(world);
        assert!(world.is_unstable(0) && world.is_unstable(1));
        assert_eq!(world.committed(0), Some(20));
        world.end(ONE, true);
        after(world);
        assert_eq!(world.committed(0), Some(20), "made after the one in the transaction");
        assert_eq!(world.committed(1), Some(11));
        world.commit_pending(ONE, alone(0, 30));
        after(world);
        world.end(ONE, true);
        assert_eq!(world.committed(0), Some(30));
        assert!(!world.is_unstable(0));
    });
}

#[test]
fn of_two_transactions_the_later_commit_holds() {
    both(|world, after| {
        world.commit_pending(ONE, alone(0, 10));
        world.commit_pending(TWO, alone(0, 20));
        world.commit_pending(ONE, alone(1, 11));
        after(world);
        world.end(TWO, true);
        after(world);
        world.end(ONE, true);
        after(world);
        assert_eq!(world.committed(0), Some(20));
        assert_eq!(world.committed(1), Some(11));
    });
}

#[test]
fn what_is_aborted_leaves_no_trace() {
    both(|world, after| {
        world.commit(alone(0, 1)).unwrap();
        world.commit_pending(ONE, alone(0, 10));
        after(world);
        world.end(ONE, false);
        after(world);
        assert_eq!(world.committed(0), Some(1));
        assert!(!world.is_unstable(0));
    });
}

#[test]
fn what_is_forgotten_is_forgotten_of_transactions_too() {
    both(|world, after| {
        world.commit(alone(0, 1)).unwrap();
        world.commit_pending(ONE, alone(0, 10));
        world.commit_pending(ONE, alone(1, 11));
        let all = [(TOPIC, 0), (TOPIC, 1)];
        let (_, event) = world.groups.delete_offsets(&world.directory, "g", &all).unwrap();
        world.apply(event.unwrap());
        after(world);
        assert!(!world.is_unstable(0) && !world.is_unstable(1));
        world.end(ONE, true);
        assert_eq!((world.committed(0), world.committed(1)), (None, None));
    });
    both(|world, after| {
        world.commit(alone(0, 1)).unwrap();
        world.commit_pending(ONE, alone(0, 10));
        let deleted = world.groups.delete("g").unwrap();
        world.apply(deleted);
        after(world);
        world.end(ONE, true);
        assert!(world.groups.list().is_empty());
    });
}

#[test]
fn a_deleted_topic_is_forgotten_of_transactions_by_events() {
    let mut world = World::new(1);
    world.commit_pending(ONE, alone(0, 10));
    let mut replayed = Groups::new(GroupSettings::default());
    world.events.extend(world.groups.topic_deleted(TOPIC));
    world.end(ONE, true);
    world.events.iter().for_each(|event| replayed.apply(event));
    for groups in [&world.groups, &replayed] {
        assert!(groups.offsets("g", None).is_empty());
        assert!(groups.topics().is_empty());
        assert!(groups.list().is_empty(), "nobody has a group for what never was");
    }
}

#[test]
fn commits_do_not_expire_under_a_transaction() {
    const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;
    let mut world = World::new(1);
    world.commit(alone(0, 1)).unwrap();
    world.commit_pending(ONE, alone(0, 10));
    world.pass(2 * WEEK_MS);
    assert_eq!(world.committed(0), Some(1));
    world.end(ONE, false);
    world.pass(10 * 60 * 1000);
    assert_eq!(world.committed(0), None);
}

#[test]
fn who_says_who_it_is_must_be_that() {
    let mut world = World::new(1);
    world.join("a");
    let nobody = GroupCommit { instance_id: Some("i".to_owned()), ..alone(0, 1) };
    let judged = world.groups.commit_pending(world.now_ms, &world.directory, ONE, nobody);
    assert!(judged.is_err(), "{judged:?}");
    let stale = commit_of("", 7, 0, 1);
    let judged = world.groups.commit_pending(world.now_ms, &world.directory, ONE, stale);
    assert!(judged.is_err(), "{judged:?}");
    world.commit_pending(ONE, alone(0, 10));
}

#[test]
fn what_waits_at_the_end_of_time_does_not_come_up_again_and_again() {
    let mut world = World::new(1);
    world.commit(alone(0, 1)).unwrap();
    world.commit_pending(ONE, alone(0, 10));
    world.groups.expire(i64::MAX, &world.directory);
    assert!(world.is_unstable(0), "what a transaction is to decide of stays");
}
