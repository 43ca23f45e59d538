//! The suite that every disk must pass.

use onrush_sim::SimDisk;

#[test]
fn the_simulated_disk_conforms() {
    onrush_sys::conformance::run_all(|| Ok((SimDisk::new().as_disk(), ()))).unwrap();
}
