use super::*;
use crate::TempDir;

fn conform(backend: DiskBackend) -> &'static str {
    let mut name = "";
    conformance::run_all(|| {
        let dir = TempDir::new("onrush-disk")?;
        let disk = open_disk(dir.path(), backend)?;
        name = disk.backend();
        Ok((disk, dir))
    })
    .unwrap();
    name
}

#[test]
fn the_plain_backend_conforms() {
    assert_eq!(conform(DiskBackend::Plain), "plain");
}

#[test]
fn the_uring_backend_conforms() {
    if conform(DiskBackend::Uring) != "io_uring" {
        eprintln!("WARNING: this machine has no io_uring: only its fallback was tested");
    }
}

#[test]
fn a_disk_needs_its_root() {
    let dir = TempDir::new("onrush-disk").unwrap();
    let missing = dir.path().join("not/there");
    for backend in [DiskBackend::Auto, DiskBackend::Plain, DiskBackend::Uring] {
        let error = open_disk(&missing, backend).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
    create_root(&missing).unwrap();
    create_root(&missing).unwrap();
    let disk = open_disk(&missing, DiskBackend::Auto).unwrap();
    disk.open(Path::new("file"), OpenMode::CreateNew).unwrap();
    let error = open_disk(&missing.join("file"), DiskBackend::Auto).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
    assert!(create_root(&missing.join("file")).is_err());
}

#[test]
fn the_lock_names_its_holder() {
    let dir = TempDir::new("onrush-disk").unwrap();
    let one = open_disk(dir.path(), DiskBackend::Auto).unwrap();
    let two = open_disk(dir.path(), DiskBackend::Auto).unwrap();
    let _held = one.lock(Path::new("lock")).unwrap();
    let message = two.lock(Path::new("lock")).err().unwrap().to_string();
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
}

#[test]
#[cfg(target_os = "linux")]
fn what_was_dropped_from_the_cache_is_seen_as_cold() {
    // A temporary file system in memory cannot drop anything: hence beside the sources.
    let dir = TempDir::new_in(Path::new(env!("CARGO_MANIFEST_DIR")), ".onrush-disk").unwrap();
    let disk = open_disk(dir.path(), DiskBackend::Plain).unwrap();
    let file = disk.open(Path::new("f"), OpenMode::CreateNew).unwrap();
    file.write_all_at(&mut [IoSlice::new(&vec![1; 1 << 20])], 0).unwrap();
    file.sync_data().unwrap();
    let descriptor = file.descriptor().unwrap();
    assert!(cached::is_cached_by_samples(descriptor, 0, 1 << 20));
    let advice = rustix::fs::Advice::DontNeed;
    rustix::fs::fadvise(descriptor, 0, None, advice).unwrap();
    if file.is_cached(0, 1 << 20) {
        eprintln!("WARNING: this file system keeps what it is told to drop: cold reads untested");
        return;
    }
    assert!(!cached::is_cached_by_samples(descriptor, 0, 1 << 20));
    file.warm(0, 4096).unwrap();
    assert!(file.is_cached(0, 4096));
    file.warm(0, 1 << 20).unwrap();
    assert!(file.is_cached(0, 1 << 20));
    assert!(cached::is_cached_by_samples(descriptor, 0, 1 << 20));
}
