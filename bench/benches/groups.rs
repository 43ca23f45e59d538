//! The state of consumer groups: what a heartbeat, a join and a commit cost.
#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use onrush_broker::group::{
    GroupCommit, GroupHeartbeat, GroupHeartbeatReply, GroupSettings, Groups, OffsetCommit,
    TopicDirectory, TopicEntry,
};
use onrush_record::{Offset, TopicId};

const TOPIC: TopicId = TopicId::new([7; 16]);
const PARTITIONS: u32 = 1_000;
const NOW_MS: i64 = 1_700_000_000_000;

fn directory() -> TopicDirectory {
    let mut directory = TopicDirectory::new();
    let entry = TopicEntry { id: TOPIC, partitions: PARTITIONS, internal: false };
    directory.put("orders", entry);
    directory
}

fn settings() -> GroupSettings {
    GroupSettings { members_max: 10_000, ..GroupSettings::default() }
}

fn join(groups: &mut Groups, directory: &TopicDirectory, index: usize) -> GroupHeartbeatReply {
    let beat = GroupHeartbeat {
        group: "readers".to_owned(),
        member_id: format!("member-{index}"),
        client_id: "bench".to_owned(),
        topics: Some(vec!["orders".to_owned()]),
        owned: Some(Vec::new()),
        ..GroupHeartbeat::default()
    };
    groups.heartbeat(NOW_MS, directory, beat).expect("anyone may join").0
}

fn stay(reply: &GroupHeartbeatReply) -> GroupHeartbeat {
    GroupHeartbeat {
        group: "readers".to_owned(),
        member_id: reply.member_id.clone(),
        member_epoch: reply.member_epoch,
        client_id: "bench".to_owned(),
        owned: reply.assignment.clone(),
        ..GroupHeartbeat::default()
    }
}

/// Everyone joins, then reports until nothing moves any more.
fn settled(members: usize, directory: &TopicDirectory) -> (Groups, Vec<GroupHeartbeatReply>) {
    let mut groups = Groups::new(settings());
    let mut replies: Vec<GroupHeartbeatReply> =
        (0..members).map(|index| join(&mut groups, directory, index)).collect();
    for _ in 0..8 {
        for reply in &mut replies {
            let beat = stay(reply);
            *reply = groups.heartbeat(NOW_MS, directory, beat).expect("a member may stay").0;
        }
    }
    (groups, replies)
}

fn groups(criterion: &mut Criterion) {
    let directory = directory();
    let mut group = criterion.benchmark_group("group of 1,000 partitions");
    group.sample_size(20);
    for members in [10, 100] {
        let (mut groups, replies) = settled(members, &directory);
        let mut turn = 0;
        group.bench_function(format!("heartbeat, {members} members"), |bencher| {
            bencher.iter(|| {
                turn = (turn + 1) % members;
                let beat = GroupHeartbeat { owned: None, ..stay(&replies[turn]) };
                black_box(groups.heartbeat(NOW_MS, &directory, beat))
            });
        });
        group.bench_function(format!("all join and settle, {members} members"), |bencher| {
            bencher.iter(|| black_box(settled(members, &directory)));
        });
        let snapshot = groups.snapshot();
        group.bench_function(format!("one more joins, {members} members"), |bencher| {
            let restored = || Groups::restore(settings(), &snapshot).expect("just taken");
            bencher.iter_batched(
                restored,
                |mut groups| join(&mut groups, &directory, members),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn commits(criterion: &mut Criterion) {
    let directory = directory();
    let (mut groups, _) = settled(0, &directory);
    let mut next = 0;
    criterion.bench_function("commit 10 offsets and apply", |bencher| {
        bencher.iter(|| {
            next += 1;
            let offsets = (0..10).map(|partition| OffsetCommit {
                partition: (TOPIC, partition),
                offset: Some(Offset::new(next)),
                leader_epoch: None,
                metadata: String::new(),
            });
            let commit = GroupCommit {
                group: "alone".to_owned(),
                offsets: offsets.collect(),
                member_epoch: -1,
                ..GroupCommit::default()
            };
            let judged = groups.commit(NOW_MS, &directory, commit);
            if let Ok((_, Some(event))) = &judged {
                groups.apply(event);
            }
            black_box(judged)
        });
    });
}

criterion_group!(benches, groups, commits);
criterion_main!(benches);
