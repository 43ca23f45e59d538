//! What a shard gathers in one turn of its event loop, so that each partition is appended to once
//! a turn and not once a connection.
//!
//! All connections of a shard read into one hot buffer, one behind the other. Produce requests are
//! only noted as they are decoded: whose they are, for which partition, and where in their frame
//! their batches lie. The first one noted wakes the task that ends the turn. Tasks run in the order
//! of their waking, so that one runs after every connection that was readable by then; it appends
//! all that was gathered, one `Partition::produce` for each partition, in the order of arrival.
//! The answers go to the [`Inbox`] of each conversation, which is told by its signal and sends them.
//! Who subscribes to what is readable once written is woken before them by the append itself, so
//! that one delivery covers what a turn appended, and leaves before the acknowledgements.
//!
//! It is appended before the end of the turn when the buffer gets full, when a single read brought
//! so much that there is nothing to gain from waiting, when a connection asks for something that
//! has to see what it sent before, and for connections within the process.

use std::cell::RefCell;
use std::future::poll_fn;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use onrush_broker::{Acks, Budget, Error, Held, Partition, Placed, ProduceBatch, Signal};
use onrush_record::{Offset, TopicId};

use crate::receive::{TailFrame, TailPool};
use crate::shard::Shared;

/// A read of this part of the hot buffer is appended at once: a write of its own costs little
/// beside what it writes.
const AT_ONCE: usize = 8;
/// Beyond this part of the hot buffer the next read would have too little room.
const CROWDED: usize = 2;
/// The hot buffer is at least this large.
const HOT_BYTES_MIN: usize = 64 * 1024;

/// Names a partition.
pub type PartitionKey = (TopicId, u32);

/// Names an unanswered request, to the conversation that it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestKey(pub u64);

/// One part of one produce request: who is to be told what of it.
#[derive(Debug)]
pub struct Place {
    /// Where it goes.
    pub partition: Arc<Partition>,
    /// The same, by name.
    pub name: PartitionKey,
    /// Nothing: the producer wants no answer.
    pub request: Option<RequestKey>,
    /// Which part of the request it is.
    pub part: u32,
    /// When the producer no longer waits for its sync.
    pub deadline: Duration,
}

/// What became of a part.
pub type Answer = (Place, Result<Placed, Error>);

/// Where a conversation finds what became of its parts.
pub struct Inbox {
    /// In the order of arrival, as far as each partition goes.
    pub answers: RefCell<Vec<Answer>>,
    signal: Arc<Signal>,
}

impl Inbox {
    /// An empty one, whose owner is told by `signal`.
    pub fn new(signal: &Arc<Signal>) -> Rc<Inbox> {
        Rc::new(Inbox { answers: RefCell::default(), signal: Arc::clone(signal) })
    }

    fn put(self: &Rc<Self>, answer: Answer, by: Option<&Rc<Inbox>>) {
        let mut answers = self.answers.borrow_mut();
        let told = !answers.is_empty() || by.is_some_and(|by| Rc::ptr_eq(by, self));
        answers.push(answer);
        if !told {
            self.signal.notify();
        }
    }
}

/// The bytes of a frame, and where they are.
#[derive(Debug)]
pub enum Source {
    /// In the hot buffer.
    Hot(Range<usize>),
    /// In a buffer of their own, since they came with several reads.
    Tail(TailFrame),
    /// In a buffer that no socket knows; what is kept over the turn counts against the byte budget
    /// until it is dropped.
    Own(BytesMut, Option<Held>),
}

impl Source {
    /// The frame itself.
    pub fn bytes<'a>(&'a self, turn: &'a Turn) -> &'a [u8] {
        match self {
            Source::Hot(frame) => &turn.hot[frame.clone()],
            Source::Tail(frame) => frame.bytes(),
            Source::Own(bytes, _) => bytes,
        }
    }

