//! Gate 1 as far as it goes now: exact duplicates among the frames, and the order of their offsets.
//!
//! Must never know: faces. Invariant: two frames with the same bytes or the same pixels never pass.

use crate::{
    evidence::{Frame, gate},
    picture::Picture,
};
use biometrics::{Gate, GateReason, GateResult, GateStatus};
use ring::digest::{Context, SHA256, digest};
use std::collections::HashSet;

/// Digests by which frames are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) bytes: [u8; 32],
    pub(crate) pixels: [u8; 32],
}

impl Fingerprint {
    /// Of a file, its picture and the picture reduced for the detector.
    ///
    /// Equal pixels have an equal reduction. The reverse does not hold to the letter, but the noise of a live sensor
    /// changes thousands of reduced pixels from frame to frame; hashing them all would cost as much as the detector.
    pub(crate) fn of(jpeg: &[u8], picture: &Picture, reduced: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&(picture.width() as u64).to_be_bytes());
        context.update(&(picture.height() as u64).to_be_bytes());
        context.update(reduced);
        let array = |d: ring::digest::Digest| {
            let mut out = [0; 32];
            out.copy_from_slice(d.as_ref());
            out
        };
        Self { bytes: array(digest(&SHA256, jpeg)), pixels: array(context.finish()) }
    }
}

/// Judges the frames of a capture together.
pub(crate) fn judge(frames: &[Frame<'_>], prints: &[Fingerprint]) -> GateResult {
    let distinct =
        |pick: fn(&Fingerprint) -> [u8; 32]| prints.iter().map(pick).collect::<HashSet<_>>().len() == prints.len();
    let ordered = frames.windows(2).all(|pair| pair[0].offset_ms < pair[1].offset_ms);
    let mut reasons = Vec::new();
    if !distinct(|p| p.bytes) || !distinct(|p| p.pixels) {
        reasons.push(GateReason::CaptureDuplicateFrame);
    }
    if !ordered {
        reasons.push(GateReason::CaptureOffsetOrder);
    }
    let status = if reasons.is_empty() { GateStatus::Pass } else { GateStatus::Fail };
    gate(Gate::CaptureIntegrity, status, reasons)
}
