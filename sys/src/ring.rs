//! Many sockets by one io_uring: only for measuring what that would save.
//!
//! The gateways wait by epoll and receive and send by a call each. Whether a ring does the same for
//! less is measured by `onrush-rungs rings`, and decided in decision 11; the product uses none of
//! this, and without the feature `socket-ring` it is not there.
//!
//! A [`SocketRing`] owns its connections and all memory that the kernel reads from or writes to.
//! Each [`SocketRing::wait`] is one turn: what was to be sent and what is to be received next is
//! handed to the kernel together, and what came is there until the next one.

mod area;

use area::Area;
use io_uring::{IoUring, cqueue, opcode, squeue, types};
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd as _;

/// The most that one receive brings.
const RECEIVE_LEN: usize = 4096;
/// The most that may wait to be sent on one connection.
const SEND_LEN: usize = 64 * 1024;
/// Names the provided buffers; there is one group of them.
const GROUP: u16 = 0;
/// Of a receive: wait until there is something before trying (`IORING_RECVSEND_POLL_FIRST`).
const POLL_FIRST: u16 = 1;
/// Set in what names an operation when it sends; the rest is the connection.
const SENDS: u64 = 1 << 63;

/// How connections are listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    /// By one operation for each receive, into memory of the connection's own. It tries first, and
    /// waits when there is nothing.
    Once,
    /// The same, but it waits without trying: right where nothing can have come yet.
    OncePollFirst,
    /// By one operation for all receives of a connection, into memory that the kernel takes from
    /// what was provided for all of them.
    Multishot,
}

/// How a ring is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// How connections are listened to.
    pub receive: Receive,
    /// Whether the sockets are registered with the ring, so that the kernel need not look up and
    /// hold their descriptors for each operation.
    pub registered: bool,
}

/// Connections, and the ring that they are served by.
#[derive(Debug)]
pub struct SocketRing {
    ring: Ring,
    /// Given back only once no operation is running.
    memory: ManuallyDrop<Area>,
    connections: Vec<Connection>,
    ways: Ways,
    /// What came in this turn, and lies in `memory` until the next.
    received: Vec<Received>,
    /// Those that no operation listens to.
    unheard: Vec<usize>,
    done: Vec<cqueue::Entry>,
    /// Operations queued or with the kernel.
    running: usize,
    open: usize,
    enters: u64,
    /// The kernel lets only the thread that made a ring enter it.
    _one_thread: PhantomData<*const ()>,
}

struct Ring(IoUring);

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ring")
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    open: bool,
    /// Bytes put into its part of the memory to be sent, how many of them have left, and whether
    /// the kernel is sending the rest.
    filled: usize,
    sent: usize,
    sending: bool,
}

#[derive(Clone, Copy, Debug)]
struct Received {
    connection: usize,
    slot: usize,
    len: usize,
}

/// Says why there can be no [`SocketRing`] here: the kernel has no io_uring, forbids it, or has one
/// too old.
pub fn available() -> io::Result<()> {
    let ring = build(8)?;
    let mut probe = io_uring::Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    if [opcode::Recv::CODE, opcode::Send::CODE].iter().all(|code| probe.is_supported(*code)) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel's io_uring is too old"))
}

/// With completions left for when they are asked for, where the kernel can do that (6.1 on).
fn build(entries: u32) -> io::Result<IoUring> {
    let deferred = IoUring::builder()
        .setup_single_issuer()
        .setup_coop_taskrun()
        .setup_defer_taskrun()
        .build(entries);
    match deferred {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => IoUring::new(entries),
        other => other,
    }
}

impl SocketRing {
    /// Begins to listen to the connections, which are then known by their places in `streams`.
    pub fn new(streams: Vec<TcpStream>, ways: Ways) -> io::Result<SocketRing> {
        let count = streams.len();
        // Each connection has at most one receive and one send queued.
        let entries = u32::try_from((2 * count).max(8)).map_err(io::Error::other)?;
        let ring = build(entries.next_power_of_two())?;
        // Twice as many as can come while those of the last turn are not given back yet.
        let slots = match ways.receive {
            Receive::Multishot => (2 * count).max(8).next_power_of_two(),
            Receive::Once | Receive::OncePollFirst => count,
        };
        let memory = Area::new(slots, RECEIVE_LEN, count, SEND_LEN)?;
        if ways.registered {
            let descriptors: Vec<_> = streams.iter().map(|stream| stream.as_raw_fd()).collect();
            ring.submitter().register_files(&descriptors)?;
        }
        let connections = streams.into_iter().map(|stream| Connection {
            stream,
            open: true,
            filled: 0,
            sent: 0,
            sending: false,
        });
        let mut this = SocketRing {
            ring: Ring(ring),
            memory: ManuallyDrop::new(memory),
            connections: connections.collect(),
            ways,
            received: Vec::new(),
            unheard: (0..count).collect(),
            done: Vec::new(),
            running: 0,
            open: count,
            enters: 0,
            _one_thread: PhantomData,
        };
        if ways.receive == Receive::Multishot {
            let (address, entries) = this.memory.provided();
            // SAFETY: the address is that of so many entries at the begin of a mapping of our own,
            // which is not given back before the ring is closed, or its last operation over.
            unsafe {
                this.ring.0.submitter().register_buf_ring_with_flags(address, entries, GROUP, 0)?;
            }
            for slot in 0..slots {
                this.memory.provide(slot);
            }
        }
        Ok(this)
    }

