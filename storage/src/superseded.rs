//! Which segments of a directory do not count: those that copies stand in for, and copies that were
//! not finished.

use std::path::Path;

use onrush_sys::{Disk, OpenMode};

use crate::error::{IoContext, Result};
use crate::layout::{IDX_HEADER_LEN, IdxHeader};
use crate::listing::Listing;
use crate::names::SegmentSeq;

/// The segments that do not count, by the heads of all index files. A copy counts from the moment its
/// head says what it stands in for. A cleaned one whose head does not is unfinished, as long as the
/// segment that it is a copy of is still there; if that is gone, the head has been damaged since.
pub(crate) fn superseded(heads: &[(SegmentSeq, Option<IdxHeader>)]) -> Vec<SegmentSeq> {
    let ranges: Vec<(SegmentSeq, SegmentSeq)> =
        heads.iter().filter_map(|(seq, head)| Some(((*head)?.replaces?, *seq))).collect();
    let original_of =
        |copy: SegmentSeq| heads.iter().any(|(other, _)| other.is_copy_of(copy) && *other < copy);
    heads
        .iter()
        .filter(|(seq, head)| {
            let stood_in_for = ranges.iter().any(|(from, to)| from <= seq && seq < to);
            let counts = head.is_some_and(|head| head.replaces.is_some());
            stood_in_for || (seq.is_cleaned() && !counts && original_of(*seq))
        })
        .map(|(seq, _)| *seq)
        .collect()
}

/// The same of a directory, for whoever has not read the heads anyway.
pub(crate) fn superseded_in(
    disk: &dyn Disk,
    dir: &Path,
    listing: &Listing,
    first: SegmentSeq,
) -> Result<Vec<SegmentSeq>> {
    let mut heads = Vec::new();
    let mut seqs: Vec<SegmentSeq> = listing
        .logs
        .range(first..)
        .chain(listing.idxs.range(first..))
        .map(|(seq, _)| *seq)
        .collect();
    seqs.sort_unstable();
    seqs.dedup();
    for seq in seqs {
        let mut head = None;
        if listing.idxs.contains_key(&seq) {
            let path = seq.idx_path(dir);
            let file = disk.open(&path, OpenMode::Read).at("open", &path)?;
            let mut bytes = [0; IDX_HEADER_LEN];
            let have = file.read_at(&mut bytes, 0).at("read", &path)?;
            head = IdxHeader::decode(&bytes[..have], seq).ok();
        }
        heads.push((seq, head));
    }
    Ok(superseded(&heads))
}

#[cfg(test)]
mod tests {
    use onrush_record::Offset;

    use super::*;

    fn head(seq: SegmentSeq, replaces: Option<SegmentSeq>) -> (SegmentSeq, Option<IdxHeader>) {
        let base = Offset::ZERO;
        (seq, Some(IdxHeader { seq, base, first_append_ms: 0, replaces, clean_to: None }))
    }

    #[test]
    fn a_copy_counts_from_its_head_on() {
        let plain: Vec<SegmentSeq> = (0..4).map(SegmentSeq::new).collect();
        let copy = plain[2].cleaned().unwrap();
        let mut heads: Vec<_> = plain.iter().map(|seq| head(*seq, None)).collect();
        heads.insert(3, (copy, None));
        assert_eq!(superseded(&heads), [copy], "it was not finished");
        heads[3] = head(copy, Some(plain[1]));
        assert_eq!(superseded(&heads), [plain[1], plain[2]]);
        heads.remove(2);
        assert_eq!(superseded(&heads), [plain[1]]);
        heads[2].1 = None;
        assert_eq!(superseded(&heads), [], "its original is gone, so it was finished once");
        let again = copy.cleaned().unwrap();
        heads.insert(3, (again, None));
        assert_eq!(superseded(&heads), [again]);
    }
}
