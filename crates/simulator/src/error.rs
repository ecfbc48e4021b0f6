//! Why nothing could be rendered.

/// Why a portrait is unusable or a capture could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// A portrait needs the 468 points of the face mesh.
    #[error("a portrait needs 468 mesh points, not {found}")]
    Points {
        /// How many were given.
        found: usize,
    },
    /// Coordinates that are not finite, or eyes closer than a few pixels.
    #[error("the mesh of a portrait has no usable geometry")]
    Geometry,
    /// A frame side outside 64 to 2,048 pixels.
    #[error("frames of {width}x{height} pixels are not rendered")]
    Size {
        /// Width asked for.
        width: u32,
        /// Height asked for.
        height: u32,
    },
    /// The encoder refused.
    #[error("a frame could not be encoded")]
    Encode(#[from] image::ImageError),
}
