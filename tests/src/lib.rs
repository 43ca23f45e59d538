//! What the end-to-end tests share: real `onrush` processes in fresh directories, on ports that the
//! system assigns.
#![allow(
    clippy::disallowed_methods,
    reason = "tests stand outside the product: they use real processes, files and clocks"
)]

mod binaries;
mod broker;
mod command;
pub mod kafka;
pub mod native;

pub use binaries::binary;
pub use broker::{BrokerProcess, ServeOptions};
pub use command::{Finished, run, run_with_input, spawn};

/// True when the long versions of the tests were asked for (`cargo xtask test --all`).
#[must_use]
pub fn long() -> bool {
    std::env::var_os("ONRUSH_TESTS").is_some_and(|value| value == "all")
}
