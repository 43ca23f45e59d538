//! The handshake.

use onrush_protocol::request::HelloRequest;
use onrush_protocol::response::HelloResponse;
use onrush_protocol::{ErrorCode, PROTOCOL_VERSION, WireError, features};

use super::{Phase, Session};

/// A client that accepts less than this could not be told anything.
const FRAME_MAX_LEAST: u32 = 64 * 1024;

impl Session {
    pub(super) fn hello(&mut self, correlation: u32, hello: &HelloRequest) {
        let reply = self.greet(hello);
        let refused = reply.is_err();
        let first = matches!(self.phase, Phase::Greeting { .. });
        self.reply::<HelloRequest>(correlation, reply);
        if refused {
            self.close();
        } else if first {
            self.phase = Phase::Open;
        }
    }

    fn greet(&mut self, hello: &HelloRequest) -> Result<HelloResponse, WireError> {
        if self.phase == Phase::Open {
            let text = "this connection has said Hello already; open another one to say it anew";
            return Err(WireError::new(ErrorCode::INVALID_REQUEST, text));
        }
        if !(hello.version_min..=hello.version_max).contains(&PROTOCOL_VERSION) {
            let text = format!(
                "this broker speaks version {PROTOCOL_VERSION} of the protocol, the client {} to {}",
                hello.version_min, hello.version_max
            );
            return Err(WireError::new(ErrorCode::VERSION_NOT_SUPPORTED, text)
                .with_detail(i64::from(PROTOCOL_VERSION)));
        }
        if hello.max_frame < FRAME_MAX_LEAST {
            let text = format!(
                "the client accepts frames of {} bytes; at least {FRAME_MAX_LEAST} are needed",
                hello.max_frame
            );
            return Err(WireError::new(ErrorCode::INVALID_REQUEST, text));
        }
        self.features = hello.features & features::ALL;
        self.client_frame_max = hello.max_frame;
        self.peer.client = hello.client_name.as_str().into();
        self.throttle.calls_itself(&hello.client_name);
        Ok(HelloResponse {
            version: PROTOCOL_VERSION,
            features: self.features,
            broker_version: env!("CARGO_PKG_VERSION").to_owned(),
            node_id: self.broker.node_id(),
            cluster_id: self.broker.cluster_id().to_string(),
            max_frame: self.decoder.max_frame(),
            max_in_flight: self.options.in_flight_max,
        })
    }
}
