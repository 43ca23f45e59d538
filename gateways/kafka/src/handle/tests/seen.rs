use futures::executor::block_on;
use onrush_kafka_protocol::{ApiKey, Reader, RequestHeader, decode_response_header};

use super::Server;
use crate::served::{call, find};

/// The newest version of ApiVersions that a client was seen to try; it is answered by the session.
const AHEAD: (i16, i16) = (18, 5);

#[test]
fn what_real_clients_send_is_served_and_answered() {
    let server = Server::start();
    let mut answered = 0;
    for line in include_str!("seen.txt").lines().filter(|line| !line.starts_with('#')) {
        let (client, hex) = line.split_once(' ').unwrap();
        let frame: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        let mut reader = Reader::new(&frame);
        let header = RequestHeader::decode(&mut reader).unwrap();
        let (key, version) = (ApiKey(header.api_key), header.api_version);
        if (key.0, version) == AHEAD {
            continue;
        }
        let served = find(key).unwrap_or_else(|| panic!("{client} sends {}", key.name()));
        assert!((served.min..=served.max).contains(&version), "{client}: {} {version}", key.name());
        let correlation = header.correlation_id;
        let call = call(&server.ctx, header, &frame[reader.position()..]);
        let call =
            call.unwrap_or_else(|error| panic!("{client}: {} {version}: {error}", key.name()));
        let answer = block_on(call.expect("not the session's own")).unwrap();
        let mut reader = Reader::new(&answer[4..]);
        assert_eq!(decode_response_header(key, version, &mut reader).unwrap(), correlation);
        answered += 1;
    }
    assert!(answered > 100, "only {answered}");
}
