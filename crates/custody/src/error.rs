//! Why custody gives no key. Must never know: key bytes. Invariant: paths and codes only, never content.

use crate::KeyUse;
use std::{error::Error, io, path::PathBuf};

/// Why a key was not made, used or destroyed.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// The file system failed; worth another try.
    #[error("cannot access {path}")]
    Unavailable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A token or key service gives nothing now; it recovers by itself.
    #[error("the key service gives nothing: {why}")]
    Outage {
        /// What an operator looks at.
        why: Outage,
        /// What it said.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The random number generator gave nothing; worth another try.
    #[error("no randomness")]
    Randomness,
    /// The key never existed.
    #[error("no such key")]
    NoSuchKey,
    /// No version of a signing key that could sign is at the provider.
    #[error("there is no {used} key at the {provider} provider: `countersign keys` makes it")]
    NoSigningKey {
        /// What it would sign.
        used: KeyUse,
        /// The kind of provider.
        provider: &'static str,
    },
    /// A file is not where it should be.
    #[error("there is no {path}")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The key was destroyed, or its version signs no longer.
    #[error("the key is destroyed")]
    Destroyed,
    /// What was wrapped does not belong to this key and associated data, or was changed.
    #[error("the wrapped key does not authenticate")]
    NotAuthentic,
    /// What was wrapped was wrapped by another kind of provider than the configured one.
    #[error("another key provider wrapped this key")]
    WrappedElsewhere,
    /// The KEK version has wrapped as often as it may; a rotation is overdue.
    #[error("the KEK version is worn out: rotate it")]
    WornOut,
    /// The version signs now, or is the newest: a newer one has to sign before this one goes.
    #[error("the version is still needed")]
    StillNeeded,
    /// Others may read or write the file or directory, or it is not ours: only mode 0600 (directory 0700) is taken.
    #[error(
        "{path} must be a plain file of mode 0600, or a directory of mode 0700, of the same owner as its directory"
    )]
    Permissions {
        /// The file or directory.
        path: PathBuf,
    },
    /// Something stands where a key would be made; keys are never overwritten.
    #[error("{path} exists")]
    Exists {
        /// The file or directory.
        path: PathBuf,
    },
    /// The file is not what it should be.
    #[error("{path} does not hold what is expected there")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// A tenant name that cannot name a key: 1 to 64 characters of `[A-Za-z0-9_-]` can.
    #[error("not a tenant name")]
    TenantName,
    /// A setting of the provider is of no use.
    #[error("the setting {field} of [kms] is of no use")]
    Setting {
        /// The field.
        field: &'static str,
    },
}

/// Why a token or key service gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Outage {
    /// No answer within the deadline.
    #[error("no answer within its deadline")]
    Late,
    /// No connection, or one that broke.
    #[error("it cannot be reached")]
    Unreachable,
    /// The PKCS#11 module does not start, or no token carries the label.
    #[error("no token of this label is there")]
    NoToken,
    /// The PIN or login was refused. It is not tried again until its file changes.
    #[error("it refused the PIN or login, which is not tried again until its file changes")]
    CredentialRefused,
    /// A file with a PIN or credential does not read.
    #[error("a file with its credential does not read")]
    CredentialFile,
    /// The token or service answered with an error of its own.
    #[error("it failed")]
    Failed,
    /// The service is sealed, in standby or in maintenance.
    #[error("it is sealed or in standby")]
    Sealed,
    /// The credential is not accepted, or not for this.
    #[error("it denies access")]
    Denied,
    /// Too many calls.
    #[error("it limits the rate of calls")]
    Throttled,
    /// An answer that is not of the published form.
    #[error("its answer does not read")]
    Answer,
    /// A signature that does not verify under the published key; it is not given out.
    #[error("its signature does not verify")]
    Signature,
    /// It failed a moment ago; it is not asked again so soon.
    #[error("it failed a moment ago and is asked again soon")]
    Resting,
}

impl CustodyError {
    /// An outage with what the other side said.
    pub(crate) fn outage(why: Outage, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Outage { why, source: Some(Box::new(source)) }
    }

    /// Whether the same call can succeed later without an operator changing the configuration.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Outage { .. })
    }
}

impl From<Outage> for CustodyError {
    fn from(why: Outage) -> Self {
        Self::Outage { why, source: None }
    }
}
