//! What a read holds, found out by the heads of its batches.

use onrush_record::batch::{BatchHeader, BatchRef, Batches, HEADER_LEN};
use onrush_record::{Offset, ProducerId};
use onrush_storage::{ReadMode, Slice, SliceRead, StorageError};

use crate::share::Found;

/// Bytes read at a time: the heads of many small batches, or of one large one.
const WINDOW: usize = 16 << 10;

/// Bytes a batch may decompress to where its keys are looked at.
const DECOMPRESSED_MAX: usize = 64 << 20;

/// So many records more than were asked for are looked at, so as not to take a batch apart twice;
/// what a batch claims to hold beyond them waits for the next time.
const AHEAD_MAX: u64 = 10_000;

/// One batch of the read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) first: u64,
    /// The offset after it.
    pub(super) end: u64,
    /// Where in the slice it begins.
    position: u32,
    length: u32,
    /// It has records for consumers.
    delivers: bool,
}

/// What of a read is not for consumers, beside the broker's own records.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// Records from here on are not decided yet.
    pub(super) undecided: Option<u64>,
    /// Of each aborted transaction the producer, and where it begins; in order of that.
    pub(super) aborted: Vec<(ProducerId, u64)>,
}

/// The batches of a read, up to the one that reaches `upto`.
pub(super) fn places(
    read: &SliceRead,
    upto: u64,
    hidden: &Hidden,
) -> Result<Vec<Place>, StorageError> {
    let mut places = Vec::new();
    let (len, mut at) = (read.slice.len(), 0);
    let (mut buffer, mut begin) = (Vec::new(), 0_u32);
    let mut aborting =
        Aborting { waiting: hidden.aborted.iter().peekable(), under_way: Vec::new() };
    while at < len {
        let within = (at - begin) as usize;
        if within + HEADER_LEN > buffer.len() {
            let size = WINDOW.min((len - at) as usize);
            buffer.resize(size, 0);
            read.slice.read_into(at, &mut buffer)?;
            begin = at;
        }
        let head = buffer.get((at - begin) as usize..).unwrap_or_default();
        let header = BatchHeader::parse(head).map_err(|error| damaged(&error))?;
        let first = header.base_offset.get();
        let undecided = hidden.undecided.is_some_and(|end| first >= end);
        if undecided || first >= upto && !places.is_empty() {
            break;
        }
        let aborted = aborting.covers(&header);
        places.push(Place {
            first,
            end: header.next_offset().get(),
            position: at,
            length: header.total_len,
            delivers: header.record_count > 0 && !header.attributes.is_control() && !aborted,
        });
        at = at.saturating_add(header.total_len);
    }
    Ok(places)
}

/// Which aborted transactions are under way at a batch.
struct Aborting<'a> {
    waiting: std::iter::Peekable<std::slice::Iter<'a, (ProducerId, u64)>>,
    under_way: Vec<ProducerId>,
}

impl Aborting<'_> {
    /// Whether a batch is part of an aborted transaction; they come in order.
    fn covers(&mut self, header: &BatchHeader) -> bool {
        let last = header.last_offset().get();
        while let Some((producer, _)) = self.waiting.next_if(|(_, first)| *first <= last) {
            self.under_way.push(*producer);
        }
        if header.attributes.is_control() {
            self.under_way.retain(|producer| *producer != header.producer_id);
            return false;
        }
        header.attributes.is_transactional() && self.under_way.contains(&header.producer_id)
    }
}

fn damaged(error: &dyn std::fmt::Display) -> StorageError {
    StorageError::Corrupt { file: "a read of a share group".to_owned(), reason: error.to_string() }
}

/// What a share partition is told of the read.
pub(super) fn found(from: u64, places: &[Place]) -> Found {
    let runs = places.iter().filter(|place| place.delivers);
    Found {
        from,
        end: places.last().map_or(from, |place| place.end),
        runs: runs.map(|place| (place.first, place.end)).collect(),
        keys: None,
    }
}

/// The same with the key of every record. Looking at the records also shows which offsets have
/// none.
pub(super) fn found_keys(
    from: u64,
    upto: u64,
    places: &[Place],
    read: &SliceRead,
) -> Result<Found, StorageError> {
    let cap = upto.saturating_add(AHEAD_MAX);
    let mut found = Found { runs: Vec::new(), ..self::found(from, places) };
    found.end = found.end.min(cap);
    let mut keys = Keys { runs: Vec::new(), keys: Vec::new(), cap };
    if let Some(read) = part(read, places) {
        let bytes = read.slice.to_bytes(ReadMode::Copied)?;
        let mut scratch = Vec::new();
        for (batch, place) in Batches::new(&bytes).zip(places) {
            let batch = batch.map_err(|error| damaged(&error))?;
            if place.delivers {
                keys.take(&batch, &mut scratch);
            }
        }
    }
    Ok(Found { runs: keys.runs, keys: Some(keys.keys), ..found })
}

/// Records with their keys, as they are gathered.
struct Keys {
    runs: Vec<(u64, u64)>,
    keys: Vec<(u64, Option<u64>)>,
    /// No record from here on is taken.
    cap: u64,
}

impl Keys {
    fn take(&mut self, batch: &BatchRef<'_>, scratch: &mut Vec<u8>) {
        let (first, end) = (batch.header().base_offset.get(), batch.header().next_offset().get());
        let mut next = first;
        let mut sound = false;
        if let Ok(records) = batch.records_with(scratch, DECOMPRESSED_MAX) {
            sound = true;
            for record in records {
                let Ok(record) = record else {
                    sound = false;
                    break;
                };
                if record.offset.get() >= self.cap {
                    break;
                }
                next = record.offset.get() + 1;
                self.push(record.offset.get(), record.key.map(crate::share::hash));
            }
        }
        if !sound {
            // What cannot be taken apart counts as records without keys: better handed out in any
            // order, for its reader to complain of, than never.
            (next..end.min(self.cap)).for_each(|offset| self.push(offset, None));
        }
    }

    fn push(&mut self, offset: u64, key: Option<u64>) {
        self.keys.push((offset, key));
        match self.runs.last_mut() {
            Some((_, end)) if *end == offset => *end += 1,
            _ => self.runs.push((offset, offset + 1)),
        }
    }
}

/// The part of a read that these batches make up.
pub(super) fn part(read: &SliceRead, places: &[Place]) -> Option<SliceRead> {
    let (first, last) = (places.first()?, places.last()?);
    let length = (last.position + last.length).checked_sub(first.position)?;
    let slice = match &read.slice {
        Slice::File { segment, position, .. } => Slice::File {
            segment: segment.clone(),
            position: position + u64::from(first.position),
            length,
        },
        Slice::Bytes(bytes) => {
            let begin = first.position as usize;
            Slice::Bytes(bytes.slice(begin..begin + length as usize))
        }
    };
    Some(SliceRead { slice, first: Offset::new(first.first), next: Offset::new(last.end) })
}
