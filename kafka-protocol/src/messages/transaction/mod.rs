//! Producer ids and transactions.

pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod describe_producers;
pub mod describe_transactions;
pub mod end_txn;
pub mod init_producer_id;
pub mod list_transactions;
pub mod txn_offset_commit;
pub mod write_txn_markers;

pub use add_offsets_to_txn::*;
pub use add_partitions_to_txn::*;
pub use describe_producers::*;
pub use describe_transactions::*;
pub use end_txn::*;
pub use init_producer_id::*;
pub use list_transactions::*;
pub use txn_offset_commit::*;
pub use write_txn_markers::*;
