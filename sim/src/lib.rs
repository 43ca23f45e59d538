//! A simulated disk that keeps synced and unsynced bytes apart, and shows what a crash may leave; and
//! the [`Judge`] of what the members of a group received.
//!
//! [`SimDisk`] is a [`Disk`](onrush_sys::Disk) in memory. Product code runs on it as on any other;
//! meanwhile every change and every sync is recorded. Afterwards (or at any moment) the test asks
//! for the disk as it may be found after a crash at any boundary between two recorded operations,
//! and starts the product on that.
//!
//! # The fault model
//! It assumes no more of the medium than POSIX and the block layer promise:
//! - What `sync_data` (for a file's bytes and length) or `sync_dir` (for the names in a directory)
//!   reported as synced is there. A sync covers what was written before it was called.
//! - Everything else is at the medium's whim, **each change by itself**: a write may be there, be
//!   lost, be torn at a sector boundary (512 bytes), at any byte, or have any subset of its
//!   sectors; it may have lengthened the file without its bytes, which then read as zeros or as
//!   what was there. A created name may vanish, a rename or removal be undone, even where later
//!   ones are not.
//! - Synced bytes are never lost, other than by [`SimDisk::flip_bit`].
//! - After a **failed** sync the bytes it was to cover are in doubt for good: later syncs report
//!   success and do not bring them to the medium, as on Linux.
//! - When only the process dies ([`SimDisk::killed`]), all it wrote is still there, and what was
//!   not synced still is not.

mod content;
mod crash;
mod disk;
mod fault;
mod file;
mod image;
mod judge;
mod op;
mod oracle;
mod replay;

pub use crash::{CrashPlan, CrashPoint, CrashPolicy, CrashStates};
pub use disk::SimDisk;
pub use fault::{Fault, Operation};
pub use judge::{Judge, Reader};
pub use oracle::{Event, Expectation, Stored, Timeline};
