//! What a challenge is for and what its capture performs.

use serde::{Deserialize, Serialize};

/// What a challenge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    /// The capture becomes a reference.
    Enroll,
    /// The capture is compared with the reference.
    Verify,
}

/// What the capture performs, from nothing to light and motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CaptureMode {
    /// Nothing is performed; binds nothing, and the receipt says so.
    Passive,
    /// Head targets.
    Motion,
    /// Light colours shown by the screen.
    Light,
    /// Both.
    LightAndMotion,
}

impl CaptureMode {
    /// Probability that a capture made without knowing the script answers it. `Passive` binds nothing: 1.
    /// The other modes get their bound with the challenge (their issue); until then they claim nothing either.
    #[must_use]
    pub const fn blind_guess_bound(self) -> f64 {
        1.0
    }
}
