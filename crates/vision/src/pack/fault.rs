//! Why a pack is refused: always a file and a reason.

use std::path::PathBuf;

/// A pack that is not used. Names the file and the reason.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", file.display())]
pub struct PackError {
    /// The file that is at fault.
    pub file: PathBuf,
    /// What is wrong with it.
    #[source]
    pub fault: PackFault,
}

/// What is wrong with a file of a pack.
#[derive(Debug, thiserror::Error)]
pub enum PackFault {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It is a symbolic link.
    #[error("is a symbolic link")]
    SymbolicLink,
    /// It is a directory, device or pipe.
    #[error("is not a regular file")]
    NotAFile,
    /// It is larger than any file of a pack may be.
    #[error("is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// Its SHA-256 is not the one in the manifest.
    #[error("its SHA-256 is {found}, the manifest says {expected}")]
    Digest {
        /// What the manifest says.
        expected: Digest,
        /// What the bytes give.
        found: Digest,
    },
    /// The manifest does not parse.
    #[error("is not a manifest: {0}")]
    Manifest(#[source] Box<toml::de::Error>),
    /// A value of the manifest cannot be used.
    #[error("`{key}` has a value that cannot be used")]
    Value {
        /// The key.
        key: &'static str,
    },
    /// A file name that is not a plain name.
    #[error("is not a plain file name")]
    Name,
    /// Not an ONNX model.
    #[error("is not an ONNX model")]
    NotOnnx(#[source] prost::DecodeError),
    /// A tensor keeps its data outside the file.
    #[error("keeps data outside the file")]
    ExternalData,
    /// A node's operator is not one of ONNX's own.
    #[error("uses a custom operator")]
    CustomOperator,
    /// The model brings functions or a training graph of its own.
    #[error("brings functions or training information of its own")]
    ForeignGraph,
    /// The graph has no such input or output, or of another shape.
    #[error("its inputs and outputs are not those of the manifest")]
    Signature,
    /// The calibration table does not parse.
    #[error("is not a calibration table")]
    Calibration(#[source] serde_json::Error),
    /// The calibration table belongs to another recogniser or feature space.
    #[error("was made for another recogniser or feature space")]
    CalibrationOfAnother,
    /// The operating point of gate 3 belongs to other detectors or to another way of fusing them.
    #[error("was made for other presentation attack detectors or by another method")]
    OperatingPointOfOthers,
    /// The calibration table's operating points cannot be used.
    #[error("has no usable operating points")]
    OperatingPoints,
}

/// A SHA-256; shown in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Digest of `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
        Self(out)
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