    /// Hands everything to the kernel and waits until something has come. False once every peer has
    /// hung up. What came before is gone after this.
    pub fn wait(&mut self) -> io::Result<bool> {
        for received in self.received.drain(..) {
            match self.ways.receive {
                Receive::Multishot => self.memory.provide(received.slot),
                Receive::Once | Receive::OncePollFirst => self.unheard.push(received.connection),
            }
        }
        while self.received.is_empty() && self.open > 0 {
            self.listen()?;
            self.enter()?;
            self.take_completions()?;
        }
        Ok(!self.received.is_empty())
    }

    /// What came in this turn, and on which connections.
    pub fn received(&self) -> impl ExactSizeIterator<Item = (usize, &[u8])> {
        self.received.iter().map(|received| {
            // SAFETY: the kernel has filled these bytes, and is not given them again before the
            // next `wait`, which the borrow of `self` rules out.
            let bytes = unsafe { self.memory.received(received.slot, received.len) };
            (received.connection, bytes)
        })
    }

    /// Sends a copy of the bytes with the next [`SocketRing::wait`], or once what was to be sent
    /// before has left. To a peer that has hung up nothing is sent.
    pub fn send(&mut self, index: usize, bytes: &[u8]) -> io::Result<()> {
        let connection = &mut self.connections[index];
        if !connection.open {
            return Ok(());
        }
        if bytes.len() > SEND_LEN - connection.filled {
            return Err(io::Error::other(format!(
                "the peer of connection {index} takes no answers"
            )));
        }
        // SAFETY: the room behind `filled` is the connection's, and no send that is running goes
        // beyond what was filled when it was queued.
        unsafe { self.memory.fill(index, connection.filled, bytes) };
        connection.filled += bytes.len();
        if connection.sending { Ok(()) } else { self.begin_send(index) }
    }

    /// System calls made so far.
    pub fn enters(&self) -> u64 {
        self.enters
    }

    /// Begins to listen to those that nothing listens to.
    fn listen(&mut self) -> io::Result<()> {
        while let Some(index) = self.unheard.pop() {
            if !self.connections[index].open {
                continue;
            }
            let fd = self.target(index);
            let entry = match self.ways.receive {
                Receive::Multishot => opcode::RecvMulti::new(fd, GROUP).build(),
                once => {
                    let (start, len) = self.memory.slot(index);
                    let poll_first = if once == Receive::OncePollFirst { POLL_FIRST } else { 0 };
                    opcode::Recv::new(fd, start, len).ioprio(poll_first).build()
                }
            };
            // SAFETY: it writes into a slot of `memory`: its connection's own, that nobody reads
            // until it is answered, or one that was provided. `memory` is kept until it is over.
            unsafe { self.push(index, entry, 0)? };
        }
        Ok(())
    }

    fn begin_send(&mut self, index: usize) -> io::Result<()> {
        let connection = &mut self.connections[index];
        connection.sending = true;
        let (start, len) = self.memory.to_send(index, connection.sent..connection.filled);
        // All of it, unless the peer is gone.
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        let entry = opcode::Send::new(self.target(index), start, len).flags(flags).build();
        // SAFETY: it reads what `send` has put into `memory`, which is kept until it is over and
        // not written to before that.
        unsafe { self.push(index, entry, SENDS) }
    }

    /// The socket as the ring knows it: by its descriptor, or by its place among those registered.
    fn target(&self, index: usize) -> types::Fd {
        match self.ways.registered {
            true => types::Fd(i32::try_from(index).unwrap_or(i32::MAX)),
            false => types::Fd(self.connections[index].stream.as_raw_fd()),
        }
    }

