//! Where the newest record of each key lies: a table of a fixed size, from hash to offset.

use onrush_record::Offset;

/// Marks a free slot; no record has this offset.
const FREE: u64 = u64::MAX;

#[derive(Copy, Clone, Debug)]
struct Slot {
    hash: [u64; 2],
    offset: u64,
}

/// The newest offset of each key, as many keys as its memory holds.
#[derive(Debug)]
pub(crate) struct OffsetMap {
    /// A power of two of them, found by linear probing.
    slots: Vec<Slot>,
    keys: usize,
    most: usize,
}

/// It holds no more keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl OffsetMap {
    /// A map for up to `keys` keys, as far as `bytes` go: it never takes more than those, nor more
    /// than it can need.
    pub(crate) fn new(bytes: usize, keys: u64) -> OffsetMap {
        let most = (bytes / size_of::<Slot>()).max(2);
        let most = 1 << most.ilog2();
        let need = usize::try_from(keys).unwrap_or(usize::MAX).saturating_add(1);
        let need = need.saturating_add(need / 2).checked_next_power_of_two().unwrap_or(most);
        let count = need.clamp(2, most);
        let slots = vec![Slot { hash: [0; 2], offset: FREE }; count];
        OffsetMap { slots, keys: 0, most: (count / 4 * 3).max(1) }
    }

    /// Notes that a record of this key lies at `offset`; offsets only rise from call to call.
    pub(crate) fn put(&mut self, hash: [u64; 2], offset: Offset) -> Result<(), Full> {
        let at = self.find(hash);
        if self.slots[at].offset == FREE {
            if self.keys >= self.most {
                return Err(Full);
            }
            self.keys += 1;
        }
        self.slots[at] = Slot { hash, offset: offset.get() };
        Ok(())
    }

    /// Where the newest record of this key lies, if the map knows.
    pub(crate) fn get(&self, hash: [u64; 2]) -> Option<Offset> {
        let offset = self.slots[self.find(hash)].offset;
        (offset != FREE).then(|| Offset::new(offset))
    }

    /// The key's slot, or the free one where it would go. There always is a free one.
    fn find(&self, hash: [u64; 2]) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = usize::try_from(hash[0] & mask as u64).unwrap_or(0);
        while self.slots[at].offset != FREE && self.slots[at].hash != hash {
            at = (at + 1) & mask;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_its_memory_holds_and_says_when_that_is_all() {
        let mut map = OffsetMap::new(64 * size_of::<Slot>() + 7, 1 << 40);
        assert_eq!(map.slots.len(), 64);
        for n in 0..48u64 {
            // All in one neighbourhood.
            map.put([n % 3, n], Offset::new(n)).unwrap();
        }
        assert_eq!(map.put([0, 48], Offset::new(48)), Err(Full));
        map.put([1, 1], Offset::new(50)).unwrap();
        assert_eq!(map.get([1, 1]), Some(Offset::new(50)));
        for n in 2..48u64 {
            assert_eq!(map.get([n % 3, n]), Some(Offset::new(n)));
        }
        assert_eq!(map.get([0, 48]), None);
    }

    #[test]
    fn it_takes_no_more_than_it_needs_and_always_one_key() {
        let mut map = OffsetMap::new(1 << 30, 10);
        assert!(map.slots.len() <= 32);
        for n in 0..10 {
            map.put([n, n], Offset::new(n)).unwrap();
        }
        let mut map = OffsetMap::new(0, 10);
        map.put([7, 7], Offset::new(1)).unwrap();
        assert_eq!(map.put([8, 7], Offset::new(2)), Err(Full));
        assert_eq!(map.get([8, 7]), None);
    }
}
