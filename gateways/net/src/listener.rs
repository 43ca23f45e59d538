//! Accepting: sockets are handed to the shards in turn.

use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpListener;

use crate::connection;
use crate::conversation::{Peer, Service};
use crate::shard::ShardHandle;

/// A peer silent for so long is asked whether it is there …
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// … again after so long …
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// … and so often before the connection counts as dead.
const KEEPALIVE_PROBES: u32 = 3;
/// How long to wait when no socket can be had.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Accepts connections and has `service` serve them, for as long as it is polled; drop it to stop
/// listening.
pub async fn accept<S: Service>(listener: TcpListener, shards: Vec<ShardHandle>, service: S) {
    let mut turn = 0_usize;
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                turn = turn.wrapping_add(1);
                hand_over(stream, remote, &shards[turn % shards.len()], &service);
            }
            Err(error) if is_of_one_connection(&error) => {
                tracing::debug!(%error, "connection lost before it began");
            }
            Err(error) => {
                tracing::error!(%error, "cannot accept connections; raise the limit of open files if it is reached");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

fn hand_over<S: Service>(
    stream: tokio::net::TcpStream,
    remote: SocketAddr,
    shard: &ShardHandle,
    service: &S,
) {
    let open = usize::try_from(service.connections().get()).unwrap_or(0);
    let max = service.connections_max();
    if open >= max {
        return tracing::warn!(%remote, max, "connection refused: as many are open as may be");
    }
    let prepared = prepare(stream).and_then(|socket| Ok((socket.local_addr()?, socket)));
    let (local, socket) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return tracing::debug!(%remote, %error, "connection lost before it began"),
    };
    let service = service.clone();
    let peer = Peer { remote, local };
    if !shard.begin(move |shared| connection::start(shared, &service, socket, &peer)) {
        tracing::warn!(%remote, "connection refused: its shard takes no more");
    }
}

/// An error that says nothing about the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

fn prepare(stream: tokio::net::TcpStream) -> io::Result<StdStream> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    // No limit on unacknowledged bytes (`TCP_USER_TIMEOUT`): it would also cut off a reader that
    // takes its time, and that one costs no memory.
    socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_PROBES))?;
    stream.into_std()
}
