//! How a command ended, as an exit status.

use std::process::ExitCode;

/// A command that could ask its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, or found good.
    Done,
    /// Looked at and refused; the reason was printed.
    Refused,
    /// A log contradicted what it signed before; both sides were kept.
    Alarm,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Refused => Self::from(1),
            Outcome::Alarm => Self::from(3),
        }
    }
}
