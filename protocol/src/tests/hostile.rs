//! Bytes from someone who means no good: never a panic, never memory by announced length, and
//! never a message out of a part of one.

use bytes::BytesMut;
use proptest::prelude::*;

use super::{decode_any, every_frame, split};
use crate::frame::{FrameDecoder, FrameError, FrameHeader, FrameStep, HEADER_LEN, MAX_BODY};
use crate::opcode::Opcode;
use crate::request::{GroupDeleteRequest, ProduceRequest, Request};
use crate::response::{Deliver, Response};
use crate::wire::{DecodeError, Message};

proptest! {
    #![proptest_config(super::cases())]

    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..512)) {
        for opcode in Opcode::ALL {
            let _ = Request::decode(*opcode, &body);
            let _ = Response::decode(*opcode, &body);
        }
        let _ = Deliver::decode(&body);
        let _ = FrameDecoder::default().decode(&body);
    }

    #[test]
    fn every_truncation_is_an_error(entropy in prop::collection::vec(any::<u8>(), 0..600)) {
        for frame in every_frame(&entropy) {
            let (header, body) = split(&frame);
            for cut in (0..body.len()).step_by(if cfg!(miri) { 17 } else { 1 }) {
                let body_length = u32::try_from(cut).unwrap();
                let header = FrameHeader { length: 12 + body_length, body_length, ..header };
                prop_assert!(decode_any(&header, &body[..cut]).is_err(), "{header:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn every_trailing_byte_is_an_error(entropy in prop::collection::vec(any::<u8>(), 0..600), extra: u8) {
        for frame in every_frame(&entropy) {
            let (mut header, body) = split(&frame);
            let mut body = body.to_vec();
            body.push(extra);
            header.length += 1;
            header.body_length += 1;
            prop_assert_eq!(decode_any(&header, &body), Err(DecodeError::Trailing { extra: 1 }));
        }
    }

    #[test]
    fn a_frame_is_incomplete_until_its_last_byte(entropy in prop::collection::vec(any::<u8>(), 0..600)) {
        let decoder = FrameDecoder::default();
        for frame in every_frame(&entropy) {
            for cut in (0..frame.len()).step_by(if cfg!(miri) { 17 } else { 1 }) {
                let need = if cut < HEADER_LEN { HEADER_LEN } else { frame.len() };
                prop_assert_eq!(decoder.decode(&frame[..cut]), Ok(FrameStep::Incomplete { need }));
            }
            let mut stream = frame.clone();
            stream.extend_from_slice(b"the next frame");
            let Ok(FrameStep::Frame(found)) = decoder.decode(&stream) else { panic!("whole") };
            prop_assert_eq!(found.header.frame_len(), frame.len());
            prop_assert_eq!(found.body, &frame[HEADER_LEN..]);
            prop_assert!(found.payload.is_empty());
        }
    }
}

/// xorshift64*: all the randomness a fuzzer needs, the same on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[7]).collect()
    }
}

/// Spoils valid frames: flipped bits, extreme words, bytes dropped, doubled, put in.
fn mutate(dice: &mut Dice, frame: &mut Vec<u8>) {
    for _ in 0..=dice.below(4) {
        if frame.is_empty() {
            return;
        }
        let at = dice.below(frame.len());
        match dice.below(5) {
            0 => frame[at] ^= 1 << dice.below(8),
            1 => frame[at] = [0, 1, 0x7f, 0x80, 0xff][dice.below(5)],
            2 => {
                let end = (at + 4).min(frame.len());
                frame[at..end].fill([0xff, 0x00, 0x7f][dice.below(3)]);
            }
            3 => drop(frame.drain(at..(at + dice.below(9)).min(frame.len()))),
            _ => {
                let extra = dice.below(9);
                let extra = dice.bytes(extra);
                frame.splice(at..at, extra);
            }
        }
    }
}

