//! Memory that shows a file.

use bytes::Bytes;
use std::fmt;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::Arc;

/// The first bytes of a file, mapped into memory for reading. Clones share the one address range,
/// which is given back when the last clone, and the last [`Bytes`] cut from it, are gone.
///
/// # What the caller must heed
/// The mapping is the page cache itself. It may be longer than the file, and what is appended later
/// shows through. Two things follow, which no type can enforce:
/// - **Expose only what exists and will never change**: bytes below a readable end, in a file that
///   is only appended to above it. The data directory's lock keeps other processes out.
/// - **Never shorten the file below what was exposed.** Touching a mapped page beyond the file's
///   end, or one that the disk fails to deliver, raises `SIGBUS`, which ends the process. Removing
///   the file's name is harmless. The kernel's own reads from such a page (`write` to a socket)
///   fail with `EFAULT` instead.
#[derive(Clone)]
pub struct Mapping(Arc<Inner>);

enum Inner {
    Region(Region),
    Source(Box<dyn MappingSource>),
}

/// What stands behind a [`Mapping`] that is not the kernel's: a simulated file.
pub trait MappingSource: Send + Sync {
    /// How many bytes are mapped.
    fn len(&self) -> u64;
    /// Whether no byte is mapped.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The bytes in this range as the file has them by now.
    fn bytes(&self, range: Range<u64>) -> Bytes;
}

impl Mapping {
    /// Maps the first `len` bytes of an open file.
    pub(crate) fn of_file(file: BorrowedFd<'_>, len: u64) -> io::Result<Mapping> {
        Ok(Mapping(Arc::new(Inner::Region(Region::new(file, len)?))))
    }

    /// A mapping that asks `source` each time.
    pub fn of_source(source: Box<dyn MappingSource>) -> Mapping {
        Mapping(Arc::new(Inner::Source(source)))
    }

    /// How many bytes are mapped, whether or not the file has them.
    pub fn len(&self) -> u64 {
        match &*self.0 {
            Inner::Region(region) => region.len as u64,
            Inner::Source(source) => source.len(),
        }
    }

    /// Whether no byte is mapped.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A part of the file, without a copy; it keeps the mapping alive. See the type for what must
    /// hold of the range.
    ///
    /// # Panics
    /// When the range does not lie within [`Mapping::len`].
    pub fn bytes(&self, range: Range<u64>) -> Bytes {
        assert!(
            range.start <= range.end && range.end <= self.len(),
            "bytes {range:?} of a mapping of {} bytes",
            self.len()
        );
        if range.is_empty() {
            return Bytes::new();
        }
        match &*self.0 {
            Inner::Source(source) => source.bytes(range),
            Inner::Region(_) => Bytes::from_owner(Part::new(self.clone(), &range)),
        }
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapping({} bytes)", self.len())
    }
}

/// A part of a [`Region`], as the owner behind a [`Bytes`].
struct Part {
    mapping: Mapping,
    start: usize,
    len: usize,
}

impl Part {
    fn new(mapping: Mapping, range: &Range<u64>) -> Part {
        // Within the mapping's length, which is a usize.
        let narrow = |n: u64| usize::try_from(n).expect("a mapping fits the address space");
        Part { mapping, start: narrow(range.start), len: narrow(range.end - range.start) }
    }
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        match &*self.mapping.0 {
            Inner::Region(region) => region.slice(self.start, self.len),
            Inner::Source(_) => &[],
        }
    }
}

/// An address range that the kernel gave us.
struct Region {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the region is only ever read after it was made, and unmapped by its one owner; neither
// depends on the thread.
unsafe impl Send for Region {}
// SAFETY: as above; shared access is read-only.
unsafe impl Sync for Region {}

impl Region {
    fn new(file: BorrowedFd<'_>, len: u64) -> io::Result<Region> {
        let len = usize::try_from(len)
            .ok()
            .filter(|len| *len > 0)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "cannot map that length"))?;
        Ok(Region { start: pages::map(file, len)?, len })
    }

    fn slice(&self, start: usize, len: usize) -> &[u8] {
        assert!(start.checked_add(len).is_some_and(|end| end <= self.len), "beyond the mapping");
        // SAFETY: the range lies within the region, which is mapped for as long as `self` lives,
        // and so does the slice. That these bytes exist in the file and no longer change is what
        // `Mapping` asks of those who call `Mapping::bytes`; this slice covers no others.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(start), len) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: start and length are those of one `map`, which is undone only here; every slice
        // cut from the region borrows it, so none is left.
        unsafe { pages::unmap(self.start, self.len) };
    }
}

