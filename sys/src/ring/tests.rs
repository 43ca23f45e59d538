use super::*;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

const CONNECTIONS: usize = 5;

/// Every way there is; none where the machine cannot.
fn ways() -> Vec<Ways> {
    if let Err(error) = available() {
        eprintln!("WARNING: this machine has no io_uring ({error}): sockets by it are untested");
        return Vec::new();
    }
    [Receive::Once, Receive::OncePollFirst, Receive::Multishot]
        .into_iter()
        .flat_map(|receive| [false, true].map(|registered| Ways { receive, registered }))
        .collect()
}

/// Both ends of so many connections, in the same order.
fn connect() -> (Vec<TcpStream>, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let pair = |_| {
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        near.set_nodelay(true).unwrap();
        (near, listener.accept().unwrap().0)
    };
    (0..CONNECTIONS).map(pair).unzip()
}

/// Sends back what comes until all have hung up; says how much came on each connection.
fn echo(far: Vec<TcpStream>, ways: Ways) -> JoinHandle<io::Result<Vec<usize>>> {
    std::thread::spawn(move || {
        let mut ring = SocketRing::new(far, ways)?;
        let mut came = vec![0; CONNECTIONS];
        while ring.wait()? {
            let turn: Vec<_> =
                ring.received().map(|(index, bytes)| (index, bytes.to_vec())).collect();
            for (index, bytes) in turn {
                came[index] += bytes.len();
                ring.send(index, &bytes)?;
            }
        }
        assert!(ring.enters() > 0);
        Ok(came)
    })
}

#[test]
fn everyone_has_their_own_back_though_some_hang_up() {
    for ways in ways() {
        let (mut near, far) = connect();
        let server = echo(far, ways);
        // More than one receive brings.
        let len = 3 * RECEIVE_LEN + 7;
        for round in 0..4u8 {
            let bytes = |index: usize| vec![round * 16 + u8::try_from(index).unwrap(); len];
            for (index, stream) in near.iter_mut().enumerate() {
                stream.write_all(&bytes(index)).unwrap();
            }
            for (index, stream) in near.iter_mut().enumerate() {
                let mut got = vec![0; len];
                stream.read_exact(&mut got).unwrap();
                assert_eq!(got, bytes(index), "{ways:?}, connection {index}");
            }
            if round == 1 {
                // One goes in peace, one leaves an answer unread, so that the server is reset.
                near.pop();
                let mut rude = near.pop().unwrap();
                rude.write_all(b"x").unwrap();
                rude.peek(&mut [0]).unwrap();
            }
        }
        drop(near);
        let came = server.join().unwrap().unwrap();
        assert_eq!(came, [4 * len, 4 * len, 4 * len, 2 * len + 1, 2 * len], "{ways:?}");
    }
}

#[test]
fn many_turns_use_the_provided_memory_again_and_again() {
    for ways in ways() {
        let (mut near, far) = connect();
        let server = echo(far, ways);
        for turn in 0..200u32 {
            for stream in &mut near {
                stream.write_all(&turn.to_le_bytes()).unwrap();
            }
            for stream in &mut near {
                let mut got = [0; 4];
                stream.read_exact(&mut got).unwrap();
                assert_eq!(u32::from_le_bytes(got), turn, "{ways:?}");
            }
        }
        drop(near);
        assert_eq!(server.join().unwrap().unwrap(), [800; CONNECTIONS], "{ways:?}");
    }
}

#[test]
fn who_reads_no_answers_is_an_error_and_memory_is_not_given_back_while_in_use() {
    for ways in ways() {
        let (mut near, far) = connect();
        let mut ring = SocketRing::new(far, ways).unwrap();
        near[0].write_all(b"hello").unwrap();
        assert!(ring.wait().unwrap());
        assert_eq!(ring.received().collect::<Vec<_>>(), [(0, &b"hello"[..])]);
        // Queued, and never handed over: the first half is to be sent, the second waits for that.
        ring.send(0, &[7; SEND_LEN / 2]).unwrap();
        ring.send(0, &[8; SEND_LEN / 2]).unwrap();
        let error = ring.send(0, b"x").unwrap_err();
        assert!(error.to_string().contains("connection 0"), "{error}");
        // Receives of all and a send of one are still to be answered.
        drop(ring);
        for stream in &mut near {
            // The end, or a reset where something was left unread.
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
}
