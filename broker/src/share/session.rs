//! Share sessions: what a member fetches from, told once and then only what changes.
//!
//! A session is a member's, and its epoch rises with each request, so that a request that comes
//! twice, or late, is told from the next one. Sessions live as long as the connection; nothing of
//! them is kept over a restart.

use std::collections::HashMap;

use super::{ShareError, TopicPartition};

/// The epoch that opens a session.
const OPEN: i32 = 0;
/// The epoch that ends it.
const END: i32 = -1;

/// What a fetch says of the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShareSessionRequest {
    /// The group.
    pub group: String,
    /// The member.
    pub member_id: String,
    /// 0 opens a session, -1 ends it, else the epoch that comes next.
    pub epoch: i32,
    /// Partitions to fetch from, from now on.
    pub add: Vec<TopicPartition>,
    /// Partitions to fetch from no longer.
    pub forget: Vec<TopicPartition>,
    /// Whether the request acknowledges anything.
    pub acknowledges: bool,
}

/// A session as a request finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareSession {
    /// Tells it from the member's other sessions.
    pub id: u64,
    /// What to fetch from, in this order.
    pub partitions: Vec<TopicPartition>,
    /// The request ends it: nothing is fetched, and it is to be closed after the request.
    pub ends: bool,
}

#[derive(Debug)]
struct Session {
    id: u64,
    /// The epoch of the next request.
    epoch: i32,
    partitions: Vec<TopicPartition>,
    /// Where the next fetch begins, so that no partition always comes last.
    turn: usize,
}

/// All share sessions.
#[derive(Debug)]
pub(crate) struct ShareSessions {
    max: usize,
    given: u64,
    /// By group and member.
    open: HashMap<(String, String), Session>,
}

impl ShareSessions {
    pub(crate) fn new(max: usize) -> ShareSessions {
        ShareSessions { max, given: 0, open: HashMap::new() }
    }

    /// A fetch.
    pub(crate) fn fetch(
        &mut self,
        request: ShareSessionRequest,
    ) -> Result<ShareSession, ShareError> {
        let ShareSessionRequest { group, member_id, epoch, add, forget, acknowledges } = request;
        if epoch == OPEN {
            if acknowledges {
                let reason = "the request that opens a share session has nothing to acknowledge";
                return Err(ShareError::InvalidRequest { group, reason });
            }
            self.open_session(&group, &member_id)?;
        } else {
            let found = self.step(&group, &member_id, epoch)?;
            if epoch == END {
                if !add.is_empty() && !acknowledges {
                    let reason = "the request that ends a share session fetches nothing";
                    return Err(ShareError::InvalidRequest { group, reason });
                }
                return Ok(found);
            }
        }
        let key = (group, member_id);
        let Some(session) = self.open.get_mut(&key) else {
            let (group, member) = key;
            return Err(ShareError::SessionNotFound { group, member });
        };
        session.partitions.retain(|partition| !forget.contains(partition));
        for partition in add {
            if !session.partitions.contains(&partition) {
                session.partitions.push(partition);
            }
        }
        let mut partitions = session.partitions.clone();
        if !partitions.is_empty() {
            let turn = session.turn % partitions.len();
            partitions.rotate_left(turn);
            session.turn = turn + 1;
        }
        Ok(ShareSession { id: session.id, partitions, ends: false })
    }

    /// An acknowledgement that comes by itself.
    pub(crate) fn acknowledge(
        &mut self,
        group: &str,
        member_id: &str,
        epoch: i32,
    ) -> Result<ShareSession, ShareError> {
        self.step(group, member_id, epoch)
    }

    /// Ends a member's session; with an id, only that one. False if there is none.
    pub(crate) fn close(&mut self, group: &str, member_id: &str, id: Option<u64>) -> bool {
        let key = (group.to_owned(), member_id.to_owned());
        let is = self.open.get(&key).is_some_and(|found| id.is_none_or(|id| id == found.id));
        is && self.open.remove(&key).is_some()
    }

