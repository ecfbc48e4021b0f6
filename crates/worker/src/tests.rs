//! The worker on a real pack with real pictures: one room and one engine, all that an engine thread has.
//!
//! Skipped with a line where the pack, ONNX Runtime or the portraits are not there.

mod decisions;
mod fixture;
mod queueing;
mod rotation;
mod served;
mod succession;
mod surgery;
