//! From what was found to what is read: tables, marks, plots and the document they stand in.
//!
//! Everything here works on [`Findings`] alone, which can be read back from JSON: a report can be written
//! again without measuring again.

mod column;
mod comparison;
mod findings;
mod limit;
mod marks;
mod plot;
mod table;
#[cfg(test)]
mod tests;
mod wins;

pub(crate) use comparison::{markdown, write};
pub(crate) use findings::{About, Findings};
