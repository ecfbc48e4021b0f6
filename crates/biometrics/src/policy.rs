//! What a tenant's verifications require.
//!
//! Must never know: where a policy is kept. Invariant: a policy that passed [`Policy::check`] for production requires every
//! gate and a capture that performs something; less exists only under a test issuer.

use crate::{gate::Gate, mode::CaptureMode};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Gates that every production policy requires: all five, in order.
pub const PRODUCTION_GATES: [Gate; 5] = Gate::ALL;
/// Smallest inter-eye distance that a policy may allow, in pixels (CONTRACT "Frames").
pub const MIN_INTER_EYE_FLOOR_PX: u32 = 30;
/// Largest one that still makes sense in a frame of at most 2048 pixels.
const MIN_INTER_EYE_CEILING_PX: u32 = 512;
const FMR: RangeInclusive<f64> = 1e-9..=1e-2;
const PRODUCTION_FMR_CEILING: f64 = 1e-3;
const ATTEMPTS: RangeInclusive<u32> = 1..=10;
const RECEIPT_TTL_SECONDS: RangeInclusive<u32> = 1..=600;
/// Longest memory of frames, in seconds: a day (CONTRACT "Data windows").
const MAX_FRAME_MEMORY_SECONDS: u32 = 86_400;
/// Three years without an interaction end a reference where BIPA holds: the shortest three years there are.
const BIPA_DAYS: u32 = 1_095;
/// Longest window of a reference, in days: seven years (CONTRACT "Data windows").
const MAX_REFERENCE_DAYS: u32 = 2_557;

/// How long audit entries are kept, in days: one to ten years (CONTRACT "Data windows").
const AUDIT_DAYS: RangeInclusive<u32> = 365..=3_653;

/// Requirements on one tenant's verifications.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Name and version that receipts carry: 1 to 64 characters of `[A-Za-z0-9._-]`.
    pub version: String,
    /// Gates that must PASS, in their order, none twice; always with COMPARISON.
    pub required_gates: Vec<Gate>,
    /// False match rate that decides the comparison threshold: at most 1e-2, in production at most 1e-3.
    pub fmr: f64,
    /// Attempts one challenge allows: 1 to 10.
    #[serde(default = "defaults::max_attempts")]
    pub max_attempts: u32,
    /// Smallest inter-eye distance of a frame in pixels: 30 to 512.
    #[serde(default = "defaults::min_inter_eye_px")]
    pub min_inter_eye_px: u32,
    /// How long a receipt may be used, in seconds: 1 to 600.
    #[serde(default = "defaults::receipt_ttl_seconds")]
    pub receipt_ttl_seconds: u32,
    /// Mode of challenges that name none; one that [`Policy::allows`].
    #[serde(default = "defaults::mode")]
    pub default_mode: CaptureMode,
    /// Modes that a challenge may ask for besides, each at most once. LIGHT alone is weaker against injected frames than the
    /// two with motion (docs/GATES.md), so that it is taken only where a policy names it.
    #[serde(default = "defaults::modes")]
    pub modes: Vec<CaptureMode>,
    /// Whether PNG frames are taken beside JPEG; refused until a release decodes them.
    #[serde(default)]
    pub allow_png: bool,
    /// How long a frame is remembered, by a keyed hash of its bytes, so that no other capture shows it again, in seconds:
    /// 0 (not at all) to 86,400.
    #[serde(default = "defaults::frame_memory_seconds")]
    pub frame_memory_seconds: u32,
    /// How long after the user's last interaction a reference is kept, in days: 1 to 2,557, or 0 for until it is deleted.
    #[serde(default)]
    pub reference_days: u32,
    /// Whether a reference also ends three years after the user's last interaction (740 ILCS 14/15(a)).
    #[serde(default = "defaults::bipa")]
    pub bipa: bool,
    /// How long audit entries are kept, in days: 365 to 3,653.
    #[serde(default = "defaults::audit_days")]
    pub audit_days: u32,
    /// Whether old KEK versions are kept after a rotation: an exception that the tenant's law demands, named in every deletion
    /// proof while it lasts.
    #[serde(default)]
    pub keep_old_keys: bool,
}

