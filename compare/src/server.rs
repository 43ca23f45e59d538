//! A broker's process on its core, with a data directory that goes when it does.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use onrush_bench::machine::{CLIENT_CORE, SERVER_CORE, Scratch, cores, spawn_on};
use onrush_sys::process;

use crate::disk;

/// How long a broker may take to start.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often to look whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How long a broker may take to delete what it was told to, and how often to look.
const DELETE_PATIENCE: Duration = Duration::from_secs(10);
const DELETE_LOOK_EVERY: Duration = Duration::from_millis(50);
/// Bytes that may stay behind: a broker's own notes.
const LEFT_BEHIND: u64 = 2 << 20;

/// A running broker. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    command: Command,
    address: SocketAddr,
    child: Child,
    began: Instant,
    /// From its start until it took connections.
    pub(crate) started_in: Duration,
    _companion: Option<Companion>,
    data: Scratch,
}

impl Server {
    /// Starts `command`, whose data lies in `data`, and waits until something listens at `address`; before
    /// it, what it needs beside it.
    pub(crate) fn start(
        mut command: Command,
        address: SocketAddr,
        companion: Option<(Command, SocketAddr)>,
        data: Scratch,
    ) -> Result<Server> {
        let companion = match companion {
            Some((mut command, address)) => {
                let mut companion = Companion(spawn_on(CLIENT_CORE % cores(), &mut command)?);
                wait_until_it_listens(&command, &mut companion.0, address)?;
                Some(companion)
            }
            None => None,
        };
        let began = Instant::now();
        let child = spawn_on(SERVER_CORE, &mut command)?;
        let mut server = Server {
            command,
            address,
            child,
            began,
            started_in: Duration::ZERO,
            _companion: companion,
            data,
        };
        server.wait()?;
        Ok(server)
    }

    /// Kills it as a crash would, without a warning.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill().context("cannot kill the broker")?;
        self.child.wait().context("cannot wait for the broker's end")?;
        Ok(())
    }

    /// Starts it once more, on what it left behind.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.began = Instant::now();
        self.child = spawn_on(SERVER_CORE, &mut self.command)?;
        self.wait()
    }

    fn wait(&mut self) -> Result<()> {
        wait_until_it_listens(&self.command, &mut self.child, self.address)?;
        self.started_in = self.began.elapsed();
        Ok(())
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
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

    /// The most memory that it had resident at once since the peak was forgotten.
    pub(crate) fn rss_peak_bytes(&self) -> Result<u64> {
        process::rss_peak_bytes(Some(self.pid())).context("cannot read the broker's memory")
    }

    /// Begins to look for the peak of its memory anew; whether the system lets us.
    pub(crate) fn forget_peak(&self) -> bool {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").is_ok()
    }

    /// Bytes that its files hold.
    pub(crate) fn disk_bytes(&self) -> u64 {
        disk::written_bytes(self.data.path())
    }

    /// Waits until it has deleted what it was told to. One that keeps it is as it is.
    pub(crate) fn wait_until_disk_is_below(&self, bytes: u64) {
        let began = Instant::now();
        while self.disk_bytes() > bytes + LEFT_BEHIND && began.elapsed() < DELETE_PATIENCE {
            std::thread::sleep(DELETE_LOOK_EVERY);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that a broker needs. Killed when dropped.
#[derive(Debug)]
struct Companion(Child);

impl Drop for Companion {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_until_it_listens(command: &Command, child: &mut Child, address: SocketAddr) -> Result<()> {
    let name = command.get_program().to_string_lossy();
    let began = Instant::now();
    while TcpStream::connect_timeout(&address, PATIENCE).is_err() {
        if let Some(status) = child.try_wait()? {
            bail!("{name} ended with {status} before it listened at {address}");
        }
        if began.elapsed() > PATIENCE {
            bail!("{name} did not listen at {address} within {PATIENCE:?}");
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Ports below those that the system gives to clients. Of one that it does give, a client that tries again
/// and again until somebody listens would one day be given that very port, connect to itself, and keep
/// the broker from it.
const PORTS_FROM: u16 = 10_000;
const PORTS: u16 = 20_000;

/// An address that nobody listens at now. A broker that cannot pick its own port and tell is given
/// one of these.
pub(crate) fn free_address() -> Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two races at once begin at different ones.
    let start = u16::try_from(std::process::id() % u32::from(PORTS)).unwrap_or(0);
    for _ in 0..PORTS {
        let number = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let address = SocketAddr::from(([127, 0, 0, 1], PORTS_FROM + number));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port from {PORTS_FROM} on is free on loopback")
}
