//! Offsets, record batches, records and checksums: the stored unit that is also the wire unit. No I/O.
