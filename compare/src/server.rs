//! A broker's process on its core, with a data directory that goes when it does.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use onrush_bench::machine::{SERVER_CORE, Scratch, spawn_on};
use onrush_sys::process;

/// How long a broker may take to start.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often to look whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A running broker. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// From its start until it took connections.
    pub(crate) started_in: Duration,
    _data: Scratch,
}

impl Server {
    /// Starts `command`, whose data lies in `data`, and waits until something listens at `address`.
    pub(crate) fn start(
        command: &mut Command,
        address: SocketAddr,
        data: Scratch,
    ) -> Result<Server> {
        let name = command.get_program().to_string_lossy().into_owned();
        let began = Instant::now();
        let child = spawn_on(SERVER_CORE, command)?;
        let mut server = Server { child, started_in: Duration::ZERO, _data: data };
        while TcpStream::connect_timeout(&address, PATIENCE).is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("{name} ended with {status} before it listened at {address}");
            }
            if began.elapsed() > PATIENCE {
                bail!("{name} did not listen at {address} within {PATIENCE:?}");
            }
            std::thread::sleep(LOOK_EVERY);
        }
        server.started_in = began.elapsed();
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        process::cpu_time(Some(self.pid())).context("cannot read the broker's processor time")
    }

    /// Resident memory now.
    pub(crate) fn rss_bytes(&self) -> Result<u64> {
        process::rss_bytes(Some(self.pid())).context("cannot read the broker's memory")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens at now. A broker that cannot pick its own port and tell is given
/// one of these.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on loopback")?;
    Ok(listener.local_addr()?)
}
