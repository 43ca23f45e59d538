//! Stopping in order.

use std::sync::Arc;

use crate::broker::Inner;
use crate::shared_log::SharedLog;
use crate::{Error, Result};

impl Inner {
    pub(crate) fn stop(&self) -> Result<()> {
        if self.services.is_closed() {
            return Ok(());
        }
        // From here on nothing new is taken in; what was taken in before is made durable.
        self.services.begin_stopping();
        let _turn = self.maintenance.lock();
        while self.flush() {}
        let _quiet = self.flusher.pause();
        let mut first_error = None;
        let groups = self.coordinator.journal();
        let groups = groups.iter().map(|journal| journal.log());
        // The metadata come last: what refers to them is closed before.
        let journals = groups.chain([self.catalog.journal.log()]).cloned();
        for log in self.logs().into_iter().chain(journals) {
            if let Err(error) = close(&log) {
                tracing::error!(log = %log.name, %error, "cannot close a log in order");
                first_error.get_or_insert(error);
            }
        }
        let done = match first_error {
            None => self.directory.mark_clean(),
            Some(error) => Err(error),
        };
        self.services.close();
        // Whoever still waits learns that it is over.
        for log in self.logs() {
            log.fire();
        }
        done
    }
}

fn close(log: &Arc<SharedLog>) -> Result<()> {
    if log.is_deleted() {
        return Ok(());
    }
    let mut state = log.lock();
    let producers = state.producers.encode();
    let closed = state.writer.close_cleanly(Some(producers));
    drop(state);
    log.fire();
    closed.map_err(|error| Error::storage(&log.name, error))
}