    /// The same frame outside of the hot buffer: for who has to keep it over the turn.
    pub fn kept(self, turn: &Turn, budget: &Arc<Budget>) -> Source {
        let own = match self {
            Source::Hot(frame) => BytesMut::from(&turn.hot[frame]),
            Source::Own(bytes, None) => bytes,
            held @ (Source::Tail(_) | Source::Own(_, Some(_))) => return held,
        };
        let held = budget.hold(own.len() as u64);
        Source::Own(own, Some(held))
    }
}

/// Record batches that are not in the hot buffer, until they are appended.
enum Chunk {
    Tail(TailFrame),
    Own { bytes: BytesMut, _held: Option<Held> },
}

impl Chunk {
    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Chunk::Tail(frame) => frame.bytes_mut(),
            Chunk::Own { bytes, .. } => bytes,
        }
    }
}

/// A place in a frame that a turn holds.
#[derive(Clone, Copy, Debug)]
pub struct Payload {
    /// The chunk that it is in; nothing: the hot buffer.
    chunk: Option<usize>,
    at: usize,
}

impl Payload {
    /// The place so many bytes further on.
    pub fn after(self, bytes: usize) -> Payload {
        Payload { at: self.at + bytes, ..self }
    }
}

/// What is gathered of a part.
pub struct Entry {
    /// Where it goes and whom to tell.
    pub place: Place,
    /// Where the answer goes.
    pub inbox: Rc<Inbox>,
    /// Its batches are the first `length` bytes of this. Of one frame, parts are gathered in the
    /// order of their places, and do not overlap.
    pub payload: Payload,
    /// Bytes of its batches.
    pub length: usize,
    /// Append only if the log ends here.
    pub expected_offset: Option<Offset>,
    /// When the producer wants to hear of it.
    pub acks: Acks,
}

/// One turn of a shard.
pub struct Turn {
    hot: Box<[u8]>,
    /// So much of the hot buffer holds what is gathered.
    filled: usize,
    pub(crate) pool: TailPool,
    chunks: Vec<Chunk>,
    /// In the order of arrival.
    entries: Vec<Entry>,
    /// Reused from one append to the next.
    results: Vec<Result<Placed, Error>>,
    /// Something is held.
    begun: bool,
    /// Wakes the task that ends the turn.
    end: Option<Waker>,
}

impl Turn {
    pub(crate) fn new(hot_bytes: usize) -> Self {
        Self {
            hot: vec![0; hot_bytes.max(HOT_BYTES_MIN)].into_boxed_slice(),
            filled: 0,
            pool: TailPool::default(),
            chunks: Vec::new(),
            entries: Vec::new(),
            results: Vec::new(),
            begun: false,
            end: None,
        }
    }

    /// Where the next read goes: the first position and what is behind it.
    pub(crate) fn room(&mut self) -> (usize, &mut [u8]) {
        (self.filled, &mut self.hot[self.filled..])
    }

    /// How much one read brings at most.
    pub(crate) fn read_max(&self) -> usize {
        self.hot.len()
    }

    /// What was read there.
    pub fn received(&self, range: Range<usize>) -> &[u8] {
        &self.hot[range]
    }

    /// What was read there, and the buffers for what has to be kept of it.
    pub(crate) fn with_pool<T>(
        &mut self,
        range: Range<usize>,
        keep: impl FnOnce(&[u8], &mut TailPool) -> T,
    ) -> T {
        keep(&self.hot[range], &mut self.pool)
    }

    /// Whether to append before the next read.
    pub(crate) fn is_crowded(&self) -> bool {
        self.filled > self.hot.len() / CROWDED
    }

    /// Whether a read of so many bytes is not to wait for the end of the turn.
    pub fn at_once(&self, bytes: usize) -> bool {
        bytes >= self.hot.len() / AT_ONCE
    }

