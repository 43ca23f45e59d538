//! The state machine by itself.

mod coding;
mod machine;
mod properties;
