//! What can go wrong between pixels and evidence. A poor capture is an outcome ([`crate::Evidence`]), not an error.

/// Why a frame's bytes were refused before or while decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// More than [`crate::MAX_FRAME_BYTES`].
    #[error("too many bytes")]
    TooLarge,
    /// Does not begin as a JPEG file.
    #[error("not a JPEG file")]
    NotJpeg,
    /// The marker structure is broken.
    #[error("broken marker structure")]
    Structure,
    /// A coding this decoder refuses on purpose: arithmetic, lossless, hierarchical, 12 bits, four components.
    #[error("unsupported coding")]
    Unsupported,
    /// A side is zero or above [`crate::MAX_SIDE_PX`].
    #[error("{width}x{height} pixels are outside the limits")]
    Dimensions {
        /// Width that the header claims.
        width: u16,
        /// Height that the header claims.
        height: u16,
    },
    /// More scans than a camera or browser writes.
    #[error("too many scans")]
    Scans,
    /// The end marker is missing: the file was cut.
    #[error("cut off before the end marker")]
    Truncated,
    /// Bytes follow the end marker.
    #[error("data after the end marker")]
    TrailingData,
    /// The entropy-coded data does not decode to a whole picture.
    #[error("damaged picture data")]
    Damaged,
}

/// The engine could not judge at all.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    /// There is nothing to examine.
    #[error("no frames")]
    NoFrames,
    /// A frame was refused; the request is malformed.
    #[error("frame {index}: {fault}")]
    BadFrame {
        /// Position in the request.
        index: usize,
        /// What is wrong with it.
        fault: FrameFault,
    },
    /// ONNX Runtime failed on a model of the pack.
    #[error("the {model} model failed to {step}")]
    Model {
        /// Role of the model.
        model: &'static str,
        /// What it was asked to do.
        step: &'static str,
        /// The runtime's own words.
        #[source]
        source: ort::Error,
    },
    /// A model's input or output is not shaped as the manifest says.
    #[error("the {model} model is not shaped as its manifest says")]
    Shape {
        /// Role of the model.
        model: &'static str,
    },
    /// A model answered with numbers that are not finite.
    #[error("the {model} model answered with numbers that are not finite")]
    NotFinite {
        /// Role of the model.
        model: &'static str,
    },
    /// The known-answer test failed: this machine does not compute what the pack promises.
    #[error("self-test: component {component} is off by {error}, at most {tolerance} is allowed")]
    SelfTest {
        /// Which output component differs most.
        component: usize,
        /// By how much.
        error: f32,
        /// How much the manifest allows.
        tolerance: f32,
    },
}
