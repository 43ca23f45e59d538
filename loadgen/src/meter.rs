//! What a process spends.

use std::io;
use std::time::Duration;

use onrush_sys::process;

/// Whose CPU and memory to read: a process by its id, or this one.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Meter {
    /// This process.
    Own,
    /// Another one.
    Pid(u32),
}

impl Meter {
    fn pid(self) -> Option<u32> {
        match self {
            Meter::Own => None,
            Meter::Pid(pid) => Some(pid),
        }
    }

    /// CPU time since the process began, user and system.
    pub fn cpu(self) -> io::Result<Duration> {
        process::cpu_time(self.pid())
    }

    /// The most memory that it had resident at once.
    pub fn rss_peak_bytes(self) -> io::Result<u64> {
        process::rss_peak_bytes(self.pid())
    }
}
