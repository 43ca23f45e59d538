//! Kafka messages made up and spoilt: what the fuzz targets of the codec, of the handlers and of the
//! whole program feed them.
//!
//! [`grow`] makes valid encodings of any message in any version, and notes where their fields begin;
//! [`Encoding::spoil`] breaks them there. Everything follows from a seed: [`Seed::take`] prints it,
//! and `ONRUSH_SEED` brings it back. [`rounds`] says how much of it to do.
#![allow(
    clippy::disallowed_methods,
    reason = "only tests use it: it asks the environment and takes a seed from the system"
)]

mod dice;
mod grow;
mod spoil;

pub use dice::{Dice, Seed};
pub use grow::{Encoding, grow};

/// How many rounds to go: `ONRUSH_FUZZ_ROUNDS` if it is set, twenty times the usual in the long runs
/// (`cargo xtask test --all`), else the usual.
#[must_use]
pub fn rounds(usual: usize) -> usize {
    let asked = std::env::var("ONRUSH_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok());
    let long = std::env::var_os("ONRUSH_TESTS").is_some_and(|tests| tests == "all");
    asked.unwrap_or(if long { usual * 20 } else { usual })
}
