//! Whether a range of a file is in the page cache, asked without waiting.

use std::os::fd::BorrowedFd;

/// `cachestat` where the kernel has it (6.5), otherwise samples by non-waiting reads; true where
/// neither can tell.
#[cfg(target_os = "linux")]
pub(super) fn is_cached(file: BorrowedFd<'_>, position: u64, len: u64) -> bool {
    if len == 0 {
        return true;
    }
    match linux::all_pages_cached(file, position, len) {
        Some(answer) => answer,
        None => linux::samples_cached(file, position, len),
    }
}

/// The fallback alone.
#[cfg(test)]
#[cfg(all(target_os = "linux", not(miri)))]
pub(super) fn is_cached_by_samples(file: BorrowedFd<'_>, position: u64, len: u64) -> bool {
    linux::samples_cached(file, position, len)
}

/// Cannot be told here.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_cached(_file: BorrowedFd<'_>, _position: u64, _len: u64) -> bool {
    true
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::IoSliceMut;
    use std::os::fd::{AsRawFd as _, BorrowedFd};
    use std::sync::atomic::{AtomicBool, Ordering};

    /// The same number on every architecture.
    const SYS_CACHESTAT: libc::c_long = 451;

    /// One sample per so many bytes: the kernel's usual read-ahead.
    const SAMPLE_EVERY: u64 = 128 * 1024;

    /// Set once the kernel said that it has no `cachestat`, or that we may not call it.
    static UNAVAILABLE: AtomicBool = AtomicBool::new(false);

    /// `struct cachestat_range`.
    #[repr(C)]
    struct Range {
        offset: u64,
        len: u64,
    }

    /// `struct cachestat`.
    #[repr(C)]
    #[derive(Default)]
    struct Counts {
        cached: u64,
        dirty: u64,
        writeback: u64,
        evicted: u64,
        recently_evicted: u64,
    }

    /// None where `cachestat` cannot be had.
    pub(super) fn all_pages_cached(file: BorrowedFd<'_>, position: u64, len: u64) -> Option<bool> {
        if UNAVAILABLE.load(Ordering::Relaxed) {
            return None;
        }
        let range = Range { offset: position, len };
        let mut counts = Counts::default();
        // SAFETY: the descriptor is open for the borrow's length; `range` and `counts` are live
        // locals laid out as the kernel's structs, the first only read and the second only written
        // by it; the flags must be 0, and are.
        let status = unsafe {
            libc::syscall(
                SYS_CACHESTAT,
                file.as_raw_fd(),
                std::ptr::from_ref(&range),
                std::ptr::from_mut(&mut counts),
                0u32,
            )
        };
        if status != 0 {
            UNAVAILABLE.store(true, Ordering::Relaxed);
            return None;
        }
        let page = rustix::param::page_size() as u64;
        let last = (position.saturating_add(len) - 1) / page;
        Some(counts.cached > last - position / page)
    }

    /// Reads a byte here and there under `RWF_NOWAIT`, which fails instead of waiting.
    pub(super) fn samples_cached(file: BorrowedFd<'_>, position: u64, len: u64) -> bool {
        let last = position.saturating_add(len) - 1;
        let mut at = position;
        loop {
            if !byte_cached(file, at) {
                return false;
            }
            if at == last {
                return true;
            }
            at = at.saturating_add(SAMPLE_EVERY).min(last);
        }
    }

    fn byte_cached(file: BorrowedFd<'_>, position: u64) -> bool {
        let mut byte = [0];
        let mut bufs = [IoSliceMut::new(&mut byte)];
        let flags = rustix::io::ReadWriteFlags::NOWAIT;
        // Any other error means that it cannot be told, or that a true read will say it better.
        rustix::io::preadv2(file, &mut bufs, position, flags) != Err(rustix::io::Errno::AGAIN)
    }
}
