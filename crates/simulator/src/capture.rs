//! A capture as a device would send it, and how a bona fide one is rendered.

use crate::{
    camera::Camera, conditions::Conditions, error::SimulatorError, portrait::Portrait, raster::Canvas, script::Script,
    stage::Live,
};
use image::{RgbImage, codecs::jpeg::JpegEncoder};

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// A JPEG file.
    pub jpeg: Vec<u8>,
    /// Capture time after the first frame, in milliseconds.
    pub offset_ms: u32,
}

/// The frames of one capture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capture {
    /// In the order in which the device sends them.
    pub frames: Vec<Frame>,
}

/// Renders the bona fide capture of a person who performs the script.
///
/// # Errors
/// [`SimulatorError::Size`] for frames out of range, [`SimulatorError::Encode`] when the encoder refuses.
pub fn render(portrait: &Portrait, script: &Script, conditions: &Conditions) -> Result<Capture, SimulatorError> {
    encode(&film(portrait, [script, script], conditions)?, conditions)
}

/// A picture with its time.
pub(crate) struct Shot {
    pub(crate) picture: RgbImage,
    pub(crate) ms: f32,
}

/// Pictures of a person who performs the first script before a screen that shows the second.
pub(crate) fn film(
    portrait: &Portrait,
    [performed, shown]: [&Script; 2],
    conditions: &Conditions,
) -> Result<Vec<Shot>, SimulatorError> {
    check(conditions)?;
    let live = Live::new(portrait, performed, shown, conditions);
    Ok(shoot(performed, conditions, |canvas, _, ms| live.paint(canvas, ms)))
}

/// Takes the pictures that a script asks for of whatever is painted; the painter gets the frame's number and time.
pub(crate) fn shoot(
    script: &Script,
    conditions: &Conditions,
    mut paint: impl FnMut(&mut Canvas, usize, f32),
) -> Vec<Shot> {
    let mut camera = Camera::new(conditions);
    let mut canvas = Canvas::new(conditions.width as usize, conditions.height as usize);
    let times = camera.times(script);
    let shot = |(i, ms): (usize, f32)| {
        paint(&mut canvas, i, ms);
        Shot { picture: camera.expose(&mut canvas, ms), ms }
    };
    times.into_iter().enumerate().map(shot).collect()
}

/// Refuses frame sizes out of range.
pub(crate) fn check(conditions: &Conditions) -> Result<(), SimulatorError> {
    let (width, height) = (conditions.width, conditions.height);
    let range = 64..=2048;
    if range.contains(&width) && range.contains(&height) { Ok(()) } else { Err(SimulatorError::Size { width, height }) }
}

/// Writes the files of a capture.
pub(crate) fn encode(shots: &[Shot], conditions: &Conditions) -> Result<Capture, SimulatorError> {
    let frame = |shot: &Shot| {
        Ok(Frame { jpeg: jpeg(&shot.picture, conditions.jpeg_quality)?, offset_ms: shot.ms.round() as u32 })
    };
    Ok(Capture { frames: shots.iter().map(frame).collect::<Result<_, SimulatorError>>()? })
}

/// Encodes one picture.
pub(crate) fn jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, SimulatorError> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100)).encode_image(picture)?;
    Ok(bytes)
}
