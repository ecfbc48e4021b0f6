//! Rendered captures and attacks, for tests, demo, load and evaluation.
//!
//! Owns the simulation of light, heads, cameras and of the things that attackers hold before a camera. Must never know:
//! gates, packs, models; it shares no code with what it is used to measure. Invariant: equal inputs give equal bytes.
//!
//! **This is simulation.** A capture is rendered from one portrait and the points of its face mesh: light by mesh normals,
//! a head whose back and sides are guessed, a camera model. Skin has no subsurface scattering, hair no strands, nobody
//! blinks, and the attackers' instruments are models of paper and displays. Figures measured on it are engineering figures:
//! they show that a gate reacts to what it claims to react to, and how its error rates move. They say nothing about
//! error rates on people, and are never certification figures (ISO/IEC 30107-3 asks for real presentation attack instruments).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "tests"))]

pub mod attacks;
mod backdrop;
mod camera;
mod capture;
mod conditions;
mod error;
mod layout;
mod light;
mod matte;
mod motion;
mod portrait;
mod raster;
mod script;
mod stage;
mod subject;
#[cfg(test)]
mod tests;
mod texture;
mod vector;

pub use attacks::{AttackInputs, Species, render_attack};
pub use capture::{Capture, Frame, render};
pub use conditions::{Background, Conditions};
pub use error::SimulatorError;
pub use portrait::{MESH_POINTS, Portrait};
pub use script::{Script, Slot, Target};
