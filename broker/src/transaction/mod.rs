//! Transactions: appends to several partitions, and commits of offsets, that count all or not at all.
//!
//! A transactional id names a producer across its restarts. What takes part in its transaction is
//! written down before the first record of it is; then its records go into the partitions like any
//! others, and readers that want only what is decided stop before them. The decision is one record in
//! the transactions' journal, written only once all that it covers is durable: from then on it is
//! carried out, again after every restart, until each partition has a marker and each group knows.
//!
//! `Transactions` is a pure state machine: `(state, now_ms, input) → outputs`. What must survive a
//! restart comes out as events. Around it, `coordinator` keeps the journal, and `carrier` takes each
//! end through its steps as what they wait for becomes durable, whoever still waits for the answer.
//!
//! What holds at all times, and is tested by random histories and power cuts:
//! - no partition takes a batch of a transaction that is not durably known to concern it, or whose
//!   end has been asked for;
//! - a decision to commit is written only after every batch and offset of the transaction is durable;
//! - no marker is written before its decision is durable, and the next transaction of the id begins
//!   only after all markers of the last are;
//! - carrying a decision out again changes nothing.

mod carrier;
mod coordinator;
mod error;
mod event;
mod state;
#[cfg(test)]
mod tests;
mod ticket;
mod transactions;
mod view;

pub(crate) use coordinator::TransactionCoordinator;
pub use error::TransactionError;
pub use state::TransactionState;
pub use view::{
    HangingTransaction, TransactionDescription, TransactionFilter, TransactionListing,
    TransactionalCommit,
};

/// What holds for all transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionSettings {
    /// The longest that a producer may ask a transaction of its to take.
    pub timeout_max_ms: i32,
    /// A transactional id that was not used for so long is forgotten.
    pub id_expiration_ms: i64,
}

impl Default for TransactionSettings {
    fn default() -> TransactionSettings {
        TransactionSettings {
            timeout_max_ms: 15 * 60 * 1000,
            id_expiration_ms: 7 * 24 * 60 * 60 * 1000,
        }
    }
}
