//! What sockets can do that the runtime's interface to them does not offer.
//!
//! All of these answer [`io::ErrorKind::WouldBlock`] on a non-blocking socket that takes no more
//! for now, and may send less than asked.

use std::io;
use std::os::fd::BorrowedFd;

/// Sends part of a file without it passing through this process. 0 means that the file ends at
/// `position`: for a slice that should exist, that the file was cut short or the disk failed.
#[cfg(target_os = "linux")]
pub fn send_file(
    socket: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    position: u64,
    len: usize,
) -> io::Result<usize> {
    loop {
        let mut at = position;
        match rustix::fs::sendfile(socket, file, Some(&mut at), len) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Sends part of a file. 0 means that the file ends at `position`: for a slice that should exist,
/// that the file was cut short or the disk failed.
#[cfg(not(target_os = "linux"))]
pub fn send_file(
    socket: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    position: u64,
    len: usize,
) -> io::Result<usize> {
    let mut scratch = vec![0; len.min(64 * 1024)];
    let count = rustix::io::retry_on_intr(|| rustix::io::pread(file, &mut scratch, position))?;
    send(socket, &scratch[..count])
}

/// Sends bytes, telling the kernel that more follow at once, so that it need not send a short
/// packet for them.
#[cfg(target_os = "linux")]
pub fn send_more(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    send_with(socket, bytes, rustix::net::SendFlags::MORE | rustix::net::SendFlags::NOSIGNAL)
}

/// Sends bytes; that more follow cannot be said on this system.
#[cfg(not(target_os = "linux"))]
pub fn send_more(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    send(socket, bytes)
}

/// Sends bytes; a peer that is gone is an error, never a signal.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    let flags = rustix::net::SendFlags::NOSIGNAL;
    // The standard library ignores SIGPIPE before `main`.
    #[cfg(not(target_os = "linux"))]
    let flags = rustix::net::SendFlags::empty();
    send_with(socket, bytes, flags)
}

fn send_with(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    flags: rustix::net::SendFlags,
) -> io::Result<usize> {
    Ok(rustix::io::retry_on_intr(|| rustix::net::send(socket, bytes, flags))?)
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests;
