//! The `onrush` binary.
fn main() {
    println!("onrush");
}
