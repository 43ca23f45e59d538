//! The bytes of one file, sparse and shared between copies until they change.

use std::collections::BTreeMap;
use std::sync::Arc;

const PAGE: usize = 4096;

/// A file's bytes. A clone shares the pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    len: u64,
    /// What is absent reads as zeros. Beyond `len`, all is zeros.
    pages: BTreeMap<u64, Arc<[u8; PAGE]>>,
}

impl Content {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Fills the buffer as far as the file goes.
    pub(crate) fn read(&self, buf: &mut [u8], position: u64) -> usize {
        let left = usize::try_from(self.len.saturating_sub(position)).unwrap_or(usize::MAX);
        let count = buf.len().min(left);
        for (number, within, range) in pieces(position, count) {
            match self.pages.get(&number) {
                Some(page) => {
                    buf[range.clone()].copy_from_slice(&page[within..within + range.len()])
                }
                None => buf[range].fill(0),
            }
        }
        count
    }

    /// Writes, lengthening the file if need be.
    pub(crate) fn write(&mut self, bytes: &[u8], position: u64) {
        for (number, within, range) in pieces(position, bytes.len()) {
            let page = self.pages.entry(number).or_insert_with(|| Arc::new([0; PAGE]));
            let page = Arc::make_mut(page);
            page[within..within + range.len()].copy_from_slice(&bytes[range]);
        }
        if !bytes.is_empty() {
            self.extend(position + bytes.len() as u64);
        }
    }

    /// Lengthens the file to `end`, if it is shorter.
    pub(crate) fn extend(&mut self, end: u64) {
        self.len = self.len.max(end);
    }

    /// Sets the length; what is cut off does not come back.
    pub(crate) fn set_len(&mut self, len: u64) {
        if len < self.len {
            let page = PAGE as u64;
            drop(self.pages.split_off(&len.div_ceil(page)));
            if let Some(last) = self.pages.get_mut(&(len / page)) {
                // Below the size of a page.
                let keep = usize::try_from(len % page).unwrap_or(0);
                Arc::make_mut(last)[keep..].fill(0);
            }
        }
        self.len = len;
    }
}

/// Cuts a range of a file at page boundaries: page number, position in the page, range in the
/// caller's buffer.
fn pieces(
    position: u64,
    count: usize,
) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == count {
            return None;
        }
        let at = position + done as u64;
        let within = usize::try_from(at % PAGE as u64).unwrap_or(0);
        let len = (PAGE - within).min(count - done);
        let range = done..done + len;
        done += len;
        Some((at / PAGE as u64, within, range))
    })
}
