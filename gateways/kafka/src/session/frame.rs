//! Frames: four bytes of length, then a request with its header.

use onrush_kafka_protocol::{ApiKey, DecodeError, Reader, RequestHeaderView};

/// Bytes of the length field.
pub(super) const LENGTH: usize = 4;
/// Bytes of what every request begins with: API, version, correlation.
const HEAD: usize = 8;

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It is too short for a request.
    #[error("a request of {0} bytes is announced, which is too short for any")]
    TooShort(i32),
    /// It is longer than the broker accepts.
    #[error("a request of {length} bytes is announced, but at most {max} are accepted")]
    TooLong {
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

/// The length of the frame that these bytes begin, once they tell.
pub(super) fn frame_len(bytes: &[u8], max: u32) -> Result<Option<usize>, Broken> {
    let Some(length) = bytes.first_chunk::<LENGTH>() else { return Ok(None) };
    let announced = i32::from_be_bytes(*length);
    match usize::try_from(announced) {
        Ok(known) if known < HEAD => Err(Broken::TooShort(announced)),
        Ok(known) if announced.unsigned_abs() <= max => Ok(Some(LENGTH + known)),
        Ok(_) => Err(other_protocol(length).unwrap_or(Broken::TooLong { length: announced, max })),
        Err(_) => Err(Broken::TooShort(announced)),
    }
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
    /// Of a whole frame.
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
