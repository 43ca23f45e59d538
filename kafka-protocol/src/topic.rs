//! A topic as a version names it: by name, or by id from the version on that knows ids.

use crate::Uuid;
use crate::wire::{DecodeError, DecodeFault, EncodeError, Reader, Writer};

/// How a request names a topic, and its answer after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopicRef<'a> {
    /// By its name.
    Name(&'a str),
    /// By its id.
    Id(Uuid),
}

impl<'a> TopicRef<'a> {
    /// Reads the topic that a Produce or Fetch names.
    pub(crate) fn take(
        input: &mut Reader<'a>,
        by_id: bool,
        flexible: bool,
    ) -> Result<Self, DecodeError> {
        if by_id {
            return input.uuid().map(Self::Id).map_err(|error| error.of("topic_id"));
        }
        let name = input.text(flexible).map_err(|error| error.of("name"))?;
        let null = DecodeError::new(DecodeFault::UnexpectedNull).of("name");
        name.map(Self::Name).ok_or(null)
    }

    /// Appends the topic. A version names topics in one of the two ways: what it does not know of
    /// this one is written as empty.
    pub(crate) fn put(
        self,
        out: &mut Writer<'_>,
        by_id: bool,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        if by_id {
            out.uuid(if let Self::Id(id) = self { id } else { Uuid::ZERO });
            return Ok(());
        }
        let name = if let Self::Name(name) = self { name } else { "" };
        out.text(flexible, Some(name)).map_err(|error| error.of("name"))
    }
}
