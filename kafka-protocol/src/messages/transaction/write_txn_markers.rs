//! `WriteTxnMarkers`.

use crate::schema::message;

message! {
    /// Writes the markers that end transactions.
    WriteTxnMarkersRequest: WRITE_TXN_MARKERS [1-2, flexible 1+] {
        markers: Vec<WritableTxnMarker> [0+],
    }
    WritableTxnMarker {
        producer_id: i64 [0+],
        producer_epoch: i16 [0+],
        transaction_result: bool [0+],
        topics: Vec<WritableTxnMarkerTopic> [0+],
        coordinator_epoch: i32 [0+],
        transaction_version: i8 [2+, ignorable],
    }
    WritableTxnMarkerTopic {
        name: String [0+],
        partition_indexes: Vec<i32> [0+],
    }
}

message! {
    /// The outcome, partition by partition.
    WriteTxnMarkersResponse: WRITE_TXN_MARKERS [1-2, flexible 1+] {
        markers: Vec<WritableTxnMarkerResult> [0+],
    }
    WritableTxnMarkerResult {
        producer_id: i64 [0+],
        topics: Vec<WritableTxnMarkerTopicResult> [0+],
    }
    WritableTxnMarkerTopicResult {
        name: String [0+],
        partitions: Vec<WritableTxnMarkerPartitionResult> [0+],
    }
    WritableTxnMarkerPartitionResult {
        partition_index: i32 [0+],
        error_code: i16 [0+],
    }
}
