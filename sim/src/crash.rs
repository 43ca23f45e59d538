//! What a power cut may leave.

use crate::disk::SimDisk;
use crate::image::Image;
use crate::op::{Apply, DataChange, NameChange};
use crate::replay::{Fate, Replay, Timeline};
use bytes::Bytes;
use onrush_sys::{Random as _, SeededRandom};
use std::fmt;

/// The unit in which a medium writes.
const SECTOR: u64 = 512;

/// What becomes of the changes that were not synced.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum CrashPolicy {
    /// All are lost.
    DropUnsynced,
    /// All happened to reach the medium.
    KeepAll,
    /// Those up to some point reached it, in order; the one at that point was torn.
    Torn(u64),
    /// Each by itself was kept, lost, torn, or only lengthened its file.
    Reordered(u64),
}

/// Where and how a crash happened: enough to have it again.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct CrashPoint {
    /// How many recorded operations had been issued.
    pub boundary: usize,
    /// What became of those not synced.
    pub policy: CrashPolicy,
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimDisk::crash({}, CrashPolicy::{:?})", self.boundary, self.policy)
    }
}

/// How many ways to crash at each boundary.
#[derive(Copy, Clone, Debug)]
pub struct CrashPlan {
    /// Torn endings, beside the two where all is lost and all is kept.
    pub torn: u64,
    /// Reordered ones.
    pub reordered: u64,
    /// The first seed; another one gives other endings.
    pub seed: u64,
}

impl Default for CrashPlan {
    fn default() -> CrashPlan {
        CrashPlan { torn: 4, reordered: 8, seed: 1 }
    }
}

/// Every boundary of a record, crashed at in every way of a plan. Where nothing was in doubt there
/// is only one way.
#[derive(Debug)]
pub struct CrashStates {
    disk: SimDisk,
    plan: CrashPlan,
    boundary: usize,
    way: u64,
    /// Of this boundary, once asked.
    ways: Option<u64>,
}

impl CrashStates {
    pub(crate) fn new(disk: SimDisk, plan: CrashPlan, from: usize) -> CrashStates {
        CrashStates { disk, plan, boundary: from, way: 0, ways: None }
    }
}

impl Iterator for CrashStates {
    type Item = (CrashPoint, SimDisk);

    fn next(&mut self) -> Option<(CrashPoint, SimDisk)> {
        loop {
            if self.boundary > self.disk.boundaries() {
                return None;
            }
            let ways = *self.ways.get_or_insert_with(|| {
                if self.disk.in_doubt(self.boundary) == 0 {
                    1
                } else {
                    2 + self.plan.torn + self.plan.reordered
                }
            });
            if self.way < ways {
                break;
            }
            (self.boundary, self.way, self.ways) = (self.boundary + 1, 0, None);
        }
        let policy = match self.way {
            0 => CrashPolicy::DropUnsynced,
            1 => CrashPolicy::KeepAll,
            n if n - 2 < self.plan.torn => CrashPolicy::Torn(self.plan.seed + n - 2),
            n => CrashPolicy::Reordered(self.plan.seed + n - 2 - self.plan.torn),
        };
        self.way += 1;
        let point = CrashPoint { boundary: self.boundary, policy };
        Some((point, self.disk.crash(point.boundary, point.policy)))
    }
}

/// What became of one change.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Outcome {
    Kept,
    Lost,
    Torn,
    LengthOnly,
}

/// Decides for one crash.
struct Chooser {
    policy: CrashPolicy,
    random: SeededRandom,
    /// For [`CrashPolicy::Torn`]: the operation that was torn.
    cut: usize,
}

impl Chooser {
    fn new(replay: &Replay, policy: CrashPolicy) -> Chooser {
        let seed = match policy {
            CrashPolicy::DropUnsynced | CrashPolicy::KeepAll => 0,
            CrashPolicy::Torn(seed) | CrashPolicy::Reordered(seed) => seed,
        };
        // Each boundary has its own numbers, as if it had its own seed.
        let random = SeededRandom::new(seed.rotate_left(32) ^ replay.at as u64);
        let cut = match policy {
            CrashPolicy::Torn(_) => {
                let doubtful = replay.in_doubt();
                // Small logs have few: any of them, or none.
                let pick = usize::try_from(random.below(doubtful.len() as u64)).unwrap_or(0);
                doubtful.get(pick).copied().unwrap_or(0)
            }
            _ => 0,
        };
        Chooser { policy, random, cut }
    }

