//! The native protocol as somebody speaks it who is no client library.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use bytes::BytesMut;
use onrush_protocol::request::{HelloRequest, RequestMessage};
use onrush_protocol::{
    FrameHeader, HEADER_LEN, Message as _, PROTOCOL_VERSION, WireError, features,
};

/// A connection that has said hello.
#[derive(Debug)]
pub struct Native {
    socket: TcpStream,
}

impl Native {
    /// Connects as a client that calls itself so.
    ///
    /// # Panics
    /// When it is not let in.
    #[must_use]
    pub fn open(address: &str, client: &str) -> Native {
        let socket = TcpStream::connect(address).expect("it listens");
        socket.set_nodelay(true).expect("a socket");
        let mut native = Native { socket };
        let hello = HelloRequest {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            // It heeds no quota.
            features: features::ALL & !features::THROTTLE,
            client_name: client.to_owned(),
            client_version: "1".to_owned(),
            max_frame: 64 << 20,
        };
        native.ask(&hello, &[]).0.expect("it is let in");
        native
    }

    /// Sends a request with record batches.
    ///
    /// # Panics
    /// When the broker takes no bytes.
    pub fn send<Q: RequestMessage>(&mut self, request: &Q, payload: &[u8]) {
        let mut frame = BytesMut::new();
        request.encode_frame(&mut frame, 1, payload.len());
        frame.extend_from_slice(payload);
        self.socket.write_all(&frame).expect("it takes bytes");
    }

    /// Waits for a frame: its body and its record batches.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn receive(&mut self) -> (Vec<u8>, Vec<u8>) {
        let mut head = [0; HEADER_LEN];
        self.socket.read_exact(&mut head).expect("a frame");
        let header = FrameHeader::read(&head);
        let (mut body, mut payload) =
            (vec![0; header.body_length as usize], vec![0; header.payload_len()]);
        self.socket.read_exact(&mut body).expect("its body");
        self.socket.read_exact(&mut payload).expect("its batches");
        (body, payload)
    }

    /// Sends a request, and waits for its answer and the record batches that come with it.
    ///
    /// # Panics
    /// When there is none, or it is something else.
    pub fn ask<Q: RequestMessage>(
        &mut self,
        request: &Q,
        payload: &[u8],
    ) -> (Result<Q::Response, WireError>, Vec<u8>) {
        self.send(request, payload);
        let (body, payload) = self.receive();
        (Result::<Q::Response, WireError>::decode(&body).expect("an answer"), payload)
    }
}
