//! What processes use and may use: processor time, memory, descriptors, mappings.
//!
//! A `pid` of `None` is this process. What needs Linux answers [`io::ErrorKind::Unsupported`]
//! elsewhere.

use std::io;
use std::time::Duration;

/// Processor time that the process has used, in user and kernel mode, all threads together.
#[cfg(target_os = "linux")]
pub fn cpu_time(pid: Option<u32>) -> io::Result<Duration> {
    // Through the process's own clock, which counts nanoseconds; /proc counts hundredths.
    let pid = libc::pid_t::try_from(pid.unwrap_or(0))
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "no process has that number"))?;
    let mut clock: libc::clockid_t = 0;
    // SAFETY: `clock` is a live local for the call to write.
    let status = unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) };
    if status != 0 {
        return Err(io::Error::from_raw_os_error(status));
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live local for the call to write; a clock that is gone is an error.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Ok(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
}

/// Not known how on this system.
#[cfg(not(target_os = "linux"))]
pub fn cpu_time(_pid: Option<u32>) -> io::Result<Duration> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Memory that the process occupies now.
pub fn rss_bytes(pid: Option<u32>) -> io::Result<u64> {
    status_bytes(pid, "VmRSS:")
}

/// The most memory that the process ever occupied.
pub fn rss_peak_bytes(pid: Option<u32>) -> io::Result<u64> {
    status_bytes(pid, "VmHWM:")
}

/// How many descriptors this process may have open.
pub fn descriptor_limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Raises this process's descriptor limit as far as it may itself, and returns what it is then.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let resource = rustix::process::Resource::Nofile;
    let mut limit = rustix::process::getrlimit(resource);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        rustix::process::setrlimit(resource, limit)?;
    }
    Ok(descriptor_limit())
}

/// How many descriptors this process has open.
pub fn open_descriptors() -> io::Result<u64> {
    let place = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    // The one that reads the directory is among them.
    Ok((std::fs::read_dir(place)?.count() as u64).saturating_sub(1))
}

/// How many mappings a process may have.
pub fn mapping_limit() -> u64 {
    // Linux's default, where it cannot be read.
    const DEFAULT: u64 = 65_530;
    std::fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(DEFAULT)
}

/// A line of `/proc/PID/status`, which counts in KiB.
fn status_bytes(pid: Option<u32>, name: &str) -> io::Result<u64> {
    if !cfg!(target_os = "linux") {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let path = match pid {
        Some(pid) => format!("/proc/{pid}/status"),
        None => "/proc/self/status".to_owned(),
    };
    let text = std::fs::read_to_string(&path)?;
    let kib = text.lines().find_map(|line| {
        line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    kib.map(|kib| kib * 1024).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{path} has no line {name}"))
    })
}

#[cfg(test)]
#[cfg(all(target_os = "linux", not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn time_spent_is_counted_for_this_process_and_by_number() {
        let before = cpu_time(None).unwrap();
        let mut sum = 0u64;
        for n in 0..2_000_000u64 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(n));
        }
        let after = cpu_time(Some(std::process::id())).unwrap();
        assert!(after > before, "{sum}");
        assert!(cpu_time(Some(u32::MAX)).is_err());
    }

    #[test]
    fn memory_and_limits_make_sense() {
        let now = rss_bytes(None).unwrap();
        let peak = rss_peak_bytes(Some(std::process::id())).unwrap();
        assert!(now > 100_000 && peak > 100_000);
        assert!(raise_descriptor_limit().unwrap() >= open_descriptors().unwrap());
        assert!(mapping_limit() > 1_000);
    }
}