    /// Keeps a frame until the record batches in it are appended; tells where it begins.
    pub fn hold(&mut self, source: Source) -> Payload {
        if !self.begun {
            self.begun = true;
            if let Some(end) = &self.end {
                end.wake_by_ref();
            }
        }
        let chunk = match source {
            Source::Hot(frame) => {
                self.filled = frame.end;
                return Payload { chunk: None, at: frame.start };
            }
            Source::Tail(frame) => Chunk::Tail(frame),
            Source::Own(bytes, held) => Chunk::Own { bytes, _held: held },
        };
        self.chunks.push(chunk);
        Payload { chunk: Some(self.chunks.len() - 1), at: 0 }
    }

    /// Notes one part.
    pub fn gather(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Appends all that is gathered, one append for each partition. The conversations it came from
    /// are told, except `by`, which looks by itself.
    pub fn append(&mut self, by: Option<&Rc<Inbox>>) {
        if !self.begun {
            return;
        }
        self.begun = false;
        if !self.entries.is_empty() {
            self.append_entries(by);
        }
        for chunk in self.chunks.drain(..) {
            if let Chunk::Tail(frame) = chunk {
                self.pool.give(frame);
            }
        }
        self.filled = 0;
    }

    fn append_entries(&mut self, by: Option<&Rc<Inbox>>) {
        let mut entries = std::mem::take(&mut self.entries);
        let mut cut = Cut::new(&mut self.hot, &mut self.chunks);
        let mut batches: Vec<ProduceBatch<'_>> = entries.iter().map(|it| cut.batch(it)).collect();
        let first = entries[0].place.name;
        if entries.iter().any(|entry| entry.place.name != first) {
            let mut all: Vec<_> = entries.drain(..).zip(batches).collect();
            // Stable: what one producer sent to one partition keeps its order.
            all.sort_by_key(|(entry, _)| entry.place.name);
            (entries, batches) = all.into_iter().unzip();
        }
        let mut rest = &mut batches[..];
        for of_one in entries.chunk_by(|one, next| one.place.name == next.place.name) {
            let (these, others) = rest.split_at_mut(of_one.len());
            of_one[0].place.partition.produce(these, &mut self.results);
            rest = others;
        }
        drop(batches);
        for (entry, result) in entries.drain(..).zip(self.results.drain(..)) {
            entry.inbox.put((entry.place, result), by);
        }
        self.entries = entries;
    }
}

/// Cuts what is gathered into the batches of each part. Within the hot buffer, and within each
/// chunk, the parts lie one behind the other, with whatever else there is between them.
struct Cut<'a> {
    hot: Piece<'a>,
    chunks: Vec<Piece<'a>>,
}

/// What is not cut yet, and where it begins.
struct Piece<'a> {
    at: usize,
    rest: &'a mut [u8],
}

impl<'a> Cut<'a> {
    fn new(hot: &'a mut [u8], chunks: &'a mut [Chunk]) -> Self {
        let chunks = chunks.iter_mut().map(|chunk| Piece { at: 0, rest: chunk.bytes_mut() });
        Self { hot: Piece { at: 0, rest: hot }, chunks: chunks.collect() }
    }

    fn batch(&mut self, entry: &Entry) -> ProduceBatch<'a> {
        let piece = match entry.payload.chunk {
            None => &mut self.hot,
            Some(chunk) => &mut self.chunks[chunk],
        };
        let (_, found) = std::mem::take(&mut piece.rest).split_at_mut(entry.payload.at - piece.at);
        let (bytes, rest) = found.split_at_mut(entry.length);
        *piece = Piece { at: entry.payload.at + entry.length, rest };
        ProduceBatch { bytes, expected_offset: entry.expected_offset, acks: entry.acks }
    }
}

/// Ends the turns of a shard for as long as it is polled.
pub(crate) async fn end_turns(shared: &Shared) {
    poll_fn(|context| {
        let mut turn = shared.turn.borrow_mut();
        turn.append(None);
        if !turn.end.as_ref().is_some_and(|end| end.will_wake(context.waker())) {
            turn.end = Some(context.waker().clone());
        }
        Poll::Pending
    })
    .await
}
