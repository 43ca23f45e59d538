//! The leader epoch of a log: durable before the first batch that carries it.

use onrush_sys::Disk;

use crate::error::Result;
use crate::slots::write_both_of_all;
use crate::state::State;
use crate::writer::LogWriter;

/// Makes the epochs of logs that were just opened durable, all for a few syncs. A log whose epoch
/// could not be stored does it with its first append, which then tells what is wrong; so does one
/// that was left out here.
///
/// Keeps a file open for each log until it returns.
pub fn settle_epochs(disk: &dyn Disk, logs: &mut [&mut LogWriter]) {
    let due: Vec<&mut LogWriter> =
        logs.iter_mut().map(|log| &mut **log).filter(|log| !log.epoch_settled).collect();
    let changes: Vec<_> = due
        .iter()
        .map(|log| {
            let (epoch, end) = (log.epoch, log.written_end());
            (&*log.slots, move |state: &mut State| state.raise_epoch(epoch, end))
        })
        .collect();
    let stored = write_both_of_all(disk, &changes);
    for (log, stored) in due.into_iter().zip(stored) {
        // A closing record that was there is not of this state any more.
        log.touched = true;
        match stored {
            Ok(()) => log.epoch_is_settled(),
            Err(error) => {
                tracing::warn!(log = log.here(), %error, "cannot store the leader epoch yet");
            }
        }
    }
}

impl LogWriter {
    /// Makes the epoch durable before it is stamped. Done when the log is opened, or by a background
    /// job in good time; only an append that comes before that waits here.
    pub(crate) fn settle_epoch(&mut self) -> Result<()> {
        if self.epoch_settled {
            return Ok(());
        }
        let (epoch, end) = (self.epoch, self.written_end());
        self.slots.write_both(|state| state.raise_epoch(epoch, end))?;
        self.epoch_is_settled();
        Ok(())
    }

    pub(crate) fn epoch_is_settled(&mut self) {
        self.epoch_settled = true;
        let epochs = self.slots.look(|state| state.epochs.clone());
        self.shared.publish(|view| view.epochs = epochs);
    }
}
