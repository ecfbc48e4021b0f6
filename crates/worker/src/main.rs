//! The countersign-worker process.
fn main() {}
