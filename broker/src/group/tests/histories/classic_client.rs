//! A consumer under the classic protocol, eager or cooperative, and what its leader assigns.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::broker_side::Site;
use super::client::{Client, Doing, Speaks};
use super::*;
use crate::group::classic::{ConsumerSubscription, encode_assignment, parse_assignment};

const TOPICS: [&str; 2] = ["t1", "t2"];

/// Partitions by topic, as consumers say them.
fn by_topic(site: &Site, partitions: &[TopicPartition]) -> BTreeMap<String, Vec<u32>> {
    let mut topics: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        let name = site.world.directory.name(*topic).unwrap().to_owned();
        topics.entry(name).or_default().push(*partition);
    }
    topics
}

fn by_id(site: &Site, topics: &[(String, Vec<u32>)]) -> Partitions {
    let id = |name: &str| site.world.directory.get(name).unwrap().id;
    let each = |(name, partitions): &(String, Vec<u32>)| {
        let topic = id(name);
        partitions.iter().map(move |partition| (topic, *partition)).collect::<Vec<_>>()
    };
    topics.iter().flat_map(each).collect()
}

impl Client {
    fn said(&self, site: &Site) -> Vec<(String, Bytes)> {
        let mut out = vec![0, 1];
        out.extend(i32::try_from(TOPICS.len()).unwrap().to_be_bytes());
        for topic in TOPICS {
            out.extend(i16::try_from(topic.len()).unwrap().to_be_bytes());
            out.extend(topic.as_bytes());
        }
        let held: Vec<_> = self.holds.keys().copied().collect();
        // From its owned partitions on, an assignment looks the same.
        let owned = encode_assignment(0, &by_topic(site, &held));
        out.extend((-1_i32).to_be_bytes());
        out.extend(&owned[2..owned.len() - 4]);
        let name = if self.speaks == Speaks::Eager { "range" } else { "cooperative-sticky" };
        vec![(name.to_owned(), Bytes::from(out))]
    }

    pub(super) fn act_classic(&mut self, site: &mut Site, dice: &mut Dice) {
        match self.doing {
            Doing::Joins => self.join(site),
            Doing::WaitsToJoin(ticket) => match site.answer(ticket) {
                None => {}
                Some(ClassicAnswer::Joined(Ok(joined))) => self.sync(site, joined),
                Some(ClassicAnswer::Joined(Err(error))) => self.refused(error),
                Some(other) => panic!("{other:?}"),
            },
            Doing::WaitsToSync(ticket) => match site.answer(ticket) {
                None => {}
                Some(ClassicAnswer::Synced(Ok(synced))) => self.assigned(site, &synced),
                Some(ClassicAnswer::Synced(Err(error))) => self.refused(error),
                Some(other) => panic!("{other:?}"),
            },
            Doing::Reads => {
                let beat = ClassicHeartbeat {
                    group: "g",
                    generation: self.epoch,
                    member_id: &self.member_id,
                    instance_id: self.instance.as_deref(),
                };
                let World { groups, directory, now_ms, .. } = &mut site.world;
                let (result, events) = groups.classic_heartbeat(*now_ms, directory, &beat);
                site.collect(events);
                match result {
                    // A leader that sees a topic grow joins again.
                    Ok(()) if self.sees_growth(site) => self.begin_join(site),
                    Ok(()) if !site.calm && dice.one_in(40) => self.begin_join(site),
                    Ok(()) => {}
                    Err(GroupError::RebalanceInProgress { .. }) => self.begin_join(site),
                    Err(error) => self.refused(error),
                }
            }
        }
    }

    fn sees_growth(&self, site: &Site) -> bool {
        self.assigned_of.is_some_and(|partitions| partitions != site.judge.partitions().len())
    }

    /// Gets ready to join again: an eager one gives up everything first.
    fn begin_join(&mut self, site: &mut Site) {
        self.doing = Doing::Joins;
        self.commit_all(site);
        if self.speaks == Speaks::Eager {
            self.holds.clear();
        }
        self.join(site);
    }

    fn join(&mut self, site: &mut Site) {
        if self.speaks == Speaks::Eager {
            self.holds.clear();
        }
        // A static member may miss a whole rebalance and be a member still. A cooperative one that
        // comes back then claims what others have by now, which the protocol does not cure.
        let stays = self.instance.is_some() && self.speaks == Speaks::Eager;
        let join = ClassicJoin {
            group: "g".to_owned(),
            member_id: self.member_id.clone(),
            instance_id: self.instance.clone(),
            client_id: format!("c{}", self.index),
            session_timeout_ms: if stays { 60_000 } else { 10_000 },
            rebalance_timeout_ms: 20_000,
            protocol_type: "consumer".to_owned(),
            protocols: self.said(site),
            member_id_required: !self.index.is_multiple_of(3),
            skips_assignment: true,
            ..ClassicJoin::default()
        };
        let ticket = site
            .call(|groups, now_ms, directory, it| groups.classic_join(now_ms, directory, it, join));
        self.doing = Doing::WaitsToJoin(ticket);
    }

