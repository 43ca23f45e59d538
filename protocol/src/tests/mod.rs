//! What holds for every message at once.

#[cfg(not(miri))] // Compares text: nothing for Miri to find, and hours of it.
mod document;
mod hostile;
mod round_trip;
pub(crate) mod sample;

use bytes::BytesMut;

use crate::frame::FrameHeader;
use crate::opcode::Opcode;
use crate::request::Request;
use crate::response::{Deliver, Response, Throttle};

/// How often each property is tried. Miri is a thousand times slower, and may not write files.
fn cases() -> proptest::test_runner::Config {
    let cases = if cfg!(miri) { 1 } else { 256 };
    proptest::test_runner::Config { cases, failure_persistence: None, ..Default::default() }
}

/// A frame split as a receiver would.
fn split(frame: &[u8]) -> (FrameHeader, &[u8]) {
    let header = crate::FrameDecoder::default().header(frame).unwrap().expect("a whole header");
    (header, &frame[header.body_range()])
}

/// One frame of every kind: requests, responses, errors, the push; made up from `entropy`. Each
/// ends where its payload, of the length its parts claim, would begin.
fn every_frame(entropy: &[u8]) -> Vec<BytesMut> {
    let source = &mut sample::Source::new(entropy);
    let mut frames = Vec::new();
    for mut request in Request::samples(source) {
        if let Request::Produce(produce) = &mut request {
            produce.parts.iter_mut().for_each(|part| part.batches_length = 0);
        }
        let mut out = BytesMut::new();
        request.encode_frame(&mut out, 7, 0);
        frames.push(out);
    }
    for mut response in Response::samples(source) {
        if let Response::Fetch(fetch) = &mut response {
            fetch.parts.iter_mut().for_each(|part| part.payload_length = 0);
        }
        let mut out = BytesMut::new();
        response.encode_frame(&mut out, 7, 0);
        frames.push(out);
        let mut out = BytesMut::new();
        let error = sample::Sample::sample(source);
        crate::response::encode_error_frame(&mut out, response.opcode().code(), 7, &error);
        frames.push(out);
    }
    let mut out = BytesMut::new();
    let deliver: Deliver = sample::Sample::sample(source);
    deliver.encode_frame(&mut out, 0);
    frames.push(out);
    let mut out = BytesMut::new();
    let throttle: Throttle = sample::Sample::sample(source);
    throttle.encode_frame(&mut out);
    frames.push(out);
    frames
}

/// Decodes a frame by whatever it says it is.
fn decode_any(header: &FrameHeader, body: &[u8]) -> Result<(), crate::DecodeError> {
    if header.is_push() && header.opcode == Opcode::Throttle.code() {
        Throttle::from_frame(header, body).map(drop)
    } else if header.is_push() {
        Deliver::from_frame(header, body).map(drop)
    } else if header.is_response() {
        Response::from_frame(header, body).map(drop)
    } else {
        Request::from_frame(header, body).map(drop)
    }
}
