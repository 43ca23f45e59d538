//! Progress for a person who watches; silence in a pipe.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, stderr, stdin};

/// Counts without a known end, as while lines come in.
pub(crate) struct Counter {
    count: u64,
    bar: ProgressBar,
}

impl Counter {
    /// A counter of `what`; shown when a person sees standard error and is not the one typing.
    pub(crate) fn new(what: &'static str) -> Self {
        let bar = if stderr().is_terminal() && !stdin().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} {msg}, {per_sec}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self { count: 0, bar }
    }

    /// Adds to the count.
    pub(crate) fn add(&mut self, more: u64) {
        self.count += more;
        if self.count % 1024 < more {
            self.bar.set_position(self.count);
        }
    }

    /// The count so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Takes the line away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar for work of known size.
pub(crate) fn bar(length: u64, what: &'static str) -> ProgressBar {
    let bar = if stderr().is_terminal() {
        ProgressBar::new(length)
    } else {
        ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden())
    };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {eta} to go") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}
