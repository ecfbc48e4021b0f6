//! Frames end with the message that carries them to a worker, on every path: answered, refused, cancelled, sent again.
//!
//! Must never know: what is done with them. Invariant: what such a message still holds of a frame when it is dropped is
//! overwritten. The transport's own buffers are not ours to reach; what remains in them is measured (TARGETS R8).

use crate::v1;
use zeroize::Zeroize as _;

/// Overwrites every frame; the list holds empty frames afterwards.
pub fn frames(frames: &mut [v1::Frame]) {
    for frame in frames {
        frame.image.zeroize();
    }
}

impl Drop for v1::InferenceServiceEnrollRequest {
    fn drop(&mut self) {
        frames(&mut self.frames);
    }
}

impl Drop for v1::InferenceServiceVerifyRequest {
    fn drop(&mut self) {
        frames(&mut self.frames);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_wiped_frame() {
        let mut held = vec![v1::Frame { image: vec![9; 64], ..Default::default() }; 3];
        assert!(held.iter().all(|frame| frame.image.len() == 64), "positive control");
        frames(&mut held);
        assert!(held.iter().all(|frame| frame.image.is_empty()));
    }
}
