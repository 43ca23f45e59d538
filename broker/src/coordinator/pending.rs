//! Offsets that are part of a transaction.

use std::sync::Arc;

use onrush_record::ProducerId;

use super::{Coordinator, append};
use crate::group::{CommittedOffset, GroupCommit, GroupEvent, TopicPartition};
use crate::shared_log::SharedLog;
use crate::{DurableMark, Error, Result};

impl Coordinator {
    /// Commits offsets if and when the transaction is. `admit` says whether that takes them in; it
    /// is asked under the lock that makes the answer hold.
    pub(crate) async fn commit_pending(
        self: &Arc<Self>,
        producer: ProducerId,
        commit: GroupCommit,
        admit: &(dyn Fn() -> Result<()> + Sync),
    ) -> Result<Vec<Result<()>>> {
        let journal = self.ready().await?;
        let now_ms = self.services.clock.now_ms();
        let (results, mark) = {
            let mut state = self.state.lock();
            admit()?;
            let super::State { groups, directory, .. } = &mut *state;
            let (results, event) = groups.commit_pending(now_ms, directory, producer, commit)?;
            let mark = append(&journal, event.as_slice())?;
            if let Some(event) = &event {
                state.groups.apply(event);
            }
            (results, mark)
        };
        journal.wait(mark).await?;
        Ok(results.into_iter().map(|result| result.map_err(Error::from)).collect())
    }

    /// The transaction of this producer has ended: what it committed for the group counts from here
    /// on, or never does. Doing it again changes nothing. It holds once the mark is durable.
    pub(crate) fn end_transaction(
        &self,
        group: &str,
        producer: ProducerId,
        commits: bool,
    ) -> Result<Option<(Arc<SharedLog>, DurableMark)>> {
        self.check()?;
        let Some(journal) = self.journal() else { return Ok(None) };
        let mut state = self.state.lock();
        let event = GroupEvent::PendingEnded { group: group.to_owned(), producer, commits };
        let mark = append(&journal, std::slice::from_ref(&event))?;
        state.groups.apply(&event);
        self.tell_due(&mut state);
        Ok(Some((Arc::clone(journal.log()), mark)))
    }

    /// What has to be durable for all that groups were told so far to be.
    pub(crate) fn awaited(&self) -> Option<(Arc<SharedLog>, DurableMark)> {
        let journal = self.journal()?;
        // Under the lock: what was admitted is appended.
        let _state = self.state.lock();
        Some((Arc::clone(journal.log()), journal.mark()))
    }

    /// What a group has committed, once that is durable; an error in place of what a transaction is
    /// still to decide.
    pub(crate) async fn stable_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Vec<(TopicPartition, Result<Option<CommittedOffset>>)>> {
        self.check()?;
        let (offsets, wait) = {
            let state = self.state.lock();
            let offsets = state.groups.stable_offsets(group, partitions);
            (offsets, self.journal().map(|journal| (journal.mark(), journal)))
        };
        if let Some((mark, journal)) = wait {
            journal.wait(mark).await?;
        }
        let errors =
            |(at, offset): (_, std::result::Result<_, _>)| (at, offset.map_err(Error::from));
        Ok(offsets.into_iter().map(errors).collect())
    }
}
