//! A job's kinds, states and steps as they lie in columns. Invariant: a text that is none of the words is a corrupt row.

use super::{JobKind, JobState, Step};
use crate::StoreError;

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ }) => {
        impl $name {
            /// As it lies in the column and as operators read it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            pub(super) fn read(word: &str) -> Result<Self, StoreError> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(StoreError::Corrupt("jobs")),
                }
            }
        }
    };
}

words!(JobKind {
    RotateKek = "ROTATE_KEK",
    DeleteReferences = "DELETE_REFERENCES",
    ExpireReferences = "EXPIRE_REFERENCES",
    TerminateTenant = "TERMINATE_TENANT",
    RenewReferences = "RENEW_REFERENCES"
});
words!(JobState { Queued = "QUEUED", Running = "RUNNING", Done = "DONE", Failed = "FAILED", Cancelled = "CANCELLED" });
words!(Step {
    MakeKey = "MAKE_KEY",
    Rewrap = "REWRAP",
    Drain = "DRAIN",
    Destroy = "DESTROY",
    Erase = "ERASE",
    Prove = "PROVE",
    Renew = "RENEW"
});

impl JobKind {
    /// Where such a job begins.
    pub(super) const fn first_step(self) -> Step {
        match self {
            Self::RotateKek | Self::RenewReferences => Step::MakeKey,
            Self::DeleteReferences | Self::ExpireReferences | Self::TerminateTenant => Step::Erase,
        }
    }

    /// Whether a tenant has one such job at a time.
    pub(super) const fn runs_alone(self) -> bool {
        matches!(self, Self::RotateKek | Self::TerminateTenant | Self::RenewReferences)
    }
}

impl JobState {
    /// Whether it has not ended.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}