mod defaults {
    use crate::mode::CaptureMode;
    pub(super) const fn max_attempts() -> u32 {
        3
    }
    pub(super) const fn min_inter_eye_px() -> u32 {
        60
    }
    pub(super) const fn receipt_ttl_seconds() -> u32 {
        120
    }
    pub(super) const fn mode() -> CaptureMode {
        CaptureMode::LightAndMotion
    }
    pub(super) fn modes() -> Vec<CaptureMode> {
        vec![CaptureMode::Motion, CaptureMode::LightAndMotion]
    }
    pub(super) const fn frame_memory_seconds() -> u32 {
        super::MAX_FRAME_MEMORY_SECONDS
    }
    pub(super) const fn bipa() -> bool {
        true
    }
    pub(super) const fn audit_days() -> u32 {
        2_557
    }
}

/// Why a policy is refused, naming the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// `version` is empty, too long or has other characters.
    #[error("version must be 1 to 64 characters of A-Z a-z 0-9 . _ -")]
    Version,
    /// A gate is listed twice or out of order.
    #[error("required_gates must be in gate order, each at most once")]
    GateOrder,
    /// A gate that must be required is not.
    #[error("required_gates lacks {0:?}")]
    GateMissing(Gate),
    /// `fmr` is not a number in its range.
    #[error("fmr must be 1e-9 to 1e-2, in production at most 1e-3")]
    Fmr,
    /// `max_attempts` is out of range.
    #[error("max_attempts must be 1 to 10")]
    MaxAttempts,
    /// `min_inter_eye_px` is out of range.
    #[error("min_inter_eye_px must be 30 to 512")]
    MinInterEye,
    /// `receipt_ttl_seconds` is out of range.
    #[error("receipt_ttl_seconds must be 1 to 600")]
    ReceiptTtl,
    /// `default_mode` performs nothing, but an answer to the challenge is required.
    #[error("default_mode cannot be PASSIVE where CHALLENGE_RESPONSE is required")]
    Mode,
    /// A mode is listed twice, or performs nothing where an answer to the challenge is required.
    #[error("modes must name each mode at most once, and not PASSIVE where CHALLENGE_RESPONSE is required")]
    Modes,
    /// PNG is asked for, which this release does not decode.
    #[error("allow_png must be false: this release decodes JPEG alone")]
    Png,
    /// `frame_memory_seconds` is out of range.
    #[error("frame_memory_seconds must be 0 to 86400")]
    FrameMemory,
    /// `reference_days` is out of range.
    #[error("reference_days must be 0 to 2557")]
    ReferenceDays,
    /// `audit_days` is out of range.
    #[error("audit_days must be 365 to 3653")]
    AuditDays,
}

impl PolicyError {
    /// The field at fault.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::GateOrder | Self::GateMissing(_) => "required_gates",
            Self::Fmr => "fmr",
            Self::MaxAttempts => "max_attempts",
            Self::MinInterEye => "min_inter_eye_px",
            Self::ReceiptTtl => "receipt_ttl_seconds",
            Self::Mode => "default_mode",
            Self::Modes => "modes",
            Self::Png => "allow_png",
            Self::FrameMemory => "frame_memory_seconds",
            Self::ReferenceDays => "reference_days",
            Self::AuditDays => "audit_days",
        }
    }
}

impl Policy {
    /// A production policy: every gate, a false match rate of 1e-4, all defaults.
    #[must_use]
    pub fn production() -> Self {
        Self {
            version: "production-1".to_owned(),
            required_gates: PRODUCTION_GATES.to_vec(),
            fmr: 1e-4,
            max_attempts: defaults::max_attempts(),
            min_inter_eye_px: defaults::min_inter_eye_px(),
            receipt_ttl_seconds: defaults::receipt_ttl_seconds(),
            default_mode: defaults::mode(),
            modes: defaults::modes(),
            allow_png: false,
            frame_memory_seconds: defaults::frame_memory_seconds(),
            reference_days: 0,
            bipa: defaults::bipa(),
            audit_days: defaults::audit_days(),
            keep_old_keys: false,
        }
    }

