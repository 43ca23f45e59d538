//! All groups, for members under the classic protocol.

use super::classic::{
    Answer, Classic, ClassicAnswer, ClassicDescription, ClassicHeartbeat, ClassicJoin, ClassicSync,
    LeavingMember, Ticket, Turn,
};
use super::directory::TopicDirectory;
use super::error::GroupError;
use super::event::GroupEvent;
use super::group::Group;
use super::groups::{Groups, check_group_id, made_id};
use super::membership::Beat;
use super::settings::GroupSettings;
use super::{GroupKind, GroupState};

/// Longest member id taken from a client, in bytes.
const ID_MAX_LEN: usize = 1024;

impl Groups {
    /// Somebody joins, or joins again. The answer is among [`Self::take_answers`], now or after a
    /// later call. What has happened has taken effect already; the events are to be journalled.
    pub fn classic_join(
        &mut self,
        now_ms: i64,
        directory: &TopicDirectory,
        ticket: Ticket,
        join: ClassicJoin,
    ) -> Vec<GroupEvent> {
        let mut events = Vec::new();
        if let Err(error) = self.check_join(&join) {
            self.refuse_join(ticket, error);
            return events;
        }
        let id = join.group.clone();
        if !self.groups.contains_key(id.as_str()) {
            self.add_group(&id);
        }
        let Groups { settings, groups, timers, answers, ids_given, .. } = self;
        let Some(group) = groups.get_mut(id.as_str()) else { return events };
        let new_id = |name: &str| made_id(name, now_ms, ids_given);
        let mut turn = Beat { now_ms, settings, directory, events: &mut events, answers };
        group.give_way(&mut turn, &join);
        if group.classic.is_none() && !group.is_vacant() {
            let result = group.mixed_join(&mut turn, join, new_id);
            answers.push(Answer { to: ticket, what: ClassicAnswer::Joined(result) });
            timers.arm(settings, group);
            return events;
        }
        group.begin_classic();
        group.classic_turn(now_ms, settings, &mut events, answers, |classic, turn| {
            classic.join(turn, ticket, join, new_id);
        });
        if group.is_blank() {
            groups.remove(id.as_str());
        } else {
            timers.arm(settings, group);
        }
        events
    }

    fn check_join(&self, join: &ClassicJoin) -> Result<(), GroupError> {
        check_group_id(&join.group)?;
        let asked_ms = join.session_timeout_ms;
        let (min_ms, max_ms) =
            (self.settings.classic_session_min_ms, self.settings.classic_session_max_ms);
        if !u32::try_from(asked_ms).is_ok_and(|asked| (min_ms..=max_ms).contains(&asked)) {
            return Err(GroupError::InvalidSessionTimeout { asked_ms, min_ms, max_ms });
        }
        let len = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        if join.member_id.len().max(len(&join.instance_id)) > ID_MAX_LEN {
            let reason = "member and instance ids have at most 1024 bytes";
            return Err(GroupError::InvalidRequest { group: join.group.clone(), reason });
        }
        if !join.member_id.is_empty() && !self.groups.contains_key(join.group.as_str()) {
            let (group, member) = (join.group.clone(), join.member_id.clone());
            return Err(GroupError::UnknownMember { group, member });
        }
        Ok(())
    }

    fn refuse_join(&mut self, ticket: Ticket, error: GroupError) {
        let what = ClassicAnswer::Joined(Err(error));
        self.answers.push(Answer { to: ticket, what });
    }

    /// A member asks for its assignment; the leader brings everybody's. The answer is among
    /// [`Self::take_answers`], now or after a later call. What has happened has taken effect
    /// already; the events are to be journalled.
    pub fn classic_sync(
        &mut self,
        now_ms: i64,
        directory: &TopicDirectory,
        ticket: Ticket,
        sync: &ClassicSync,
    ) -> Vec<GroupEvent> {
        let mut events = Vec::new();
        if let Err(error) = self.known_group(&sync.group, &sync.member_id) {
            self.refuse_sync(ticket, error);
            return events;
        }
        if self.is_mixed(&sync.group) {
            let result =
                self.mixed_turn(&sync.group, now_ms, directory, &mut events, |group, turn| {
                    group.mixed_sync(turn, sync)
                });
            if let Some(result) = result {
                let what = ClassicAnswer::Synced(result);
                self.answers.push(Answer { to: ticket, what });
            }
            return events;
        }
        self.turn(&sync.group, now_ms, &mut events, |classic, turn| {
            classic.sync(turn, ticket, sync);
        });
        events
    }

    fn refuse_sync(&mut self, ticket: Ticket, error: GroupError) {
        let what = ClassicAnswer::Synced(Err(error));
        self.answers.push(Answer { to: ticket, what });
    }

