//! Clients that mean harm, or know no better, against the real program: what they cost is what they
//! send, and the others are served meanwhile.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use onrush_sys::process::rss_bytes;
use onrush_sys::{Random as _, SeededRandom};
use onrush_tests::{BrokerProcess, ServeOptions, run, run_with_input};

const MIB: u64 = 1 << 20;

struct Served {
    _data: tempfile::TempDir,
    broker: BrokerProcess,
    turn: u32,
}

fn served() -> Served {
    let data = tempfile::tempdir().expect("a fresh directory");
    let broker = BrokerProcess::start(ServeOptions::at(&data.path().join("data")));
    let mut served = Served { _data: data, broker, turn: 0 };
    let server = served.broker.native();
    run("onrush", &["topic", "create", "well", "--server", &server]).succeeded();
    served.still_serves();
    served
}

impl Served {
    fn rss(&self) -> u64 {
        rss_bytes(Some(self.broker.pid())).expect("it runs")
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.broker.native()).expect("it listens")
    }

    /// Somebody else produces and reads.
    fn still_serves(&mut self) {
        let server = self.broker.native();
        let line = format!("{}\n", self.turn);
        self.turn += 1;
        let produce = ["produce", "well", "--server", &server];
        run_with_input("onrush", &produce, line.as_bytes()).succeeded();
        let consume = ["consume", "well", "--from", "start", "--server", &server];
        let all = run("onrush", &consume).succeeded();
        assert_eq!(all.lines().count(), self.turn as usize, "{all}");
    }
}

/// A frame's first 16 bytes: its length after the first four, then opcode, flags, correlation and
/// the length of its body.
fn header(length: u32, opcode: u16, body: u32) -> Vec<u8> {
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(opcode.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(7_u32.to_le_bytes());
    bytes.extend(body.to_le_bytes());
    bytes
}

#[test]
fn an_announced_length_costs_no_memory() {
    let mut served = served();
    let before = served.rss();
    let mut held = Vec::new();
    for _ in 0..300 {
        let mut socket = served.connect();
        // Hello of 900 KiB, of which 100 bytes come.
        let mut frame = header(900 * 1024 + 12, 1, 900 * 1024);
        frame.extend([0; 100]);
        socket.write_all(&frame).expect("it takes bytes");
        held.push(socket);
    }
    served.still_serves();
    let grown = served.rss().saturating_sub(before);
    assert!(grown < 32 * MIB, "300 frames that did not come cost {grown} bytes");
    drop(held);
    served.still_serves();
}

#[test]
fn noise_costs_nothing_and_ends() {
    let mut served = served();
    let before = served.rss();
    let random = SeededRandom::new(20_261_121);
    for round in 0..300_usize {
        let mut noise = vec![0; 1 + (round * 37) % 4000];
        random.fill(&mut noise);
        let mut socket = served.connect();
        // It may close before all has been sent; that is its answer.
        let _ = socket.write_all(&noise);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        assert!(answer.len() < 4096, "round {round}: {} bytes of answer", answer.len());
    }
    served.still_serves();
    let grown = served.rss().saturating_sub(before);
    assert!(grown < 16 * MIB, "noise cost {grown} bytes");
}

#[test]
fn a_thousand_silent_connections_cost_little() {
    const COUNT: u64 = 1000;
    let mut served = served();
    let before = served.rss();
    let held: Vec<TcpStream> = (0..COUNT).map(|_| served.connect()).collect();
    // It has taken them all up once it serves one that came after them.
    served.still_serves();
    let each = served.rss().saturating_sub(before) / COUNT;
    assert!(each <= 20 * 1024, "a silent connection costs {each} bytes");
    drop(held);
}
