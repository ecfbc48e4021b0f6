//! Why custody gives no key. Must never know: key bytes. Invariant: paths and codes only, never content.

use std::{io, path::PathBuf};

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
    /// The random number generator gave nothing; worth another try.
    #[error("no randomness")]
    Randomness,
    /// The key never existed.
    #[error("no such key")]
    NoSuchKey,
    /// A key file is not where it should be.
    #[error("there is no {path}")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The key was destroyed.
    #[error("the key is destroyed")]
    Destroyed,
    /// What was wrapped does not belong to this key and associated data, or was changed.
    #[error("the wrapped key does not authenticate")]
    NotAuthentic,
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
    /// The file is not the key it should be.
    #[error("{path} does not hold the expected key")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// A tenant name that cannot be a directory: 1 to 64 characters of `[A-Za-z0-9_-]` are.
    #[error("not a tenant name")]
    TenantName,
}
