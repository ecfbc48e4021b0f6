//! Captures that no living person made for this script: things held before the camera, streams put in its place, and true
//! captures cut together or taken from elsewhere.
//!
//! Must never know: what a gate looks for. Invariant: every species yields a capture for every seed.

mod digital;
mod display;
mod pasted;
mod print;
mod sheet;
#[cfg(test)]
mod tests;

use crate::{
    backdrop::Painted,
    capture::{Capture, check, encode},
    conditions::{Background, Conditions},
    error::SimulatorError,
    layout::Layout,
    portrait::Portrait,
    script::Script,
    stage::Stage,
    subject::Subject,
};

/// What is attacked with. Presentation attack instruments by ISO/IEC 30107-3, then injected streams, then captures that
/// were true once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Species {
    /// A photograph on paper, held up and turned as the script asks.
    FlatPrint,
    /// The same, bent about the vertical.
    BentPrint,
    /// The same, cut along the head and worn by the attacker (or held alone, without one).
    CutOut,
    /// An older script's recording on a telephone, bezel in view.
    PhoneReplay,
    /// An older script's recording on a monitor, bezel in view.
    MonitorReplay,
    /// An older script's recording on a display that fills the frame.
    ReplayFillingFrame,
    /// Software that turns a photograph's head as the live script asks, on a display that fills the frame.
    PhotoAnimation,
    /// A file in place of the camera; by seed the same bytes, encoded anew, or shifted and made noisy.
    InjectedStill,
    /// Software that turns a photograph's head as the live script asks, in place of the camera.
    InjectedAnimation,
    /// The same, tinted all over with the colour that the script shows.
    TintedAnimation,
    /// A photograph's face pasted over the attacker's, who performs the live script. By seed the face keeps the
    /// photograph's light, or takes on the live face's mean colour.
    PastedFace,
    /// A true capture for an older script, sent with the live script's times.
    WrongNonce,
    /// A true capture for another action's script, sent as it is.
    OtherAction,
    /// The beginning of a true older capture, again and again.
    Looped,
    /// Two true older captures from different places, one after the other.
    Spliced,
    /// A true older capture's frames in the order that comes closest to the live script's colours.
    Reordered,
    /// Frames of two true older captures, for each moment the one whose colour is right.
    Assembled,
    /// The attacker performs the live script, every third frame shows the victim of an older capture.
    TakingTurns,
}

impl Species {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::FlatPrint,
        Self::BentPrint,
        Self::CutOut,
        Self::PhoneReplay,
        Self::MonitorReplay,
        Self::ReplayFillingFrame,
        Self::PhotoAnimation,
        Self::InjectedStill,
        Self::InjectedAnimation,
        Self::TintedAnimation,
        Self::PastedFace,
        Self::WrongNonce,
        Self::OtherAction,
        Self::Looped,
        Self::Spliced,
        Self::Reordered,
        Self::Assembled,
        Self::TakingTurns,
    ];

    /// A name for reports and folders: lower case, words joined by `_`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FlatPrint => "flat_print",
            Self::BentPrint => "bent_print",
            Self::CutOut => "cut_out",
            Self::PhoneReplay => "phone_replay",
            Self::MonitorReplay => "monitor_replay",
            Self::ReplayFillingFrame => "replay_filling_frame",
            Self::PhotoAnimation => "photo_animation",
            Self::InjectedStill => "injected_still",
            Self::InjectedAnimation => "injected_animation",
            Self::TintedAnimation => "tinted_animation",
            Self::PastedFace => "pasted_face",
            Self::WrongNonce => "wrong_nonce",
            Self::OtherAction => "other_action",
            Self::Looped => "looped",
            Self::Spliced => "spliced",
            Self::Reordered => "reordered",
            Self::Assembled => "assembled",
            Self::TakingTurns => "taking_turns",
        }
    }

    /// Whether a real camera takes a picture of an instrument, so that passive detection can be asked to see it.
    #[must_use]
    pub const fn is_presented(self) -> bool {
        matches!(
            self,
            Self::FlatPrint
                | Self::BentPrint
                | Self::CutOut
                | Self::PhoneReplay
                | Self::MonitorReplay
                | Self::ReplayFillingFrame
                | Self::PhotoAnimation
        )
    }
}

/// What an attacker has.
#[derive(Clone, Copy)]
pub struct AttackInputs<'a> {
    /// Whose reference is attacked.
    pub victim: &'a Portrait,
    /// Who sits before the camera where a species wants somebody; the victim's own picture stands in without one.
    pub attacker: Option<&'a Portrait>,
    /// The live script.
    pub script: &'a Script,
    /// The script of what was recorded before.
    pub older_script: &'a Script,
    /// Place, camera and seed of the live capture; recordings are made in others, drawn from the same seed.
    pub conditions: &'a Conditions,
}

/// Renders one attack.
///
/// # Errors
/// [`SimulatorError::Size`] for frames out of range, [`SimulatorError::Encode`] when the encoder refuses.
pub fn render_attack(species: Species, inputs: &AttackInputs<'_>) -> Result<Capture, SimulatorError> {
    check(inputs.conditions)?;
    let shots = match species {
        Species::FlatPrint | Species::BentPrint | Species::CutOut => print::present(species, inputs)?,
        Species::PhoneReplay | Species::MonitorReplay | Species::ReplayFillingFrame | Species::PhotoAnimation => {
            display::present(species, inputs)?
        }
        Species::PastedFace => pasted::present(inputs),
        Species::InjectedStill => return digital::still(inputs),
        Species::InjectedAnimation => digital::animation(inputs)?,
        Species::TintedAnimation => digital::tinted(inputs)?,
        Species::WrongNonce => digital::wrong_nonce(inputs)?,
        Species::OtherAction => digital::other_action(inputs)?,
        Species::Looped => digital::looped(inputs)?,
        Species::Spliced => digital::spliced(inputs)?,
        Species::Reordered => digital::reordered(inputs)?,
        Species::Assembled => digital::assembled(inputs)?,
        Species::TakingTurns => digital::taking_turns(inputs)?,
    };
    encode(&shots, inputs.conditions)
}

impl AttackInputs<'_> {
    /// The place in which an instrument is presented.
    fn stage(&self) -> Stage {
        match (self.conditions.background, self.attacker) {
            (Background::Portrait, Some(portrait)) => {
                let layout = Layout::new(portrait, self.conditions);
                let (_, matte) = Subject::new(portrait, &layout);
                Stage::new(self.script, self.conditions, Some(&Painted { portrait, layout: &layout, matte: &matte }))
            }
            _ => Stage::new(self.script, self.conditions, None),
        }
    }
}
