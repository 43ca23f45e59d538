//! Frames: four bytes of length, then a request with its header.

use onrush_kafka_protocol::{ApiKey, DecodeError, Reader, RequestHeaderView};

use crate::options::Options;

/// Bytes of the length field.
pub(super) const LENGTH: usize = 4;
/// Bytes after which a frame has told which API it is of.
const KEY_END: usize = LENGTH + 2;
/// Bytes of what every request begins with: API, version, correlation.
const HEAD: usize = 8;

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It is too short for a request.
    #[error("a request of {0} bytes is announced, which is too short for any")]
    TooShort(i32),
    /// It is longer than the broker accepts.
    #[error(
        "a request of {length} bytes is announced, but at most {max} are accepted: have the client \
         send less at once, or raise request_max_bytes"
    )]
    TooLong {
        /// What the length field says.
        length: i32,
        /// What is accepted.
        max: u32,
    },
    /// It is longer than the broker accepts of what brings no records.
    #[error(
        "a request {name} of {length} bytes is announced, but of requests other than Produce at most \
         {max} are accepted: have the client ask for less at once, or raise control_request_max_bytes"
    )]
    ControlTooLong {
        /// The request's name.
        name: &'static str,
        /// What the length field says.
        length: i32,
        /// What is accepted.
        max: u32,
    },
    /// It is the beginning of another protocol.
    #[error(
        "the client speaks {0}, not Kafka without encryption: connect it to another port, or set security.protocol=PLAINTEXT"
    )]
    OtherProtocol(&'static str),
}

/// The length of the frame that these bytes begin, once they tell. Of one that is long, that is
/// when they tell of which API it is: few have a reason to be.
pub(super) fn frame_len(bytes: &[u8], options: &Options) -> Result<Option<usize>, Broken> {
    let Some(first) = bytes.first_chunk::<LENGTH>() else { return Ok(None) };
    let length = i32::from_be_bytes(*first);
    let known = match usize::try_from(length) {
        Ok(known) if known >= HEAD => known,
        _ => return Err(Broken::TooShort(length)),
    };
    let (announced, max) = (length.unsigned_abs(), options.request_bytes_max);
    if announced > max {
        return Err(other_protocol(first).unwrap_or(Broken::TooLong { length, max }));
    }
    let max = options.control_bytes_max;
    if announced > max {
        if bytes.len() < KEY_END {
            return Ok(None);
        }
        let key = Head::read(bytes).key;
        if key != ApiKey::PRODUCE {
            return Err(Broken::ControlTooLong { name: key.name(), length, max });
        }
    }
    Ok(Some(LENGTH + known))
}

/// What commonly reaches a Kafka port by mistake.
fn other_protocol(first: &[u8; LENGTH]) -> Option<Broken> {
    match first {
        [0x16, 3, ..] => Some(Broken::OtherProtocol("TLS")),
        b"GET " | b"POST" | b"PUT " | b"HEAD" => Some(Broken::OtherProtocol("HTTP")),
        b"AMQP" => Some(Broken::OtherProtocol("AMQP")),
        _ => None,
    }
}

/// What every request begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) key: ApiKey,
    pub(super) version: i16,
    pub(super) correlation: i32,
}

impl Head {
    /// Of a frame, as far as it has come.
    pub(super) fn read(frame: &[u8]) -> Head {
        let at = |at: usize| frame.get(LENGTH + at).copied().unwrap_or_default();
        Head {
            key: ApiKey(i16::from_be_bytes([at(0), at(1)])),
            version: i16::from_be_bytes([at(2), at(3)]),
            correlation: i32::from_be_bytes([at(4), at(5), at(6), at(7)]),
        }
    }

    /// Reads the whole header of a frame; what is read next is the body, and positions are those
    /// in the frame.
    pub(super) fn header(frame: &[u8]) -> Result<(RequestHeaderView<'_>, Reader<'_>), DecodeError> {
        let mut reader = Reader::new(frame);
        reader.bytes(LENGTH)?;
        let header = RequestHeaderView::decode(&mut reader)?;
        Ok((header, reader))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begins(length: u32, key: ApiKey) -> Vec<u8> {
        [&length.to_be_bytes()[..], &key.0.to_be_bytes(), &[0, 9]].concat()
    }

    #[test]
    fn only_a_produce_may_be_long() {
        let options =
            Options { request_bytes_max: 1000, control_bytes_max: 100, ..Options::default() };
        let len = |bytes: &[u8]| frame_len(bytes, &options);
        assert_eq!(len(&begins(100, ApiKey::METADATA)[..4]), Ok(Some(104)));
        let long = begins(101, ApiKey::METADATA);
        assert_eq!(len(&long[..5]), Ok(None), "it does not tell yet what it is");
        let refused = Broken::ControlTooLong { name: "Metadata", length: 101, max: 100 };
        assert_eq!(len(&long[..6]), Err(refused));
        assert!(refused.to_string().contains("control_request_max_bytes"));
        assert_eq!(len(&begins(1000, ApiKey::PRODUCE)), Ok(Some(1004)));
        let refused = Broken::TooLong { length: 1001, max: 1000 };
        assert_eq!(len(&begins(1001, ApiKey::PRODUCE)[..4]), Err(refused));
    }
}
