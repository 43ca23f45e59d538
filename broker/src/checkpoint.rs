//! Checkpoints: writing down how far logs are durable, and what their producers sent, so that
//! recovery after a crash reads only what came since.

use std::sync::Arc;

use onrush_storage::{CheckpointTicket, StorageError};

use crate::broker::Inner;
use crate::shared_log::SharedLog;

/// Checkpoints these logs, all of them by one round of syncing.
pub(crate) fn run(inner: &Inner, logs: &[Arc<SharedLog>]) {
    let services = &inner.services;
    let expiration = i64::try_from(services.config.producer_expiration.as_millis());
    let expired = services.clock.now_ms().saturating_sub(expiration.unwrap_or(i64::MAX));
    let mut begun: Vec<(&Arc<SharedLog>, CheckpointTicket)> = Vec::new();
    for log in logs.iter().filter(|log| !log.is_deleted()) {
        let mut state = log.lock();
        state.producers.expire(expired, log.ends().start);
        let producers = state.producers.encode();
        if let Some(ticket) = state.writer.begin_checkpoint(Some(producers)) {
            begun.push((log, ticket));
        }
    }
    if begun.is_empty() {
        return;
    }
    // A checkpoint vouches for bytes, so these have to be durable first.
    inner.flush();
    let mut files = Vec::new();
    let mut written = Vec::with_capacity(begun.len());
    for (log, mut ticket) in begun {
        let outcome = ticket.write();
        let count = if outcome.is_ok() { ticket.files().len() } else { 0 };
        files.extend_from_slice(&ticket.files()[..count]);
        written.push((log, ticket, outcome, count));
    }
    let mut synced = services.storage.disk.sync_files(&files).into_iter();
    for (log, ticket, outcome, count) in written {
        let result: std::io::Result<()> = synced.by_ref().take(count).collect();
        let outcome = outcome.and_then(|()| {
            result.map_err(|source| {
                let path = format!("the checkpoint of {}", log.name);
                StorageError::Io { op: "sync", path, source }
            })
        });
        complete(inner, log, ticket, outcome);
    }
}

fn complete(
    inner: &Inner,
    log: &Arc<SharedLog>,
    ticket: CheckpointTicket,
    outcome: Result<(), StorageError>,
) {
    let completed = log.lock().writer.complete_checkpoint(ticket, outcome);
    match completed {
        Ok(()) => {}
        // Written to between the checkpoint's beginning and the flush: the next one covers it.
        Err(StorageError::NotDurable { .. }) => inner.services.io.note_changed(log),
        Err(error) => {
            if let StorageError::Full { .. } = error {
                inner.services.space.release();
            }
            tracing::error!(log = %log.name, %error, "cannot write a checkpoint");
            if matches!(error, StorageError::Io { op: "sync", .. }) {
                inner.sync_failed(log);
            } else {
                inner.services.io.note_changed(log);
            }
        }
    }
}
