//! What Onrush asks of the operating system: disk, memory maps, sockets, clock, threads. All unsafe
//! code lives here.
//!
//! Everything above this crate reaches the machine through the traits [`Disk`], [`File`],
//! [`Clock`] and [`Random`], so that a simulation can stand in for each of them. They are small and
//! object-safe on purpose: one `Arc<dyn Disk>` travels through the product instead of a type
//! parameter.
//!
//! Linux is the platform to be fast on. What only Linux has (io_uring, `sendfile`, `fallocate`,
//! `cachestat`, `syncfs`) stays in here behind plain fallbacks.

mod clock;
mod disk;
mod mapping;
pub mod net;
pub mod process;
mod random;
#[cfg(all(target_os = "linux", any(test, feature = "socket-ring")))]
pub mod ring;
mod temp;
pub mod thread;

pub use clock::{Clock, ManualClock, Sleep, SystemClock};
#[cfg(any(test, feature = "conformance"))]
pub use disk::conformance;
pub use disk::{DirEntry, Disk, DiskBackend, File, OpenMode, Synced, create_root, open_disk};
pub use mapping::{Mapping, MappingSource};
pub use random::{Random, SeededRandom, SystemRandom};
pub use temp::TempDir;