    /// Queues an operation.
    ///
    /// # Safety
    /// What memory it refers to must be `self.memory`, and be used for nothing else until it is over.
    unsafe fn push(&mut self, index: usize, entry: squeue::Entry, kind: u64) -> io::Result<()> {
        let flags = match self.ways.registered {
            true => squeue::Flags::FIXED_FILE,
            false => squeue::Flags::empty(),
        };
        let entry = entry.flags(flags).user_data(index as u64 | kind);
        // SAFETY: the memory is this function's contract; the socket is open as long as `self`.
        let pushed = unsafe { self.ring.0.submission().push(&entry) };
        // There is room: see how the queue's size was chosen.
        pushed.map_err(io::Error::other)?;
        self.running += 1;
        Ok(())
    }

    /// Hands over what is queued and waits for an answer. That may be one that a send is done: then
    /// what has come by then is there as well, and if nothing has, one waits again.
    fn enter(&mut self) -> io::Result<()> {
        self.enters += 1;
        match self.ring.0.submit_and_wait(1) {
            Err(error) if !passes(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn take_completions(&mut self) -> io::Result<()> {
        let mut done = std::mem::take(&mut self.done);
        done.extend(self.ring.0.completion());
        let mut outcome = Ok(());
        for entry in done.drain(..) {
            let index = usize::try_from(entry.user_data() & !SENDS).unwrap_or(usize::MAX);
            let result = usize::try_from(entry.result())
                .map_err(|_| io::Error::from_raw_os_error(-entry.result()));
            let next = match entry.user_data() & SENDS != 0 {
                true => self.sent(index, result),
                false => self.heard(index, result, entry.flags()),
            };
            outcome = outcome.and(next);
        }
        self.done = done;
        outcome
    }

    fn heard(&mut self, index: usize, result: io::Result<usize>, flags: u32) -> io::Result<()> {
        let multishot = self.ways.receive == Receive::Multishot;
        let goes_on = cqueue::more(flags);
        self.running -= usize::from(!goes_on);
        let slot = match multishot {
            true => cqueue::buffer_select(flags).map(usize::from),
            false => Some(index),
        };
        match (result, slot) {
            (Ok(1..), None) => return Err(io::Error::other("io_uring received to nowhere")),
            (Ok(len @ 1..), Some(slot)) => {
                self.received.push(Received { connection: index, slot, len });
                if multishot && !goes_on {
                    self.unheard.push(index);
                }
            }
            (Err(error), _) if multishot && error.raw_os_error() == Some(libc::EINVAL) => {
                self.hang_up(index);
                let message = "the kernel's io_uring knows no multishot receive";
                return Err(io::Error::new(io::ErrorKind::Unsupported, message));
            }
            // What was provided is used up for now, or it was disturbed.
            (Err(error), _) if passes(&error) => self.unheard.push(index),
            (Ok(0) | Err(_), _) => self.hang_up(index),
        }
        Ok(())
    }

    fn sent(&mut self, index: usize, result: io::Result<usize>) -> io::Result<()> {
        self.running -= 1;
        let connection = &mut self.connections[index];
        connection.sending = false;
        match result {
            Ok(len @ 1..) => connection.sent += len,
            Ok(0) | Err(_) => self.hang_up(index),
        }
        let connection = &mut self.connections[index];
        if !connection.open || connection.sent == connection.filled {
            (connection.sent, connection.filled) = (0, 0);
            return Ok(());
        }
        self.begin_send(index)
    }

    /// The peer is gone, or is to be: operations that are running end by themselves.
    fn hang_up(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if std::mem::take(&mut connection.open) {
            self.open -= 1;
        }
        // It may have been closed already.
        let _ = connection.stream.shutdown(Shutdown::Both);
    }
}

impl Drop for SocketRing {
    fn drop(&mut self) {
        for index in 0..self.connections.len() {
            self.hang_up(index);
        }
        while self.running > 0 {
            // An operation that cannot be waited for may still use the memory: it is not given back.
            if self.enter().is_err() {
                return;
            }
            // What went wrong with connections is of no more interest.
            let _ = self.take_completions();
        }
        // SAFETY: nothing is running, and it is not used after this.
        unsafe { ManuallyDrop::drop(&mut self.memory) };
    }
}

/// Whether an error goes away: interrupted, or short of room for the moment.
fn passes(error: &io::Error) -> bool {
    let transient = [libc::EINTR, libc::EAGAIN, libc::EBUSY, libc::ENOBUFS];
    error.raw_os_error().is_some_and(|number| transient.contains(&number))
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests;
