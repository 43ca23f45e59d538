//! A consumer whom the broker assigns to.

use super::broker_side::Site;
use super::client::Client;
use super::*;

impl Client {
    /// A heartbeat. The answer may be lost; letting go may take a while.
    pub(super) fn act_new(&mut self, site: &mut Site, dice: &mut Dice) {
        let joins = self.epoch == 0;
        let owned = (joins || self.reports).then(|| self.holds.keys().copied().collect());
        let beat = GroupHeartbeat {
            instance_id: self.instance.clone(),
            owned,
            refuse_unreleased: true,
            assignor: (joins && self.index > 3).then(|| "range".to_owned()),
            ..staying(&self.member_id, self.epoch)
        };
        let beat = match self.index % 2 {
            _ if !joins => beat,
            0 => beat.subscribing(names(&["t1", "t2"])),
            _ => beat.subscribing(Subscription { topics: vec![], regex: Some("t.*".to_owned()) }),
        };
        self.reports = false;
        let result = site.world.beat(beat);
        site.collect(Vec::new());
        match result {
            Ok(_) if dice.one_in(8) => self.reports = true,
            Ok(reply) => self.hear(site, &reply, dice),
            Err(
                GroupError::UnknownMember { .. }
                | GroupError::FencedMember { .. }
                | GroupError::FencedInstance { .. },
            ) => self.forget(),
            // Somebody else is still in its place, for a session's time at most.
            Err(GroupError::UnreleasedInstance { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn hear(&mut self, site: &mut Site, reply: &GroupHeartbeatReply, dice: &mut Dice) {
        self.epoch = reply.member_epoch;
        if let Some(assignment) = &reply.assignment {
            self.told = assignment.iter().copied().collect();
            self.reports = true;
        }
        let gone: Vec<_> =
            self.holds.keys().filter(|at| !self.told.contains(at)).copied().collect();
        if gone.is_empty() || !dice.one_in(5) {
            self.commit(site, &gone);
            self.holds.retain(|partition, _| !gone.contains(partition));
            self.reads_as = self.epoch;
        }
        if self.epoch != 0 {
            let told = self.told.clone();
            self.reports |= !told.iter().eq(self.holds.keys());
            self.take(site, told);
        }
    }

    pub(super) fn leave_new(&mut self, site: &mut Site) {
        let epoch = if self.instance.is_some() { LEAVE_STATIC } else { LEAVE };
        let instance_id = self.instance.clone();
        let _ = site.world.beat(GroupHeartbeat { instance_id, ..staying(&self.member_id, epoch) });
        site.collect(Vec::new());
    }
}
