//! Captures of one person: bona fide, or attacked with each instrument.

use crate::people::{Part, Person};
use anyhow::Result;
use biometrics::{CaptureMode, CaptureScript, ScriptInputs, TenantId};
use simulator::{AttackInputs, Capture, Conditions, Portrait, Script, Species, render, render_attack};

/// What a capture shows; `None` is the living person.
pub(crate) type Shown = Option<Species>;

/// The instruments that passive detection can be asked to see.
pub(crate) fn instruments() -> impl Iterator<Item = Species> {
    Species::ALL.into_iter().filter(|species| species.is_presented())
}

pub(crate) const fn name(shown: Shown) -> &'static str {
    match shown {
        None => "bona_fide",
        Some(species) => species.name(),
    }
}

/// Who is attacked and who attacks.
pub(crate) struct Cast<'a> {
    pub(crate) victim: &'a Portrait,
    pub(crate) attacker: Option<&'a Portrait>,
}

/// Renders what is shown, with at most `frames` frames spread over the script's.
pub(crate) fn capture(shown: Shown, cast: &Cast<'_>, seed: u64, frames: usize) -> Result<Capture> {
    let (script, older_script) = (thin(script(seed, 0)?, frames), thin(script(seed, 1)?, frames));
    let conditions = Conditions::typical(seed);
    Ok(match shown {
        None => render(cast.victim, &script, &conditions)?,
        Some(species) => {
            let (script, older_script, conditions) = (&script, &older_script, &conditions);
            let inputs =
                AttackInputs { victim: cast.victim, attacker: cast.attacker, script, older_script, conditions };
            render_attack(species, &inputs)?
        }
    })
}

/// A script like those of production, in the strongest mode.
fn script(seed: u64, k: u8) -> Result<Script> {
    let mut nonce = [k; 16];
    nonce[..8].copy_from_slice(&seed.to_le_bytes());
    let tenant: TenantId = "tn_00000000000000000000000000000001".parse()?;
    let mode = CaptureMode::LightAndMotion;
    let inputs = ScriptInputs { nonce: &nonce, tenant, action_sha256: &[7; 32], mode, attempt: 1 };
    Ok(Script::from(&CaptureScript::derive(&inputs)))
}

fn thin(mut script: Script, frames: usize) -> Script {
    let all = script.frame_times_ms.len();
    if frames > 0 && frames < all {
        let spread = |i: usize| script.frame_times_ms[i * (all - 1) / (frames - 1).max(1)];
        script.frame_times_ms = (0..frames).map(spread).collect();
    }
    script
}

/// A seed for one scene of one person.
pub(crate) fn seed(person: &Person, scene: u64) -> u64 {
    let part = match person.part {
        Part::Train => 1,
        Part::Calibrate => 2,
        Part::Test => 3,
    };
    (person.seed ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(scene.wrapping_mul(0xD1B5_4A32_D192_ED03))
}
