//! One partition's log: segments, indexes, appends, reads, flush, recovery and retention.
//!
//! A log is a directory of numbered segments. Each has a data file (record batches back to back)
//! and an index file whose entries are written only for bytes that are already durable: the index
//! is the checkpoint. `docs/FORMAT.md` has the bytes.
//!
//! There is one [`LogWriter`] per log, under its owner's lock, and any number of [`LogReader`]s.
//! The writer never waits for the disk: what may wait is handed out as a ticket ([`FlushTicket`],
//! [`CheckpointTicket`], [`TrimTicket`]) or a [`BackgroundJob`], done off the lock, and completed.
//! Nothing here starts a thread or asks for the time on its own.

mod again;
mod background;
mod check;
mod checkpoint;
mod close;
mod compact;
mod config;
mod epoch;
mod error;
mod files;
mod flush;
mod index;
mod interval;
mod layout;
mod listing;
mod lookup;
mod names;
mod newest;
mod open;
mod opening;
mod quarantine;
mod reader;
mod recovery;
mod reopen;
mod repair;
mod replay;
mod report;
mod room;
mod salvage;
mod scan;
mod segment;
mod slice;
mod slots;
mod state;
mod summary;
mod superseded;
mod tail;
mod trim;
mod view;
mod writer;

pub use background::{BackgroundDone, BackgroundJob};
pub use check::{CheckReport, Finding, Severity, check};
pub use checkpoint::CheckpointTicket;
pub use close::CloseTicket;
pub use compact::{
    CleanBounds, CleanClaim, CleanLimits, CleanPolicy, CleanStats, CleanStep, Cleaning, Dirt,
    Swapped,
};
pub use config::{Env, LogConfig, OpenOptions, Visibility};
pub use epoch::settle_epochs;
pub use error::{Result, StorageError};
pub use files::OpenFiles;
pub use flush::FlushTicket;
pub use names::SegmentSeq;
pub use open::{Recovered, create, create_all, open};
pub use opening::Opening;
pub use reader::{Cursor, LogReader, SliceRead};
pub use repair::{GivenUp, RepairMode, RepairReport, repair};
pub use report::{Damage, RecoveryReport, TornTail};
pub use segment::SegmentFile;
pub use slice::{ReadMode, Slice};
pub use trim::TrimTicket;
pub use view::Ends;
pub use writer::{Appended, LogWriter};
