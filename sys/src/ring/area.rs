//! The memory that a ring's operations read from and write to: one mapping, cut into the kernel's
//! list of provided slots, the slots to receive into, and one part of each connection to send from.

use io_uring::types::BufRingEntry;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::io;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// Nothing in it is ever borrowed as a whole; pages that nobody touches cost nothing.
#[derive(Debug)]
pub(super) struct Area {
    start: NonNull<u8>,
    len: usize,
    /// How many slots there are, and where they begin.
    slots: usize,
    slots_at: usize,
    slot_len: usize,
    /// Where the parts to send from begin, one a sender.
    sends_at: usize,
    senders: usize,
    send_len: usize,
    /// How many slots were ever provided, as the kernel counts them.
    tail: u16,
}

impl Area {
    pub(super) fn new(
        slots: usize,
        slot_len: usize,
        senders: usize,
        send_len: usize,
    ) -> io::Result<Area> {
        // Whole pages of any size that there is, so that the list begins a page.
        let slots_at = (slots * size_of::<BufRingEntry>()).next_multiple_of(64 * 1024);
        let sends_at = slots_at + slots * slot_len;
        let len = sends_at + senders * send_len;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new anonymous mapping, at an address that the kernel chooses.
        let start =
            unsafe { mmap_anonymous(std::ptr::null_mut(), len, access, MapFlags::PRIVATE) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Area { start, len, slots, slots_at, slot_len, sends_at, senders, send_len, tail: 0 })
    }

    fn at(&self, position: usize) -> *mut u8 {
        debug_assert!(position <= self.len);
        // SAFETY: within the mapping, or at its end.
        unsafe { self.start.as_ptr().add(position) }
    }

    /// Where the list of provided slots is, and how many it takes: all of them, a power of two.
    pub(super) fn provided(&self) -> (u64, u16) {
        (self.start.as_ptr() as u64, u16::try_from(self.slots).unwrap_or(u16::MAX))
    }

    /// Gives a slot to the kernel to receive into. It must not have it already.
    pub(super) fn provide(&mut self, slot: usize) {
        let (start, len) = self.slot(slot);
        let list: *mut BufRingEntry = self.start.as_ptr().cast();
        let place = usize::from(self.tail) & (self.slots - 1);
        // SAFETY: the list has `slots` entries at the begin of the mapping, which is aligned to
        // pages, and zeroed when new. The kernel reads no entry before the tail goes past it, and
        // only we write.
        let entry = unsafe { &mut *list.add(place) };
        entry.set_addr(start as u64);
        entry.set_len(len);
        entry.set_bid(u16::try_from(slot).unwrap_or(u16::MAX));
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail is a part of the first entry that its setters leave alone, aligned for
        // its type, and written to by us alone; the kernel loads it.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(list).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    /// The slot's address and length.
    pub(super) fn slot(&self, slot: usize) -> (*mut u8, u32) {
        assert!(slot < self.slots, "slot {slot} of {}", self.slots);
        let start = self.at(self.slots_at + slot * self.slot_len);
        (start, u32::try_from(self.slot_len).unwrap_or(u32::MAX))
    }

    /// What was received into a slot.
    ///
    /// # Safety
    /// The kernel must have been done with the slot, and must not be given it again while the bytes
    /// are borrowed.
    pub(super) unsafe fn received(&self, slot: usize, len: usize) -> &[u8] {
        assert!(len <= self.slot_len, "{len} bytes in a slot of {}", self.slot_len);
        // SAFETY: so many bytes are within the slot, all initialised since the mapping was zeroed;
        // nobody writes to them, by contract.
        unsafe { std::slice::from_raw_parts(self.slot(slot).0, len) }
    }

    /// Puts bytes into a sender's part.
    ///
    /// # Safety
    /// No operation must use that range of it.
    pub(super) unsafe fn fill(&mut self, sender: usize, from: usize, bytes: &[u8]) {
        let (start, len) = self.to_send(sender, from..from + bytes.len());
        // SAFETY: the range lies within the mapping, which is not borrowed; `bytes` are none of it,
        // or `self` would be borrowed.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), start.cast_mut(), len as usize) };
    }

    /// Address and length of a range of a sender's part.
    pub(super) fn to_send(&self, sender: usize, range: Range<usize>) -> (*const u8, u32) {
        assert!(sender < self.senders && range.start <= range.end && range.end <= self.send_len);
        let start = self.at(self.sends_at + sender * self.send_len + range.start);
        (start, u32::try_from(range.len()).unwrap_or(u32::MAX))
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and who owns it has seen to it that nothing uses it.
        // It cannot fail for a mapping that exists.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}
