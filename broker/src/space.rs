//! What the broker does when the disk is full.
//!
//! Producers are refused, with an error that tells them to try again, before the last byte is
//! gone; and a file written beforehand is given up when it is, so that the broker's own logs
//! (commits, deletes) go on. Both end by themselves once there is room.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use onrush_sys::{Disk, OpenMode};
use parking_lot::Mutex;

use crate::{BrokerConfig, Error};

const RESERVE: &str = "reserve";

#[derive(Debug)]
pub(crate) struct Space {
    disk: Arc<dyn Disk>,
    shown: String,
    reserve_bytes: u64,
    free_min_bytes: u64,
    full: AtomicBool,
    /// Whether the reserve stands.
    reserve: Mutex<bool>,
}

impl Space {
    pub(crate) fn new(disk: Arc<dyn Disk>, config: &BrokerConfig) -> Space {
        Space {
            disk,
            shown: config.data_dir.display().to_string(),
            reserve_bytes: config.reserve_bytes,
            free_min_bytes: config.free_min_bytes,
            full: AtomicBool::new(false),
            reserve: Mutex::new(false),
        }
    }

    /// Are producers refused for want of space?
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    pub(crate) fn error(&self) -> Error {
        Error::DiskFull { path: self.shown.clone() }
    }

    /// A producer's write found no room.
    pub(crate) fn refuse_produce(&self) {
        if !self.full.swap(true, Ordering::Relaxed) {
            tracing::error!("the disk is full: produce requests are refused until there is room");
        }
    }

    /// One of the broker's own writes found no room: gives up the reserve. False when it had been
    /// given up before.
    pub(crate) fn release(&self) -> bool {
        self.refuse_produce();
        let mut standing = self.reserve.lock();
        if !*standing {
            return false;
        }
        *standing = false;
        if let Err(error) = self.disk.remove_file(Path::new(RESERVE)) {
            tracing::error!(%error, "cannot give up the reserve file");
            return false;
        }
        tracing::warn!(bytes = self.reserve_bytes, "the disk is full: gave up the reserve file");
        true
    }

    /// Looks how much room there is; refuses or takes producers accordingly, and writes the
    /// reserve when it does not stand. Waits for the disk.
    pub(crate) fn check(&self) {
        let free = match self.disk.free_bytes() {
            Ok(free) => free,
            Err(error) => {
                tracing::warn!(%error, "cannot tell how much space is free");
                return;
            }
        };
        let mut standing = self.reserve.lock();
        let needed = if *standing { 0 } else { self.reserve_bytes };
        if free < self.free_min_bytes {
            drop(standing);
            self.refuse_produce();
            return;
        }
        // Producers come back only with room for the reserve too, lest the two take turns.
        if free < self.free_min_bytes.saturating_add(needed) {
            return;
        }
        if !*standing && self.reserve_bytes > 0 {
            match self.write_reserve() {
                Ok(()) => *standing = true,
                Err(error) => {
                    tracing::warn!(%error, "cannot write the reserve file");
                    return;
                }
            }
        }
        if self.full.swap(false, Ordering::Relaxed) {
            tracing::info!(free, "there is room again: produce requests are accepted");
        }
    }

    fn write_reserve(&self) -> std::io::Result<()> {
        let file = self.disk.open(Path::new(RESERVE), OpenMode::Create)?;
        if file.len()? != self.reserve_bytes {
            file.truncate(0)?;
            file.preallocate(0, self.reserve_bytes)?;
            file.sync_data()?;
        }
        Ok(())
    }
}
