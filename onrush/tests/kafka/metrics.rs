//! What is told of requests at `/metrics`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use onrush::Config;

use crate::socket::Served;

fn scrape(served: &Served) -> String {
    let address = served.broker.listen_http("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn requests_are_counted_and_timed_by_kind() {
    let served = Served::new(Config::ephemeral().shards(2));
    served.topic("t", 1);
    for _ in 0..4 {
        // On one shard and the other.
        let mut socket = served.open();
        socket.versions();
        socket.produce("t", -1, &[b"value"]);
        socket.fetch("t", 0);
    }
    let text = scrape(&served);
    for name in ["ApiVersions", "Produce", "Fetch"] {
        let labels = format!("{{gateway=\"kafka\",request=\"{name}\"}}");
        for line in
            [format!("requests_total{labels} 4"), format!("request_seconds_count{labels} 4")]
        {
            assert!(text.contains(&format!("onrush_{line}")), "{line} is not in\n{text}");
        }
    }
    let created = "onrush_requests_total{gateway=\"native\",request=\"CreateTopics\"} 1";
    assert!(text.contains(created), "{created} is not in\n{text}");
}
