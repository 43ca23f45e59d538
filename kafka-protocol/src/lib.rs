//! The Kafka protocol: every message both ways, headers, error codes. No I/O.
//!
//! Read top-down: [`RequestHeader`] tells which request a frame holds, [`messages`] has all of
//! them, each written down once in the form that the `message!` macro explains, and [`wire`] says
//! how a field becomes bytes. The two requests that carry records have a second, borrowed form that
//! leaves the records where they are: [`produce`] and [`fetch`].
//!
//! What this crate promises to whoever feeds it hostile input: nothing panics, no allocation is
//! sized by an announced count or length that the received bytes do not back, and a decoded
//! message takes no more memory than [`Reader::memory_bound`] of its frame's length.

mod api_key;
mod error_code;
pub mod fetch;
mod header;
pub mod messages;
pub mod produce;
mod schema;
#[cfg(test)]
mod tests;
mod topic;
mod uuid;
pub mod wire;

pub use api_key::ApiKey;
pub use error_code::ErrorCode;
pub use header::{
    RequestHeader, RequestHeaderView, decode_response_header, request_frame, response_frame,
    response_header,
};
pub use schema::Message;
pub use topic::TopicRef;
pub use uuid::Uuid;
pub use wire::{DecodeError, EncodeError, Reader, Writer};
