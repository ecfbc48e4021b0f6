//! The countersign-gateway process.
fn main() {}
