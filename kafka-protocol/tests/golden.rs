//! Frames that real clients and a real broker sent: each is decoded, and encodes to the same bytes.
//!
//! `golden/frames.txt` has one exchange a line: the client, the key, the version, the request and
//! the response in hexadecimal, from the first byte after the size. `-` stands for what was not
//! captured whole. The responses are Apache Kafka 4.3's.

use onrush_kafka_protocol::messages::*;
use onrush_kafka_protocol::{
    ApiKey, Message, Reader, RequestHeader, Writer, decode_response_header, for_every_api,
    response_header,
};

const FRAMES: &str = include_str!("golden/frames.txt");

struct Exchange {
    client: &'static str,
    key: ApiKey,
    version: i16,
    request: Option<Vec<u8>>,
    response: Option<Vec<u8>>,
}

fn exchanges() -> impl Iterator<Item = Exchange> {
    FRAMES.lines().map(|line| {
        let [client, key, version, request, response] =
            line.split(' ').collect::<Vec<_>>().try_into().expect("five columns");
        Exchange {
            client,
            key: ApiKey(key.parse().expect("a number")),
            version: version.parse().expect("a number"),
            request: bytes(request),
            response: bytes(response),
        }
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
    (hex != "-").then(|| (0..hex.len()).step_by(2).map(byte).collect())
}

fn again<M: Message>(
    input: &mut Reader<'_>,
    version: i16,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let message = M::decode(input, version).map_err(|error| error.to_string())?;
    input.finish().map_err(|error| error.to_string())?;
    message.encode(&mut Writer::new(out), version).map_err(|error| error.to_string())
}

fn request_again(exchange: &Exchange, request: &[u8]) -> Result<Vec<u8>, String> {
    let mut input = Reader::new(request);
    let header = RequestHeader::decode(&mut input).map_err(|error| error.to_string())?;
    assert_eq!((header.api_key, header.api_version), (exchange.key.0, exchange.version));
    let mut out = Vec::new();
    header.encode(&mut Writer::new(&mut out)).map_err(|error| error.to_string())?;
    macro_rules! body {
        ($($key:ident: $request:ident => $response:ident,)+) => {
            match exchange.key {
                $( ApiKey::$key => again::<$request>(&mut input, exchange.version, &mut out)?, )+
                key => return Err(format!("no message for {key:?}")),
            }
        };
    }
    for_every_api!(body);
    Ok(out)
}

fn response_again(exchange: &Exchange, response: &[u8]) -> Result<Vec<u8>, String> {
    let (key, version) = (exchange.key, exchange.version);
    let mut input = Reader::new(response);
    let id = decode_response_header(key, version, &mut input).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    response_header(key, version, id, &mut out);
    macro_rules! body {
        ($($key:ident: $request:ident => $response:ident,)+) => {
            match key {
                $( ApiKey::$key => again::<$response>(&mut input, version, &mut out)?, )+
                key => return Err(format!("no message for {key:?}")),
            }
        };
    }
    for_every_api!(body);
    Ok(out)
}

/// Why an exchange is left out.
fn skipped(exchange: &Exchange) -> Option<&'static str> {
    match (exchange.client, exchange.key, exchange.version) {
        (_, ApiKey::API_VERSIONS, 5) => Some("a version that only a newer Kafka has"),
        _ => None,
    }
}

#[test]
#[cfg_attr(miri, ignore = "the unit tests take the same paths in less time")]
fn what_clients_and_brokers_sent_is_read_and_written_byte_for_byte() {
    let mut wrong = Vec::new();
    let mut same = 0;
    for exchange in exchanges() {
        if let Some(reason) = skipped(&exchange) {
            println!("skipped: {} {:?}: {reason}", exchange.client, exchange.key);
            continue;
        }
        let mut check = |what, frame: &Option<Vec<u8>>, again: Result<Vec<u8>, String>| {
            let frame = frame.as_deref().unwrap_or_default();
            if again.as_deref() == Ok(frame) {
                same += 1;
                return;
            }
            let again = again.map(|bytes| format!("written again {bytes:02x?}"));
            let problem = again.unwrap_or_else(|error| error);
            let Exchange { client, key, version, .. } = &exchange;
            let name = key.name();
            wrong.push(format!("{client} {name} v{version} {what}: {problem}\n  {frame:02x?}"));
        };
        if let Some(request) = &exchange.request {
            check("request", &exchange.request, request_again(&exchange, request));
        }
        if let Some(response) = &exchange.response {
            check("response", &exchange.response, response_again(&exchange, response));
        }
    }
    assert!(wrong.is_empty(), "{} frames differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(same > 300, "only {same} frames were there");
}
