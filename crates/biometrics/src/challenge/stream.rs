//! Unbiased choices out of a keyed stream.
//!
//! Invariant: every choice is exactly uniform as far as HMAC-SHA256 is a pseudo-random function.

use super::ScriptInputs;
use crate::CaptureMode;
use ring::hmac;
use std::collections::VecDeque;

const LABEL: &[u8] = b"countersign/script/v1";

/// The stream of one script.
pub(super) struct Stream {
    key: hmac::Key,
    counter: u32,
    bytes: VecDeque<u8>,
}

impl Stream {
    pub(super) fn of(inputs: &ScriptInputs<'_>) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, seed(inputs).as_ref()), counter: 0, bytes: VecDeque::new() }
    }

    /// One of the options that is not `excluded`.
    pub(super) fn choose_other<T: Copy + PartialEq>(&mut self, options: &[T], excluded: Option<T>) -> T {
        let left: Vec<T> = options.iter().copied().filter(|option| Some(*option) != excluded).collect();
        left[self.below(left.len())]
    }

    /// A number below `n`, 1 to 256.
    fn below(&mut self, n: usize) -> usize {
        let limit = 256 - 256 % n;
        loop {
            let byte = usize::from(self.next());
            if byte < limit {
                return byte % n;
            }
        }
    }

    fn next(&mut self) -> u8 {
        loop {
            if let Some(byte) = self.bytes.pop_front() {
                return byte;
            }
            self.bytes.extend(hmac::sign(&self.key, &self.counter.to_be_bytes()).as_ref());
            self.counter += 1;
        }
    }
}

/// The seed, bound to every input.
pub(super) fn seed(inputs: &ScriptInputs<'_>) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, inputs.nonce));
    let tenant = inputs.tenant.to_string();
    let attempt = inputs.attempt.to_be_bytes();
    for part in [LABEL, tenant.as_bytes(), inputs.action_sha256, mode_text(inputs.mode), &attempt] {
        context.update(&(part.len() as u32).to_be_bytes());
        context.update(part);
    }
    context.sign()
}

const fn mode_text(mode: CaptureMode) -> &'static [u8] {
    match mode {
        CaptureMode::Passive => b"PASSIVE",
        CaptureMode::Motion => b"MOTION",
        CaptureMode::Light => b"LIGHT",
        CaptureMode::LightAndMotion => b"LIGHT_AND_MOTION",
    }
}