/// Address ranges from the kernel.
#[cfg(not(miri))]
mod pages {
    use super::{BorrowedFd, NonNull, io};
    use rustix::mm::{MapFlags, ProtFlags};

    pub(super) fn map(file: BorrowedFd<'_>, len: usize) -> io::Result<NonNull<u8>> {
        let hint = std::ptr::null_mut();
        // SAFETY: a null hint lets the kernel choose the place, so no memory of ours is replaced.
        let start =
            unsafe { rustix::mm::mmap(hint, len, ProtFlags::READ, MapFlags::SHARED, file, 0) }?;
        NonNull::new(start.cast())
            .ok_or_else(|| io::Error::other("the kernel mapped the file at address 0"))
    }

    /// # Safety
    /// The range must be that of a [`map`], and nothing may refer to it any more.
    pub(super) unsafe fn unmap(start: NonNull<u8>, len: usize) {
        // SAFETY: passed on to the caller.
        let unmapped = unsafe { rustix::mm::munmap(start.as_ptr().cast(), len) };
        debug_assert!(unmapped.is_ok(), "unmapping what was mapped");
    }
}

/// Miri maps no files: a copy stands in, so that it can watch over what is made of the range.
#[cfg(miri)]
mod pages {
    use super::{BorrowedFd, NonNull, io};
    use std::io::Read as _;

    pub(super) fn map(file: BorrowedFd<'_>, len: usize) -> io::Result<NonNull<u8>> {
        let mut bytes = Vec::with_capacity(len);
        let file = std::fs::File::from(file.try_clone_to_owned()?);
        (&file).take(len as u64).read_to_end(&mut bytes)?;
        bytes.resize(len, 0);
        let start = Box::into_raw(bytes.into_boxed_slice()).cast();
        NonNull::new(start).ok_or_else(|| io::Error::other("no box is at address 0"))
    }

    /// # Safety
    /// The range must be that of a [`map`], and nothing may refer to it any more.
    pub(super) unsafe fn unmap(start: NonNull<u8>, len: usize) {
        // SAFETY: `map` made it of a boxed slice of this length; the caller vouches for the rest.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(start.as_ptr(), len)) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TempDir;
    use std::os::fd::AsFd as _;

    #[test]
    fn parts_outlive_the_mapping_and_pass_between_threads() {
        let dir = TempDir::new("onrush-map").unwrap();
        std::fs::write(dir.path().join("f"), b"0123456789").unwrap();
        let file = std::fs::File::open(dir.path().join("f")).unwrap();
        let mapping = Mapping::of_file(file.as_fd(), 10).unwrap();
        let (left, right) = (mapping.bytes(0..5), mapping.clone().bytes(5..10));
        drop((mapping, file));
        let left = crate::thread::spawn("reader", move || left.to_vec()).unwrap().join().unwrap();
        assert_eq!((&left[..], &right[1..]), (&b"01234"[..], &b"6789"[..]));
    }

    #[test]
    #[should_panic(expected = "of a mapping of 4 bytes")]
    fn a_range_beyond_the_mapping_is_refused() {
        struct Fours;
        impl MappingSource for Fours {
            fn len(&self) -> u64 {
                4
            }
            fn bytes(&self, range: Range<u64>) -> Bytes {
                Bytes::from(vec![4; usize::try_from(range.end - range.start).unwrap()])
            }
        }
        let mapping = Mapping::of_source(Box::new(Fours));
        assert_eq!(mapping.bytes(1..3), [4, 4][..]);
        mapping.bytes(3..5);
    }
}
