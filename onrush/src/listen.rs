//! Sockets to listen on.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::{Error, Result};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Where Kafka clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaListener {
    /// Its name: Kafka's own default is `PLAINTEXT`.
    pub name: String,
    /// The address to listen on (`host:port`; port 0: any free one).
    pub address: String,
    /// The host and port that clients are told to connect to (port 0: the one listened on), for
    /// clients in containers or behind a router. None: what they have connected to.
    pub advertised: Option<(String, u16)>,
}

impl KafkaListener {
    /// The usual one, at an address.
    pub fn at(address: impl Into<String>) -> Self {
        Self { name: "PLAINTEXT".to_owned(), address: address.into(), advertised: None }
    }
}

/// Listens on `address` (`host:port`; port 0: any free one), which has to be this machine's own
/// unless others are allowed.
pub(crate) fn bind(address: &str, insecure: bool) -> Result<TcpListener> {
    let failed = |reason: String| Error::Listen { address: address.to_owned(), reason };
    let candidates = address.to_socket_addrs().map_err(|error| {
        failed(format!("{error}; write it as host:port, such as 127.0.0.1:7222"))
    })?;
    let mut last = failed("it stands for no address".to_owned());
    for candidate in candidates {
        if !candidate.ip().is_loopback() {
            if !insecure {
                return Err(Error::NotLoopback { address: candidate.to_string() });
            }
            tracing::warn!(
                address = %candidate,
                "listening where other machines can connect, without authentication or encryption"
            );
        }
        match bind_to(candidate) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = failed(explain(&error)),
        }
    }
    Err(last)
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use; stop what uses it, or choose another one (0: any free one)".into()
        }
        io::ErrorKind::PermissionDenied => {
            "the system does not allow it; choose a port from 1024 on".into()
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".into(),
        _ => error.to_string(),
    }
}

fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A broker that was just stopped leaves connections in TIME_WAIT behind.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_let_in_only_when_allowed() {
        assert!(matches!(bind("0.0.0.0:0", false), Err(Error::NotLoopback { .. })));
        assert!(bind("0.0.0.0:0", true).is_ok());
        assert!(bind("127.0.0.1:0", false).is_ok());
    }

    #[test]
    fn a_port_in_use_is_named() {
        let taken = bind("127.0.0.1:0", false).unwrap().local_addr().unwrap();
        let held = bind(&taken.to_string(), false).unwrap();
        let error = bind(&taken.to_string(), false).unwrap_err().to_string();
        assert!(error.contains("in use") && error.contains(&taken.to_string()), "{error}");
        drop(held);
    }

    #[test]
    fn nonsense_says_what_is_expected() {
        let error = bind("nowhere", false).unwrap_err().to_string();
        assert!(error.contains("host:port"), "{error}");
    }
}
