//! Where the programs under test are.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The path of a release binary of this workspace.
///
/// `ONRUSH_BINARIES` names the folder (`cargo xtask test` sets it after building). Without it they
/// are built here first, so that `cargo test -p onrush-tests` alone tests the code as it stands.
///
/// # Panics
/// When they cannot be built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(folder).join(name)
}

fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("ONRUSH_BINARIES") {
        return PathBuf::from(folder);
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let status = Command::new(cargo)
        .args(["build", "--release", "--quiet", "-p", "onrush", "-p", "onrush-loadgen"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "the release binaries could not be built");
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../target").into(), PathBuf::from)
        .join("release")
}
