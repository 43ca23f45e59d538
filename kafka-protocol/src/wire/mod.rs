//! How a field becomes bytes and back.

mod error;
mod field;
mod reader;
mod versions;
mod writer;

pub use error::{DecodeError, DecodeFault, EncodeError, EncodeFault};
pub(crate) use field::{Field, Nullable};
pub use reader::Reader;
pub(crate) use versions::{Layout, Versions, versions};
pub use writer::Writer;
