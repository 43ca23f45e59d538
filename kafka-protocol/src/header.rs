//! What stands before every message in its frame.

use crate::wire::{DecodeError, Reader, Writer};
use crate::{ApiKey, EncodeError, Message};

/// What stands before every request.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RequestHeader {
    /// Which request; an [`ApiKey`] where it is known.
    pub api_key: i16,
    /// The version of the message that follows, and of its answer.
    pub api_version: i16,
    /// Comes back with the answer.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<String>,
}

/// [`RequestHeader`], borrowed from its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RequestHeaderView<'a> {
    /// Which request; an [`ApiKey`] where it is known.
    pub api_key: i16,
    /// The version of the message that follows, and of its answer.
    pub api_version: i16,
    /// Comes back with the answer.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<&'a str>,
}

impl<'a> RequestHeaderView<'a> {
    /// Reads the header; `input` is left at the message. A key that is not known is read as one
    /// without flexible versions, so that it can be named when the connection is closed.
    pub fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let api_key = input.i16().map_err(|error| error.of("api_key"))?;
        let api_version = input.i16().map_err(|error| error.of("api_version"))?;
        let correlation_id = input.i32().map_err(|error| error.of("correlation_id"))?;
        // Of the old form in all versions, so that a broker can read it before it knows which.
        let client_id = input.text(false).map_err(|error| error.of("client_id"))?;
        if api_version >= ApiKey(api_key).flexible_from() {
            input.skip_tagged().map_err(|error| error.of("the header's tagged fields"))?;
        }
        Ok(Self { api_key, api_version, correlation_id, client_id })
    }

    /// The same, with a client id of its own.
    pub fn to_owned(self) -> RequestHeader {
        RequestHeader {
            api_key: self.api_key,
            api_version: self.api_version,
            correlation_id: self.correlation_id,
            client_id: self.client_id.map(str::to_owned),
        }
    }
}

impl RequestHeader {
    /// Reads the header, as [`RequestHeaderView::decode`] does.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        RequestHeaderView::decode(input).map(RequestHeaderView::to_owned)
    }

    /// Appends the header.
    pub fn encode(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.i16(self.api_key);
        out.i16(self.api_version);
        out.i32(self.correlation_id);
        out.text(false, self.client_id.as_deref()).map_err(|error| error.of("client_id"))?;
        if self.api_version >= ApiKey(self.api_key).flexible_from() {
            out.uvarint(0);
        }
        Ok(())
    }
}

/// Whether the header of an answer ends with tagged fields. That of `ApiVersions` never does, so
/// that a client can read the answer to a version the broker does not have.
const fn response_is_flexible(key: ApiKey, version: i16) -> bool {
    version >= key.flexible_from() && key.0 != ApiKey::API_VERSIONS.0
}

/// Appends the header of an answer to a request of this key and version.
pub fn response_header(key: ApiKey, version: i16, correlation_id: i32, out: &mut Vec<u8>) {
    let mut out = Writer::new(out);
    out.i32(correlation_id);
    if response_is_flexible(key, version) {
        out.uvarint(0);
    }
}

/// Reads the header of an answer, and gives the correlation id.
pub fn decode_response_header(
    key: ApiKey,
    version: i16,
    input: &mut Reader<'_>,
) -> Result<i32, DecodeError> {
    let correlation_id = input.i32().map_err(|error| error.of("correlation_id"))?;
    if response_is_flexible(key, version) {
        input.skip_tagged().map_err(|error| error.of("the header's tagged fields"))?;
    }
    Ok(correlation_id)
}

/// Appends a whole answer: its size, its header, the message. On an error `out` is as it was.
pub fn response_frame<M: Message>(
    message: &M,
    version: i16,
    correlation_id: i32,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    framed(out, |out| {
        response_header(M::KEY, version, correlation_id, out);
        message.encode(&mut Writer::new(out), version)
    })
}

/// Appends a whole request: its size, its header, the message. On an error `out` is as it was.
pub fn request_frame<M: Message>(
    message: &M,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let header = RequestHeader {
        api_key: M::KEY.0,
        api_version: version,
        correlation_id,
        client_id: client_id.map(str::to_owned),
    };
    framed(out, |out| {
        let mut out = Writer::new(out);
        header.encode(&mut out)?;
        message.encode(&mut out, version)
    })
}

/// Appends what `content` writes, with its size before it.
fn framed(
    out: &mut Vec<u8>,
    content: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let written = content(out).and_then(|()| patch_size(out, start, 0));
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Writes a frame's size into the four bytes at `start`: all that follows them in `out`, and
/// `spliced` bytes that the caller puts in between.
pub(crate) fn patch_size(out: &mut [u8], start: usize, spliced: usize) -> Result<(), EncodeError> {
    let len = out.len() - start - 4 + spliced;
    let fault = crate::wire::EncodeFault::TooLong(len);
    let size = i32::try_from(len).map_err(|_| EncodeError { field: "the frame", fault })?;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
    Ok(())
}
