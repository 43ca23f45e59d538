use super::*;
use crate::{DiskBackend, OpenMode, TempDir, open_disk};
use std::io::{IoSlice, Read as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::path::Path;

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

#[test]
fn a_header_and_part_of_a_file_arrive_in_order() {
    let dir = TempDir::new("onrush-net").unwrap();
    let disk = open_disk(dir.path(), DiskBackend::Plain).unwrap();
    let file = disk.open(Path::new("f"), OpenMode::CreateNew).unwrap();
    file.write_all_at(&mut [IoSlice::new(b"0123456789")], 0).unwrap();
    let (near, mut far) = pair();
    assert_eq!(send_more(near.as_fd(), b"head").unwrap(), 4);
    let descriptor = file.descriptor().unwrap();
    assert_eq!(send_file(near.as_fd(), descriptor, 3, 4).unwrap(), 4);
    let mut got = [0; 8];
    far.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"head3456");
    // Short at the end of the file, nothing beyond it.
    assert_eq!(send_file(near.as_fd(), descriptor, 8, 10).unwrap(), 2);
    assert_eq!(send_file(near.as_fd(), descriptor, 10, 10).unwrap(), 0);
}

#[test]
fn a_full_socket_would_block_and_a_closed_one_is_an_error() {
    let (near, far) = pair();
    near.set_nonblocking(true).unwrap();
    let bytes = vec![7; 1 << 20];
    let full = loop {
        match send(near.as_fd(), &bytes) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    drop(far);
    near.set_nonblocking(false).unwrap();
    let gone = loop {
        match send_more(near.as_fd(), &bytes) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(gone.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset));
}