    /// A member is still there. The answer holds at once. What has happened besides has taken
    /// effect already; the events are to be journalled.
    pub fn classic_heartbeat(
        &mut self,
        now_ms: i64,
        directory: &TopicDirectory,
        beat: &ClassicHeartbeat<'_>,
    ) -> (Result<(), GroupError>, Vec<GroupEvent>) {
        let mut events = Vec::new();
        if let Err(error) = self.known_group(beat.group, beat.member_id) {
            return (Err(error), events);
        }
        let classic = self.groups.get_mut(beat.group).and_then(|group| group.classic.as_mut());
        if let Some(classic) = classic {
            return (classic.heartbeat(now_ms, beat), events);
        }
        let result = self.mixed_turn(beat.group, now_ms, directory, &mut events, |group, turn| {
            group.mixed_heartbeat(turn, beat)
        });
        (result.unwrap_or(Ok(())), events)
    }

    /// Members leave, or are made to; one result for each. That has taken effect already; the
    /// answer is to be sent once the events are durable.
    #[expect(clippy::type_complexity, reason = "one result a member, and the events")]
    pub fn classic_leave(
        &mut self,
        now_ms: i64,
        directory: &TopicDirectory,
        group: &str,
        members: &[LeavingMember],
    ) -> Result<(Vec<Result<(), GroupError>>, Vec<GroupEvent>), GroupError> {
        let first = members.first().map_or("", |member| member.member_id.as_str());
        self.known_group(group, first)?;
        let mut events = Vec::new();
        let results = if self.is_mixed(group) {
            self.mixed_turn(group, now_ms, directory, &mut events, |group, turn| {
                group.mixed_leave(turn, members)
            })
        } else {
            self.turn(group, now_ms, &mut events, |classic, turn| classic.leave(turn, members))
        };
        Ok((results.unwrap_or_default(), events))
    }

    /// Nobody waits for the answer to a call any more.
    pub fn classic_abandon(&mut self, now_ms: i64, group: &str, ticket: Ticket) -> Vec<GroupEvent> {
        let mut events = Vec::new();
        self.turn(group, now_ms, &mut events, |classic, turn| classic.abandon(turn, ticket));
        events
    }

    /// Answers to calls that waited, or did not have to. They are to be given once the events of
    /// the call that brought them are durable.
    pub fn take_answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }

    /// One group in full, if it is under the classic protocol or has only offsets.
    pub fn describe_classic(&self, group: &str) -> Result<ClassicDescription, GroupError> {
        let found = self.groups.get(group).filter(|group| group.kind() == GroupKind::Classic);
        match found {
            Some(Group { classic: Some(classic), .. }) => Ok(classic.describe(group)),
            Some(_) => Ok(ClassicDescription {
                group: group.to_owned(),
                state: GroupState::Empty,
                protocol_type: String::new(),
                protocol_name: String::new(),
                members: Vec::new(),
            }),
            None => Err(GroupError::UnknownGroup { group: group.to_owned() }),
        }
    }

    fn known_group(&self, group: &str, member: &str) -> Result<(), GroupError> {
        check_group_id(group)?;
        if self.groups.get(group).is_some_and(|group| group.classic.is_some() || !group.is_vacant())
        {
            return Ok(());
        }
        let (group, member) = (group.to_owned(), member.to_owned());
        Err(GroupError::UnknownMember { group, member })
    }

    /// Whether the broker assigns the group, which has members.
    fn is_mixed(&self, group: &str) -> bool {
        self.groups.get(group).is_some_and(|group| group.classic.is_none() && !group.is_vacant())
    }

    /// Has a group that the broker assigns do something.
    fn mixed_turn<R>(
        &mut self,
        group: &str,
        now_ms: i64,
        directory: &TopicDirectory,
        events: &mut Vec<GroupEvent>,
        act: impl FnOnce(&mut Group, &mut Beat<'_>) -> R,
    ) -> Option<R> {
        let Groups { settings, groups, timers, answers, .. } = self;
        let group = groups.get_mut(group)?;
        let result = act(group, &mut Beat { now_ms, settings, directory, events, answers });
        timers.arm(settings, group);
        Some(result)
    }

    /// Has a group that is there and under the classic protocol do something.
    fn turn<R>(
        &mut self,
        group: &str,
        now_ms: i64,
        events: &mut Vec<GroupEvent>,
        act: impl FnOnce(&mut Classic, &mut Turn<'_>) -> R,
    ) -> Option<R> {
        let Groups { settings, groups, timers, answers, .. } = self;
        let group = groups.get_mut(group)?;
        let result = group.classic_turn(now_ms, settings, events, answers, act)?;
        timers.arm(settings, group);
        Some(result)
    }
}

impl Group {
    /// Has a group that is under the classic protocol do something.
    pub(super) fn classic_turn<R>(
        &mut self,
        now_ms: i64,
        settings: &GroupSettings,
        events: &mut Vec<GroupEvent>,
        answers: &mut Vec<Answer>,
        act: impl FnOnce(&mut Classic, &mut Turn<'_>) -> R,
    ) -> Option<R> {
        let classic = self.classic.as_deref_mut()?;
        let before = events.len();
        let mut turn = Turn { now_ms, settings, group: &self.id, events, answers };
        let result = act(classic, &mut turn);
        if events.len() > before
            && let Some(record) = &classic.record
        {
            self.epoch = record.generation;
            self.target_epoch = record.generation;
            self.changed_at_ms = record.at_ms;
        }
        Some(result)
    }
}