    fn outcome(&self, op: usize) -> Outcome {
        match self.policy {
            CrashPolicy::DropUnsynced => Outcome::Lost,
            CrashPolicy::KeepAll => Outcome::Kept,
            CrashPolicy::Torn(_) => match op.cmp(&self.cut) {
                std::cmp::Ordering::Less => Outcome::Kept,
                std::cmp::Ordering::Equal => Outcome::Torn,
                std::cmp::Ordering::Greater => Outcome::Lost,
            },
            CrashPolicy::Reordered(_) => match self.random.below(8) {
                0..=2 => Outcome::Kept,
                3..=5 => Outcome::Lost,
                6 => Outcome::Torn,
                _ => Outcome::LengthOnly,
            },
        }
    }

    fn settle<S: Apply<C> + Clone, C: Doubtful>(&self, timeline: &Timeline<S, C>) -> S {
        let mut state = timeline.durable.clone();
        for entry in &timeline.tail {
            let outcome = match entry.fate {
                Fate::Durable => Outcome::Kept,
                Fate::Pending | Fate::Stuck => self.outcome(entry.op),
            };
            match outcome {
                Outcome::Kept => state.apply(&entry.change),
                Outcome::Lost => {}
                Outcome::Torn => entry.change.torn(&self.random, &mut |part| state.apply(&part)),
                Outcome::LengthOnly => {
                    if let Some(part) = entry.change.length_only() {
                        state.apply(&part);
                    }
                }
            }
        }
        state
    }
}

/// The disk after a power cut at this boundary.
pub(crate) fn settle(replay: &Replay, policy: CrashPolicy) -> Image {
    let chooser = Chooser::new(replay, policy);
    let files = replay.files.iter().map(|(id, file)| (*id, chooser.settle(file))).collect();
    let dirs = replay.dirs.iter().map(|(id, dir)| (*id, chooser.settle(dir))).collect();
    let mut image = Image { files, dirs };
    for names in image.dirs.values().cloned().collect::<Vec<_>>() {
        for node in names.values() {
            // A name may survive that was the only change to what it names.
            match node {
                crate::image::Node::File(file) => drop(image.files.entry(*file).or_default()),
                crate::image::Node::Dir(dir) => drop(image.dirs.entry(*dir).or_default()),
            }
        }
    }
    image.keep_reachable();
    image
}

/// A change that may have happened in part.
trait Doubtful: Sized {
    fn torn(&self, random: &SeededRandom, apply: &mut dyn FnMut(Self));
    fn length_only(&self) -> Option<Self>;
}

impl Doubtful for NameChange {
    /// A name is changed or not.
    fn torn(&self, random: &SeededRandom, apply: &mut dyn FnMut(NameChange)) {
        if random.below(2) == 0 {
            apply(self.clone());
        }
    }

    fn length_only(&self) -> Option<NameChange> {
        None
    }
}

impl Doubtful for DataChange {
    fn torn(&self, random: &SeededRandom, apply: &mut dyn FnMut(DataChange)) {
        let DataChange::Write { position, bytes } = self else {
            if random.below(2) == 0 {
                apply(self.clone());
            }
            return;
        };
        let mut part = |from: u64, to: u64| {
            // Within the write, whose length is a usize.
            let index = |n: u64| usize::try_from(n).unwrap_or(bytes.len());
            let bytes: Bytes = bytes.slice(index(from)..index(to));
            apply(DataChange::Write { position: position + from, bytes });
        };
        let len = bytes.len() as u64;
        match random.below(4) {
            // The first so many bytes; or the last.
            0 => part(0, random.below(len + 1)),
            1 => part(random.below(len + 1), len),
            // The first so many sectors.
            2 => {
                let cut = (position + random.below(len + 1)) / SECTOR * SECTOR;
                part(0, cut.saturating_sub(*position));
            }
            // Any of its sectors.
            _ => {
                let mut from = 0;
                while from < len {
                    let to = ((position + from) / SECTOR + 1) * SECTOR - position;
                    if random.below(2) == 0 {
                        part(from, to.min(len));
                    }
                    from = to;
                }
            }
        }
    }

    fn length_only(&self) -> Option<DataChange> {
        match self {
            DataChange::Write { position, bytes } => {
                Some(DataChange::Extend(position + bytes.len() as u64))
            }
            DataChange::SetLen(_) | DataChange::Extend(_) => None,
        }
    }
}