    /// A policy for a test issuer that goes without gates 3 and 4: a capture performs nothing and no frame is remembered, for
    /// trying out an integration with pictures at hand.
    #[must_use]
    pub fn testing() -> Self {
        Self {
            version: "testing-1".to_owned(),
            required_gates: vec![Gate::CaptureIntegrity, Gate::Quality, Gate::Comparison],
            fmr: 1e-3,
            default_mode: CaptureMode::Passive,
            modes: vec![CaptureMode::Motion, CaptureMode::Light, CaptureMode::LightAndMotion],
            frame_memory_seconds: 0,
            ..Self::production()
        }
    }

    /// How long after the user's last interaction a reference is kept, in days; `None` until it is deleted.
    #[must_use]
    pub const fn retention_days(&self) -> Option<u32> {
        match (self.reference_days, self.bipa) {
            (0, false) => None,
            (0, true) => Some(BIPA_DAYS),
            (days, true) if days > BIPA_DAYS => Some(BIPA_DAYS),
            (days, _) => Some(days),
        }
    }

    /// Whether a challenge may ask for this mode.
    #[must_use]
    pub fn allows(&self, mode: CaptureMode) -> bool {
        (mode == self.default_mode || self.modes.contains(&mode)) && self.can_judge(mode)
    }

    /// A mode that performs nothing leaves gate 4 nothing to judge.
    fn can_judge(&self, mode: CaptureMode) -> bool {
        mode != CaptureMode::Passive || !self.required_gates.contains(&Gate::ChallengeResponse)
    }