    fn sync(&mut self, site: &mut Site, joined: ClassicJoined) {
        self.member_id.clone_from(&joined.member_id);
        self.epoch = joined.generation;
        let leads = joined.leader == joined.member_id;
        let assigns = leads && !joined.skip_assignment;
        // One that shall not assign cannot tell whether there is more now than there was.
        let known = if assigns { site.judge.partitions().len() } else { 0 };
        self.assigned_of = leads.then_some(known);
        let assignments = if assigns { self.assign(site, &joined) } else { Vec::new() };
        let sync = ClassicSync {
            group: "g".to_owned(),
            generation: joined.generation,
            member_id: joined.member_id,
            instance_id: self.instance.clone(),
            protocol_type: joined.protocol_type,
            protocol_name: joined.protocol_name,
            assignments,
        };
        let ticket = site.call(|groups, now_ms, directory, it| {
            groups.classic_sync(now_ms, directory, it, &sync)
        });
        self.doing = Doing::WaitsToSync(ticket);
    }

    /// As a leader: everybody keeps what it has as far as that is even. What is to move from one
    /// cooperative member to another is left out until the one has given it up.
    fn assign(&self, site: &Site, joined: &ClassicJoined) -> Vec<(String, Bytes)> {
        let members: BTreeSet<&str> = joined.members.iter().map(|m| &*m.member_id).collect();
        let mut owners: BTreeMap<TopicPartition, Vec<&str>> = BTreeMap::new();
        for member in &joined.members {
            let said = ConsumerSubscription::parse(&member.metadata).unwrap();
            for partition in by_id(site, &said.owned) {
                owners.entry(partition).or_default().push(&member.member_id);
            }
        }
        let all = site.judge.partitions();
        let most = all.len().div_ceil(members.len());
        let mut shares: BTreeMap<&str, Vec<TopicPartition>> =
            members.iter().map(|member| (*member, Vec::new())).collect();
        let mut free = Vec::new();
        for partition in all {
            let owner = owners.get(&partition).filter(|owners| owners.len() == 1);
            match owner.and_then(|owners| shares.get_mut(owners[0])) {
                Some(share) if share.len() < most => share.push(partition),
                _ => free.push(partition),
            }
        }
        for partition in free {
            let least = shares.values_mut().min_by_key(|share| share.len()).unwrap();
            least.push(partition);
        }
        let moves = |member: &str, at: &TopicPartition| {
            let owners = owners.get(at).filter(|owners| owners.len() == 1);
            self.speaks == Speaks::Cooperative && owners.is_some_and(|it| it[0] != member)
        };
        let own = |(member, share): (&str, Vec<TopicPartition>)| {
            let kept: Vec<_> = share.into_iter().filter(|at| !moves(member, at)).collect();
            (member.to_owned(), Bytes::from(encode_assignment(1, &by_topic(site, &kept))))
        };
        shares.into_iter().map(own).collect()
    }

    fn assigned(&mut self, site: &mut Site, synced: &ClassicSynced) {
        let given = by_id(site, &parse_assignment(&synced.assignment).unwrap());
        let gone: Vec<_> = self.holds.keys().filter(|at| !given.contains(at)).copied().collect();
        self.doing = Doing::Reads;
        self.holds.retain(|partition, _| given.contains(partition));
        self.reads_as = self.epoch;
        self.take(site, given);
        if !gone.is_empty() {
            // So that the others get what it has given up.
            self.doing = Doing::Joins;
        }
    }

    fn refused(&mut self, error: GroupError) {
        match error {
            GroupError::MemberIdRequired { member_id, .. } => {
                self.member_id = member_id;
                self.doing = Doing::Joins;
            }
            GroupError::RebalanceInProgress { .. } => self.doing = Doing::Joins,
            GroupError::IllegalGeneration { .. } => self.lost_generation(),
            GroupError::UnknownMember { .. } | GroupError::FencedInstance { .. } => {
                self.lost_place();
            }
            // Members of another kind are there. Clients give up then; its place is taken by one
            // that tries again.
            GroupError::InconsistentProtocol { .. } => self.lost_place(),
            error => panic!("{error}"),
        }
    }

    pub(super) fn leave_classic(&mut self, site: &mut Site) {
        let leaving = LeavingMember {
            member_id: self.member_id.clone(),
            instance_id: self.instance.clone(),
            reason: None,
        };
        let World { groups, directory, now_ms, .. } = &mut site.world;
        if let Ok((_, events)) = groups.classic_leave(*now_ms, directory, "g", &[leaving]) {
            site.collect(events);
        }
    }
}
