//! Reading answers.

use onrush_protocol::error::Reply;
use onrush_protocol::wire::Wire;
use onrush_protocol::{Message, WireError};

use crate::connector::Frame;
use crate::error::Error;

/// The fields of an answer, or why there are none.
pub(crate) fn reply<T: Wire>(request: &'static str, frame: &Frame) -> Result<T, Error> {
    decode(request, frame)?.map_err(|error| Error::broker(request, error))
}

/// The fields of an answer, or what the broker said instead.
pub(crate) fn decode<T: Wire>(
    request: &'static str,
    frame: &Frame,
) -> Result<Result<T, WireError>, Error> {
    <Reply<T> as Message>::decode(&frame.body).map_err(|error| Error::garbled(request, &error))
}
