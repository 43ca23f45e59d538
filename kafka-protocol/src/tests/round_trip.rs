//! Every message in every version: what was written is read back, and no part of it is.

use std::fmt::Debug;

use super::Dice;
use crate::for_every_api;
use crate::messages::*;
use crate::wire::{Field, Layout};
use crate::{ApiKey, Message, Reader, Writer};

const SEEDS: u64 = if cfg!(miri) { 1 } else { 60 };

fn round_trips<M: Message + Field + PartialEq + Debug>() {
    for version in M::VERSIONS {
        if cfg!(miri) && version != *M::VERSIONS.end() {
            continue;
        }
        let layout = Layout { version, flexible: version >= M::KEY.flexible_from() };
        for seed in 0..SEEDS {
            let mut dice = Dice::new(seed);
            let message = M::sample(&mut dice, layout, false);
            let name = std::any::type_name::<M>();
            let mut bytes = Vec::new();
            let written = message.encode(&mut Writer::new(&mut bytes), version);
            assert_eq!(written, Ok(()), "{name} v{version} seed {seed}");
            assert!(M::least(layout) <= bytes.len(), "{name} v{version} is shorter than its least");

            let mut input = Reader::new(&bytes);
            let read = M::decode(&mut input, version);
            assert_eq!(read.as_ref(), Ok(&message), "{name} v{version} seed {seed}");
            assert_eq!(input.remaining(), 0, "{name} v{version} seed {seed}");

            for _ in 0..bytes.len().min(8) {
                let cut = dice.below(bytes.len());
                let read = M::decode(&mut Reader::new(&bytes[..cut]), version);
                assert!(read.is_err(), "{name} v{version} seed {seed} read from {cut} bytes");
            }
        }
    }
}

macro_rules! every_message {
    ($($key:ident: $request:ident => $response:ident,)+) => {
        #[test]
        fn every_request_is_read_as_it_was_written() {
            $( round_trips::<$request>(); )+
        }

        #[test]
        fn every_response_is_read_as_it_was_written() {
            $( round_trips::<$response>(); )+
        }

        #[test]
        fn a_request_and_its_response_have_one_key_and_the_same_versions() {
            $(
                assert_eq!(<$request>::KEY, ApiKey::$key);
                assert_eq!(<$response>::KEY, ApiKey::$key);
                assert_eq!(<$request>::VERSIONS, <$response>::VERSIONS);
                assert_eq!(stringify!($request), format!("{}Request", ApiKey::$key.name()));
                assert_eq!(stringify!($response), format!("{}Response", ApiKey::$key.name()));
            )+
        }
    };
}
for_every_api!(every_message);
