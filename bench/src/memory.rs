//! Memory that a load finds at hand.
//!
//! A virtual machine is given memory when it touches it first, which costs several times what writing
//! to it does (measured here: 5 µs a page against 1), and some give back what has been free for two
//! seconds. A load that fills the page cache would mostly measure that. So memory is taken before the
//! load, and given back while it runs, as quickly as the load uses it up: what was freed last is
//! used first.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::{FallocateFlags, MemfdFlags};

use crate::machine::{CLIENT_CORE, cores, pin};

/// How often to look.
const EVERY: Duration = Duration::from_millis(10);
/// This part of what was taken is free beyond what was free at first, and no more than this: more than a
/// load uses up before the next look, and so little that it is used up before it goes to the host.
const AHEAD_PART: u64 = 16;
const AHEAD_MAX: u64 = 256 << 20;
/// At least so much of the machine's memory is left alone.
const LEFT_ALONE: u64 = 2 << 30;

/// Memory that is given back in step with what is used, until this is dropped; then all of it.
#[derive(Debug)]
pub struct AtHand {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl AtHand {
    /// Takes `bytes`, or what the machine can spare, and begins to give it back.
    pub fn take(bytes: u64) -> io::Result<AtHand> {
        let wanted = bytes;
        let bytes = bytes.min(meminfo("MemAvailable")?.saturating_sub(LEFT_ALONE));
        if bytes < wanted {
            let (bytes, wanted) = (bytes >> 20, wanted >> 20);
            eprintln!(
                "only {bytes} of {wanted} MiB are at hand: the load pays for the rest of its memory"
            );
        }
        let mut taken = Taken::new(bytes >> 20)?;
        let (stop, stopped) = channel();
        let free = meminfo("MemFree")?;
        let thread = std::thread::Builder::new().name("at-hand".to_owned());
        let thread = thread.spawn(move || {
            // Not where the broker is; where it cannot be pinned it is measured a little worse.
            let _ = pin(CLIENT_CORE % cores());
            taken.give(free, &stopped);
        })?;
        Ok(AtHand { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for AtHand {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only ends early when there is no more to give.
            let _ = thread.join();
        }
    }
}

/// A file in memory, and how much of it has been given back.
struct Taken {
    memory: File,
    given: u64,
    bytes: u64,
}

impl Taken {
    fn new(mebibytes: u64) -> io::Result<Taken> {
        let mut memory = File::from(rustix::fs::memfd_create("at-hand", MemfdFlags::CLOEXEC)?);
        let chunk = vec![0; 1 << 20];
        for _ in 0..mebibytes {
            memory.write_all(&chunk)?;
        }
        Ok(Taken { memory, given: 0, bytes: mebibytes << 20 })
    }

    /// Keeps somewhat more than `free` bytes free, until told to stop or until all is given.
    fn give(&mut self, free: u64, stopped: &Receiver<()>) {
        let ahead = (self.bytes / AHEAD_PART).min(AHEAD_MAX);
        while self.given < self.bytes {
            let Ok(now) = meminfo("MemFree") else { return };
            let missing = free.saturating_add(ahead).saturating_sub(now);
            let missing = missing.min(self.bytes - self.given);
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            if missing > 0
                && rustix::fs::fallocate(&self.memory, hole, self.given, missing).is_err()
            {
                return;
            }
            self.given += missing;
            if stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }
}

/// A line of `/proc/meminfo`, in bytes.
fn meminfo(name: &str) -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other(format!("/proc/meminfo has no {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_given_back() {
        use std::os::unix::fs::MetadataExt as _;
        let mut taken = Taken::new(4).unwrap();
        let held = |taken: &Taken| taken.memory.metadata().unwrap().blocks() * 512;
        assert_eq!(held(&taken), 4 << 20);
        let (_stop, stopped) = channel();
        taken.give(u64::MAX, &stopped);
        assert_eq!(held(&taken), 0);
    }

    #[test]
    fn nothing_is_given_back_once_told_to_stop() {
        let mut taken = Taken::new(1).unwrap();
        let (stop, stopped) = channel();
        drop(stop);
        taken.give(0, &stopped);
        assert_eq!(taken.given, 0);
    }

    #[test]
    fn an_unknown_line_is_told() {
        assert!(meminfo("MemNothing").unwrap_err().to_string().contains("MemNothing"));
    }
}
