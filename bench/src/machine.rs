//! Pinning, CPU clocks and scratch space.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::FallocateFlags;
use rustix::thread::CpuSet;
use rustix::time::ClockId;

/// The core that servers run on.
pub const SERVER_CORE: usize = 0;
/// The core that clients run on.
pub const CLIENT_CORE: usize = 1;

/// How many cores there are to pin to.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Pins the calling thread to a core (modulo the cores there are).
pub fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

/// Starts `command` on a core: children inherit where the thread that starts them may run.
pub fn spawn_on(core: usize, command: &mut Command) -> io::Result<Child> {
    let program = command.get_program().to_owned();
    let child = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            pin(core)?;
            command.spawn()
        });
        thread.join()
    });
    let child = child.unwrap_or_else(|_| Err(io::Error::other("the starting thread panicked")));
    child.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot start {}: {error}", program.display()))
    })
}

/// CPU time (user and system) of the calling thread.
#[must_use]
pub fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

/// Runs `server` and `client` on a thread each, pinned to their cores, and returns what both say.
pub fn server_and_client<S, C>(
    server: impl FnOnce() -> io::Result<S> + Send,
    client: impl FnOnce() -> io::Result<C> + Send,
) -> io::Result<(S, C)>
where
    S: Send,
    C: Send,
{
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            pin(SERVER_CORE)?;
            server()
        });
        let client = scope.spawn(|| {
            pin(CLIENT_CORE % cores())?;
            client()
        });
        let client =
            client.join().map_err(|_| io::Error::other("the client thread panicked"))??;
        let server =
            server.join().map_err(|_| io::Error::other("the server thread panicked"))??;
        Ok((server, client))
    })
}

/// A directory of this process that goes when it is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one under `parent`, which must be on the disk to be measured.
    pub fn new(parent: &Path) -> io::Result<Scratch> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("onrush-bench-{}-{number}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Scratch(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Creates a file in it, `len` bytes of it preallocated.
    pub fn file(&self, name: &str, len: u64) -> io::Result<File> {
        let path = self.0.join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        if len > 0 {
            rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, len)?;
        }
        Ok(file)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Best effort: a leftover directory is named after its process.
        let _ = fs::remove_dir_all(&self.0);
    }
}