/// Rounds of the bounded fuzz; `ONRUSH_FUZZ_ROUNDS` asks for more.
fn rounds() -> usize {
    let default = if cfg!(miri) { 1 } else { 4_000 };
    std::env::var("ONRUSH_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Whatever decodes, encodes to the very bytes it came from: there is one way to say a thing.
fn canonical(header: &FrameHeader, body: &[u8]) {
    let mut again = BytesMut::new();
    if header.is_push() {
        let Ok(deliver) = Deliver::from_frame(header, body) else { return };
        deliver.encode(&mut again);
    } else if header.is_response() {
        match Response::from_frame(header, body) {
            Ok(Ok(response)) => response.encode(&mut again),
            Ok(Err(error)) => {
                crate::error::Reply::<crate::response::NoResponse>::Err(error).encode(&mut again);
            }
            Err(_) => return,
        }
    } else {
        let Ok(request) = Request::from_frame(header, body) else { return };
        request.encode(&mut again);
    }
    assert_eq!(again, body, "{header:?}");
}

#[test]
fn seeded_fuzz_of_frames_and_bodies() {
    let mut dice = Dice(0x0123_4567_89ab_cdef);
    let decoder = FrameDecoder::default();
    let mut decoded = 0_usize;
    for _ in 0..rounds() {
        let entropy = dice.bytes(300);
        for frame in every_frame(&entropy) {
            let mut frame = frame.to_vec();
            mutate(&mut dice, &mut frame);
            if let Ok(FrameStep::Frame(found)) = decoder.decode(&frame) {
                canonical(&found.header, found.body);
                decoded += 1;
            }
            // A spoilt header ends most of the above; so the body alone, too.
            if let Some(body) = frame.get(HEADER_LEN..) {
                let body_length = u32::try_from(body.len()).unwrap();
                let opcode = Opcode::ALL[dice.below(Opcode::ALL.len())];
                let flags = u16::try_from(dice.below(3)).unwrap();
                let mut header = FrameHeader::new(opcode, flags, 1, body.len(), 0);
                header.body_length = body_length;
                canonical(&header, body);
            }
        }
    }
    assert!(decoded > rounds(), "mutations leave too few frames whole to test anything");
}

#[test]
fn counts_are_believed_only_as_far_as_bytes_back_them() {
    let body = u32::MAX.to_le_bytes();
    let error = DecodeError::CountTooLarge { count: u32::MAX, have: 0 };
    assert_eq!(GroupDeleteRequest::decode(&body), Err(error));
    // Two bytes an element at least: 4 bytes hold 2, never 3.
    let mut body = 3_u32.to_le_bytes().to_vec();
    body.extend_from_slice(&[0; 4]);
    let error = DecodeError::CountTooLarge { count: 3, have: 4 };
    assert_eq!(GroupDeleteRequest::decode(&body), Err(error));
    let mut body = vec![2, 0, 0, 0, 0, 0];
    body.extend_from_slice(&1_000_000_u32.to_le_bytes());
    body.extend_from_slice(&[0; 100]);
    let error = DecodeError::CountTooLarge { count: 1_000_000, have: 100 };
    assert_eq!(ProduceRequest::decode(&body), Err(error));
}

#[test]
fn offsets_beyond_63_bits_and_odd_flags_are_errors() {
    let decode = |bytes: [u8; 8]| crate::wire::Maybe::<onrush_record::Offset>::take_all(&bytes);
    assert!(decode(i64::MIN.to_le_bytes()).is_err());
    assert!(decode((-2_i64).to_le_bytes()).is_err());
    assert!(decode((-1_i64).to_le_bytes()).is_ok());
    assert!(decode(i64::MAX.to_le_bytes()).is_ok());
    let body = [0, 0, 0, 0, 2];
    let error = DecodeError::BadValue { field: "bool", value: 2 };
    assert_eq!(crate::request::CreateTopicsRequest::decode(&body), Err(error), "a bool is 0 or 1");
}

trait TakeAll: crate::wire::Wire {
    fn take_all(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::take(&mut crate::wire::Reader::new(bytes))
    }
}

impl<T: crate::wire::Wire> TakeAll for T {}

#[test]
fn headers_that_lie_are_refused_before_anything_is_kept() {
    let decoder = FrameDecoder::new(1000);
    let header = FrameHeader::new(Opcode::Ping, 0, 1, 0, 0);
    let refused = |header: FrameHeader| decoder.decode(&header.to_bytes()).unwrap_err();
    let too_large = FrameError::TooLarge { announced: 1001, max: 1000 };
    assert_eq!(refused(FrameHeader { length: 1001, ..header }), too_large);
    // The length alone suffices: its sender may never send the rest.
    assert_eq!(decoder.decode(&1001_u32.to_le_bytes()), Err(too_large));
    assert_eq!(decoder.decode(&[0, 0, 0]), Ok(FrameStep::Incomplete { need: HEADER_LEN }));
    let too_short = FrameError::TooShort { announced: 11 };
    assert_eq!(refused(FrameHeader { length: 11, ..header }), too_short);
    let beyond = FrameError::BodyBeyondFrame { body: 1, length: 12 };
    assert_eq!(refused(FrameHeader { body_length: 1, ..header }), beyond);
    for flags in [3, 4, 0x8000] {
        assert_eq!(refused(FrameHeader { flags, ..header }), FrameError::BadFlags { flags });
    }
    let body = MAX_BODY + 1;
    let header = FrameHeader { length: body + 12, body_length: body, ..header };
    assert_eq!(
        FrameDecoder::default().check(&header),
        Err(FrameError::TooLarge { announced: body, max: MAX_BODY })
    );
    assert!(
        FrameDecoder::default().check(&FrameHeader { body_length: MAX_BODY, ..header }).is_ok()
    );
}

#[test]
fn unknown_opcodes_are_no_framing_error() {
    let header = FrameHeader { opcode: 55, ..FrameHeader::new(Opcode::Ping, 0, 3, 0, 0) };
    let decoder = FrameDecoder::default();
    let bytes = header.to_bytes();
    let Ok(FrameStep::Frame(frame)) = decoder.decode(&bytes) else { panic!("a frame") };
    assert!(Request::from_frame(&frame.header, frame.body).is_err());
}