    fn open_session(&mut self, group: &str, member_id: &str) -> Result<(), ShareError> {
        let key = (group.to_owned(), member_id.to_owned());
        if !self.open.contains_key(&key) && self.open.len() >= self.max {
            return Err(ShareError::SessionLimit { max: self.max });
        }
        self.given += 1;
        let session = Session { id: self.given, epoch: 1, partitions: Vec::new(), turn: 0 };
        self.open.insert(key, session);
        Ok(())
    }

    /// Holds a request to the session's epoch, which rises by it.
    fn step(&mut self, group: &str, member: &str, epoch: i32) -> Result<ShareSession, ShareError> {
        let key = (group.to_owned(), member.to_owned());
        let Some(session) = self.open.get_mut(&key) else {
            let (group, member) = key;
            return Err(ShareError::SessionNotFound { group, member });
        };
        if epoch != END {
            if epoch != session.epoch {
                let current = session.epoch;
                let (group, member) = key;
                return Err(ShareError::InvalidSessionEpoch {
                    group,
                    member,
                    found: epoch,
                    current,
                });
            }
            session.epoch = epoch.checked_add(1).unwrap_or(1);
        }
        Ok(ShareSession { id: session.id, partitions: Vec::new(), ends: epoch == END })
    }
}

#[cfg(test)]
mod tests {
    use onrush_record::TopicId;

    use super::*;

    const ONE: TopicPartition = (TopicId::new([1; 16]), 0);
    const TWO: TopicPartition = (TopicId::new([1; 16]), 1);

    fn fetch(sessions: &mut ShareSessions, epoch: i32) -> Result<ShareSession, ShareError> {
        let (group, member_id) = ("g".to_owned(), "m".to_owned());
        sessions.fetch(ShareSessionRequest { group, member_id, epoch, ..Default::default() })
    }

    #[test]
    fn epochs_follow_each_other() {
        let mut sessions = ShareSessions::new(1);
        assert!(matches!(fetch(&mut sessions, 1), Err(ShareError::SessionNotFound { .. })));
        fetch(&mut sessions, 0).unwrap();
        fetch(&mut sessions, 1).unwrap();
        assert!(matches!(fetch(&mut sessions, 1), Err(ShareError::InvalidSessionEpoch { .. })));
        sessions.acknowledge("g", "m", 2).unwrap();
        assert!(sessions.acknowledge("g", "m", 0).is_err());
        assert!(fetch(&mut sessions, -1).unwrap().ends);
        assert!(sessions.close("g", "m", None));
        assert!(matches!(fetch(&mut sessions, 3), Err(ShareError::SessionNotFound { .. })));
    }

    #[test]
    fn partitions_take_turns() {
        let mut sessions = ShareSessions::new(1);
        let (group, member_id) = ("g".to_owned(), "m".to_owned());
        let open =
            ShareSessionRequest { group, member_id, add: vec![ONE, TWO], ..Default::default() };
        assert_eq!(sessions.fetch(open).unwrap().partitions, [ONE, TWO]);
        assert_eq!(fetch(&mut sessions, 1).unwrap().partitions, [TWO, ONE]);
        assert_eq!(fetch(&mut sessions, 2).unwrap().partitions, [ONE, TWO]);
    }

    #[test]
    fn a_lost_connection_ends_only_its_own_session() {
        let mut sessions = ShareSessions::new(1);
        let old = fetch(&mut sessions, 0).unwrap().id;
        let new = fetch(&mut sessions, 0).unwrap().id;
        assert!(!sessions.close("g", "m", Some(old)));
        assert!(sessions.close("g", "m", Some(new)));
    }

    #[test]
    fn there_are_only_so_many() {
        let mut sessions = ShareSessions::new(0);
        assert!(matches!(fetch(&mut sessions, 0), Err(ShareError::SessionLimit { max: 0 })));
    }
}
