//! Why a worker does not start. Every variant names what an operator has to put right.

use std::{io, net::SocketAddr, path::PathBuf};

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A key file or directory is missing, malformed or readable by others.
    #[error("keys")]
    Keys(#[from] custody::CustodyError),
    /// The model pack is not what its manifest says.
    #[error("model pack {}", path.display())]
    Pack {
        /// Directory of the pack.
        path: PathBuf,
        /// The file in it and the reason.
        source: vision::PackError,
    },
    /// The previous pack made no other references than the pack itself does.
    #[error("previous_pack {}: its feature space is that of `pack`, so there is nothing to succeed", path.display())]
    SameFeatureSpace {
        /// Directory of the previous pack.
        path: PathBuf,
    },
    /// The previous pack's recogniser was calibrated on faces that other landmarks had aligned.
    #[error("previous_pack {}: its landmark model is not that of `pack`, so its thresholds do not hold", path.display())]
    OtherLandmarks {
        /// Directory of the previous pack.
        path: PathBuf,
    },
    /// ONNX Runtime cannot be loaded.
    #[error("ONNX Runtime")]
    Runtime(#[from] vision::RuntimeError),
    /// An engine cannot be made, or failed its known-answer test.
    #[error("engine")]
    Engine(#[from] vision::VisionError),
    /// A certificate, key or authority does not read.
    #[error("TLS")]
    Tls(#[from] service::tls::TlsError),
    /// Metrics or logs cannot be set up.
    #[error("telemetry")]
    Telemetry(#[from] service::telemetry::TelemetryError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address as configured.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A thread cannot be started, or ended while it was starting.
    #[error("engine thread")]
    Thread(#[source] io::Error),
}
