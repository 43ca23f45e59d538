//! A consumer: what it holds, how far it has read, and which protocol it speaks.

use std::collections::BTreeMap;

use super::broker_side::Site;
use super::judge::Reader;
use super::*;

/// The protocol of a client's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// The classic protocol, giving up everything at each rebalance.
    Eager,
    /// The classic protocol, giving up only what moves.
    Cooperative,
    /// The broker assigns.
    New,
}

impl Speaks {
    /// The same, but of the classic ones the eager or the cooperative one.
    pub(super) fn classic_as(self, eager: bool) -> Speaks {
        match self {
            Speaks::New => Speaks::New,
            _ if eager => Speaks::Eager,
            _ => Speaks::Cooperative,
        }
    }
}

/// What a client under the classic protocol is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Not a member, or to join again.
    Joins,
    WaitsToJoin(Ticket),
    WaitsToSync(Ticket),
    Reads,
}

pub(super) struct Client {
    pub(super) index: usize,
    life: u32,
    pub(super) instance: Option<String>,
    pub(super) speaks: Speaks,
    pub(super) member_id: String,
    /// The epoch or generation it says.
    pub(super) epoch: i32,
    /// The epoch or generation by which it has what it holds.
    pub(super) reads_as: i32,
    /// Where it is in each partition it holds.
    pub(super) holds: BTreeMap<TopicPartition, u64>,
    pub(super) doing: Doing,
    /// Of one whom the broker assigns to: what it has been told to hold.
    pub(super) told: Partitions,
    /// It has something to say with the next heartbeat.
    pub(super) reports: bool,
    /// As a leader: how many partitions there were when it last assigned.
    pub(super) assigned_of: Option<usize>,
    pub(super) paused_until_ms: i64,
}

impl Client {
    pub(super) fn new(index: usize, instance: Option<String>, speaks: Speaks) -> Client {
        let mut client = Client {
            index,
            life: 0,
            instance,
            speaks,
            member_id: String::new(),
            epoch: 0,
            reads_as: 0,
            holds: BTreeMap::new(),
            doing: Doing::Joins,
            told: Partitions::new(),
            reports: false,
            assigned_of: None,
            paused_until_ms: 0,
        };
        client.reborn(speaks);
        client
    }

    pub(super) fn shown(&self) -> String {
        let Client { member_id, instance, speaks, epoch, reads_as, holds, doing, told, .. } = self;
        format!(
            "{member_id} {instance:?} {speaks:?} {doing:?} epoch {epoch}, reads as {reads_as}, \
             holds {holds:?}, told {told:?}"
        )
    }

    fn reborn(&mut self, speaks: Speaks) {
        self.life += 1;
        self.speaks = speaks;
        self.forget();
        self.member_id = match speaks {
            Speaks::New => format!("c{}-{}", self.index, self.life),
            Speaks::Eager | Speaks::Cooperative => String::new(),
        };
    }

    /// It has lost its place, and all it held.
    pub(super) fn forget(&mut self) {
        self.holds.clear();
        self.told.clear();
        (self.epoch, self.reads_as) = (0, 0);
        self.doing = Doing::Joins;
        self.reports = false;
        self.assigned_of = None;
    }

    /// Who receives. A static member's lives are one to the group.
    fn reader(&self) -> Reader {
        (self.index, if self.instance.is_some() { 0 } else { self.life })
    }

    pub(super) fn act(&mut self, site: &mut Site, dice: &mut Dice) {
        if self.speaks == Speaks::New {
            self.act_new(site, dice);
        } else {
            self.act_classic(site, dice);
        }
        self.read(site, dice);
        if dice.one_in(2) {
            self.commit_all(site);
        }
    }

    /// Takes some records in of what it holds.
    pub(super) fn read(&mut self, site: &mut Site, dice: &mut Dice) {
        let (reader, generation) = (self.reader(), self.reads_as);
        for (partition, position) in &mut self.holds {
            let upto = site.judge.end(*partition).min(*position + dice.below(4));
            for offset in *position..upto {
                site.judge.deliver(*partition, offset, generation, reader);
            }
            *position = upto;
        }
    }

    pub(super) fn take(
        &mut self,
        site: &Site,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) {
        for partition in partitions {
            self.holds.entry(partition).or_insert_with(|| site.committed(partition));
        }
    }

    pub(super) fn commit_all(&mut self, site: &mut Site) {
        let held: Vec<_> = self.holds.keys().copied().collect();
        self.commit(site, &held);
    }

    /// Commits how far it has read in these.
    pub(super) fn commit(&mut self, site: &mut Site, partitions: &[TopicPartition]) {
        let offsets = partitions.iter().filter_map(|partition| {
            Some(OffsetCommit {
                partition: *partition,
                offset: Some(onrush_record::Offset::new(*self.holds.get(partition)?)),
                leader_epoch: None,
                metadata: String::new(),
            })
        });
        let offsets: Vec<_> = offsets.collect();
        // As Kafka's clients, it does not commit between joining a generation and being assigned.
        let joining = self.speaks != Speaks::New && self.epoch != self.reads_as;
        if offsets.is_empty() || joining {
            return;
        }
        let commit = GroupCommit {
            group: "g".to_owned(),
            member_id: self.member_id.clone(),
            member_epoch: self.epoch,
            instance_id: self.instance.clone(),
            offsets: offsets.clone(),
        };
        match site.world.commit(commit) {
            Ok(results) => {
                for (part, result) in offsets.iter().zip(results) {
                    if result.is_ok() {
                        site.judge.commit(part.partition, part.offset.unwrap().get());
                    }
                }
            }
            Err(GroupError::RebalanceInProgress { .. } | GroupError::StaleEpoch { .. }) => {}
            Err(
                GroupError::UnknownMember { .. }
                | GroupError::FencedInstance { .. }
                | GroupError::FencedMember { .. },
            ) => self.lost_place(),
            Err(GroupError::IllegalGeneration { .. }) => self.lost_generation(),
            Err(error) => panic!("{error}"),
        }
    }

    /// The group does not know it any more.
    pub(super) fn lost_place(&mut self) {
        self.forget();
        if self.speaks != Speaks::New {
            self.member_id.clear();
        }
    }

    /// The group goes on without what it holds; its member id is still good.
    pub(super) fn lost_generation(&mut self) {
        self.forget();
    }

    /// The process ends without a word, and a new one starts in its place.
    pub(super) fn crash(&mut self, site: &mut Site, speaks: Speaks) {
        self.lose_connection(site);
        self.reborn(speaks);
        self.paused_until_ms = 0;
    }

    /// A call that waits gets no answer.
    pub(super) fn lose_connection(&mut self, site: &mut Site) {
        if let Doing::WaitsToJoin(ticket) | Doing::WaitsToSync(ticket) = self.doing {
            site.abandon(ticket);
        }
        self.connection_lost();
    }

    pub(super) fn connection_lost(&mut self) {
        if let Doing::WaitsToJoin(_) | Doing::WaitsToSync(_) = self.doing {
            self.doing = Doing::Joins;
        }
    }

    /// It leaves in order, and begins anew.
    pub(super) fn leave(&mut self, site: &mut Site) {
        if self.paused_until_ms > site.now_ms() {
            return;
        }
        self.commit_all(site);
        self.lose_connection(site);
        if self.speaks == Speaks::New {
            self.leave_new(site);
        } else {
            self.leave_classic(site);
        }
        self.reborn(self.speaks);
    }
}