    /// Checks every field; `test` says whether the tenant's receipts come from a test issuer.
    ///
    /// # Errors
    /// The first field at fault.
    pub fn check(&self, test: bool) -> Result<(), PolicyError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if self.version.is_empty() || self.version.len() > 64 || !self.version.bytes().all(allowed) {
            return Err(PolicyError::Version);
        }
        if !self.required_gates.is_sorted_by(|a, b| a < b) {
            return Err(PolicyError::GateOrder);
        }
        let floor: &[Gate] = if test { &[Gate::Comparison] } else { &PRODUCTION_GATES };
        if let Some(missing) = floor.iter().find(|gate| !self.required_gates.contains(gate)) {
            return Err(PolicyError::GateMissing(*missing));
        }
        if !FMR.contains(&self.fmr) || (!test && self.fmr > PRODUCTION_FMR_CEILING) {
            return Err(PolicyError::Fmr);
        }
        if !ATTEMPTS.contains(&self.max_attempts) {
            return Err(PolicyError::MaxAttempts);
        }
        if !(MIN_INTER_EYE_FLOOR_PX..=MIN_INTER_EYE_CEILING_PX).contains(&self.min_inter_eye_px) {
            return Err(PolicyError::MinInterEye);
        }
        if !RECEIPT_TTL_SECONDS.contains(&self.receipt_ttl_seconds) {
            return Err(PolicyError::ReceiptTtl);
        }
        if !self.can_judge(self.default_mode) {
            return Err(PolicyError::Mode);
        }
        let named_before = |at: usize| self.modes.iter().take(at).any(|mode| Some(mode) == self.modes.get(at));
        if self.modes.iter().enumerate().any(|(at, mode)| named_before(at) || !self.can_judge(*mode)) {
            return Err(PolicyError::Modes);
        }
        if self.allow_png {
            return Err(PolicyError::Png);
        }
        if self.frame_memory_seconds > MAX_FRAME_MEMORY_SECONDS {
            return Err(PolicyError::FrameMemory);
        }
        if self.reference_days > MAX_REFERENCE_DAYS {
            return Err(PolicyError::ReferenceDays);
        }
        if !AUDIT_DAYS.contains(&self.audit_days) {
            return Err(PolicyError::AuditDays);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_never_goes_without_a_gate() {
        assert_eq!(Policy::production().check(false), Ok(()));
        for left_out in Gate::ALL {
            let mut policy = Policy::production();
            policy.required_gates.retain(|gate| *gate != left_out);
            assert_eq!(policy.check(false), Err(PolicyError::GateMissing(left_out)));
        }
        assert_eq!(Policy::testing().check(true), Ok(()));
        assert!(Policy::testing().check(false).is_err());
    }

    #[test]
    fn a_test_policy_still_compares() {
        let policy = Policy { required_gates: vec![Gate::Quality], ..Policy::testing() };
        assert_eq!(policy.check(true), Err(PolicyError::GateMissing(Gate::Comparison)));
    }

    #[test]
    fn every_field_out_of_range_is_named() {
        let base = Policy::production;
        let bad = [
            (Policy { version: String::new(), ..base() }, "version"),
            (Policy { version: "a b".into(), ..base() }, "version"),
            (Policy { required_gates: [Gate::ALL, Gate::ALL].concat(), ..base() }, "required_gates"),
            (Policy { fmr: f64::NAN, ..base() }, "fmr"),
            (Policy { fmr: 0.0, ..base() }, "fmr"),
            (Policy { fmr: 2e-3, ..base() }, "fmr"),
            (Policy { max_attempts: 0, ..base() }, "max_attempts"),
            (Policy { min_inter_eye_px: 29, ..base() }, "min_inter_eye_px"),
            (Policy { receipt_ttl_seconds: 601, ..base() }, "receipt_ttl_seconds"),
            (Policy { default_mode: CaptureMode::Passive, ..base() }, "default_mode"),
            (Policy { modes: vec![CaptureMode::Motion, CaptureMode::Motion], ..base() }, "modes"),
            (Policy { modes: vec![CaptureMode::Passive], ..base() }, "modes"),
            (Policy { allow_png: true, ..base() }, "allow_png"),
            (Policy { frame_memory_seconds: 86_401, ..base() }, "frame_memory_seconds"),
            (Policy { reference_days: 2_558, ..base() }, "reference_days"),
            (Policy { audit_days: 364, ..base() }, "audit_days"),
            (Policy { audit_days: 3_654, ..base() }, "audit_days"),
        ];
        for (policy, field) in bad {
            let refused = policy.check(false).unwrap_err();
            assert_eq!(refused.field(), field);
            assert!(refused.to_string().starts_with(field), "{refused}");
        }
    }

    #[test]
    fn light_alone_is_asked_for_only_where_a_policy_names_it() {
        let production = Policy::production();
        assert!(production.allows(CaptureMode::Motion) && production.allows(CaptureMode::LightAndMotion));
        assert!(!production.allows(CaptureMode::Light) && !production.allows(CaptureMode::Passive));
        for named in [
            Policy { modes: vec![CaptureMode::Light], ..Policy::production() },
            Policy { default_mode: CaptureMode::Light, ..Policy::production() },
        ] {
            assert!(named.check(false).is_ok() && named.allows(CaptureMode::Light));
        }
    }

    #[test]
    fn production_remembers_frames_for_a_day_unless_it_says_otherwise() {
        assert_eq!(Policy::production().frame_memory_seconds, 86_400);
        assert_eq!(Policy::testing().frame_memory_seconds, 0, "pictures at hand are sent again and again");
        assert_eq!(Policy { frame_memory_seconds: 0, ..Policy::production() }.check(false), Ok(()));
    }

    #[test]
    fn a_reference_is_kept_for_its_window_or_three_years_under_bipa_whichever_is_shorter() {
        let kept = |reference_days, bipa| Policy { reference_days, bipa, ..Policy::production() }.retention_days();
        assert_eq!(Policy::production().retention_days(), Some(1_095), "on by default");
        assert_eq!((kept(30, true), kept(2_000, true)), (Some(30), Some(1_095)));
        assert_eq!((kept(2_000, false), kept(0, false)), (Some(2_000), None));
    }

    #[test]
    fn unknown_fields_are_refused_and_defaults_filled_in() {
        let text = r#"{"version":"v1","required_gates":["COMPARISON"],"fmr":0.001}"#;
        let policy: Policy = serde_json::from_str(text).unwrap();
        assert_eq!((policy.max_attempts, policy.min_inter_eye_px, policy.receipt_ttl_seconds), (3, 60, 120));
        assert_eq!(policy.frame_memory_seconds, 86_400, "a policy stored by an older release");
        assert!(policy.allows(CaptureMode::Motion) && !policy.allows(CaptureMode::Light));
        assert!(serde_json::from_str::<Policy>(&text.replace("\"fmr\"", "\"far\":1,\"fmr\"")).is_err());
    }
}
