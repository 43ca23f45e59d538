//! Threads: named, and on the core they are told.

use std::io;
pub use std::thread::JoinHandle;

/// Starts a thread. The system shows the first 15 bytes of its name.
pub fn spawn<F, T>(name: &str, body: F) -> io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    std::thread::Builder::new().name(name.to_owned()).spawn(body)
}

/// How many cores this process may use; at least 1.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Keeps the calling thread on one core, by the system's number for it.
#[cfg(target_os = "linux")]
pub fn pin_to_core(core: usize) -> io::Result<()> {
    if core >= rustix::thread::CpuSet::MAX_CPU {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("there is no core {core}"),
        ));
    }
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).map_err(|errno| {
        let error = io::Error::from(errno);
        io::Error::new(error.kind(), format!("cannot run on core {core}: {error}"))
    })
}

/// This system gives no say in where a thread runs.
#[cfg(not(target_os = "linux"))]
pub fn pin_to_core(core: usize) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        format!("cannot keep a thread on core {core}: this system does not offer it"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_its_name() {
        let handle = spawn("onrush-test", || std::thread::current().name().map(str::to_owned));
        assert_eq!(handle.unwrap().join().unwrap().as_deref(), Some("onrush-test"));
    }

    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn a_pinned_thread_stays_on_its_core() {
        let allowed = rustix::thread::sched_getaffinity(None).unwrap();
        let core = (0..rustix::thread::CpuSet::MAX_CPU).rfind(|&c| allowed.is_set(c)).unwrap();
        let pinned = spawn("onrush-pin", move || {
            pin_to_core(core).unwrap();
            (cores(), rustix::thread::sched_getcpu())
        });
        assert_eq!(pinned.unwrap().join().unwrap(), (1, core));
        assert!(pin_to_core(usize::MAX).is_err());
    }
}
