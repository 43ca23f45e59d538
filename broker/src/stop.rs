//! Stopping in order.

use std::sync::Arc;

use onrush_storage::StorageError;
use onrush_sys::Disk;

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
        self.stop_cleaning();
        let _turn = self.maintenance.lock();
        while self.flush() {}
        let mut first_error = None;
        let groups = self.coordinator.journal();
        let (transactions, shares) = (self.transactions.journal(), self.sharing.journal());
        let groups = groups.iter().chain(&transactions).chain(&shares).map(|journal| journal.log());
        let journals = groups.chain([self.catalog.journal.log()]).cloned();
        let logs: Vec<_> = self.logs().into_iter().chain(journals).collect();
        // One that was written to at the last moment may not stand in the queue yet.
        for log in &logs {
            if log.lock().writer.needs_flush() {
                self.services.sync.wrote(log, 0, true);
            }
        }
        while self.flush() {}
        let _quiet = self.flusher.pause();
        self.finish_background();
        for (log, result) in close_all(&*self.services.storage.disk, &logs) {
            if let Err(error) = result {
                tracing::error!(log = %log.name, %error, "cannot close a log in order");
                first_error.get_or_insert(Error::storage(&log.name, error));
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
        self.transactions.close();
        done
    }
}

/// How many logs are closed by one round of syncing: bounds the files held open.
const CLOSED_AT_ONCE: usize = 256;

type Closed<'a> = (&'a Arc<SharedLog>, Result<(), StorageError>);

/// Closes logs that are flushed.
fn close_all<'a>(disk: &dyn Disk, logs: &'a [Arc<SharedLog>]) -> Vec<Closed<'a>> {
    logs.chunks(CLOSED_AT_ONCE).flat_map(|logs| close_some(disk, logs)).collect()
}

fn close_some<'a>(disk: &dyn Disk, logs: &'a [Arc<SharedLog>]) -> Vec<Closed<'a>> {
    let mut closed = Vec::new();
    let mut begun = Vec::new();
    let mut files = Vec::new();
    for log in logs.iter().filter(|log| !log.is_deleted()) {
        let mut state = log.lock();
        let producers = state.producers.encode();
        // One that takes no writes any more cannot be said to be whole.
        let poisoned = state.writer.is_poisoned() || log.is_failed();
        let ticket = state.writer.begin_close(Some(producers));
        let is_open = ticket.is_none() && state.writer.needs_close();
        drop(state);
        match ticket {
            Some(mut ticket) => {
                let written = ticket.write();
                let count = if written.is_ok() { ticket.files().len() } else { 0 };
                files.extend_from_slice(&ticket.files()[..count]);
                begun.push((log, ticket, written, count));
            }
            None if poisoned => {
                closed.push((log, Err(StorageError::Misuse("a sync of it has failed"))));
            }
            None if is_open => {
                closed.push((log, Err(StorageError::Misuse("work on it has not ended"))));
            }
            None => {}
        }
    }
    let mut synced = disk.sync_files(&files).into_iter();
    for (log, ticket, written, count) in begun {
        let synced: std::io::Result<()> = synced.by_ref().take(count).collect();
        let outcome = written.and_then(|()| {
            let path = log.name.to_string();
            synced.map_err(|source| StorageError::Io { op: "sync", path, source })
        });
        closed.push((log, log.lock().writer.complete_close(ticket, outcome)));
        log.fire();
    }
    closed
}
