//! One partition's log: segments, indexes, appends, reads, flush, recovery and retention.
