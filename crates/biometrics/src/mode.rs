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
