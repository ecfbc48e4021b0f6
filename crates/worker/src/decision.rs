//! What the worker signs: the claims of a receipt or a refusal, from an attempt and what was found.
//!
//! Must never know: features, scores, keys but the issuer's. Invariant: a claim that rests on the gateway's word alone is
//! named in `asserted`; a refusal for a device lists no gate and no reference, which would say how far the gates came,
//! and not the nonce, from which the scripts of the attempts to come are derived.

use crate::{attempt::Attempt, gates::Judged, keys::Issuer};
use biometrics::{Purpose, Verdict, blind_guess_bound};
use receipt::{
    ActClaim, ConsentClaim, FmrClaim, ModeClaim, ReceiptClaims, RefClaim, StatusClaim, StatusListClaim, Typ, amr,
    base64url, withheld_nonce,
};
use std::collections::BTreeMap;
use wire::{Reason, convert, v1};

/// Everything that a decision is about.
pub(crate) struct Found<'a> {
    /// The attempt.
    pub(crate) attempt: &'a Attempt,
    /// What the challenge was for.
    pub(crate) purpose: Purpose,
    /// The gates and the verdict.
    pub(crate) judged: Judged,
    /// The reference that was made or opened.
    pub(crate) reference: Option<RefClaim>,
    /// Instruction codes for the capture subject.
    pub(crate) instructions: Vec<&'static str>,
    /// The user's pseudonym.
    pub(crate) pseudonym: String,
}

/// What of a pack a receipt names.
pub(crate) struct Models {
    /// Which calibration table the threshold came from.
    pub(crate) calibration: String,
    /// SHA-256 of each model by role, hexadecimal.
    pub(crate) digests: BTreeMap<String, String>,
}

/// Signs the decision at `now_ms`.
///
/// # Errors
/// `INTERNAL` where the claims do not fit a token, `UNAVAILABLE_KMS`.
pub(crate) fn sign(issuer: &Issuer, models: &Models, found: Found<'_>, now_ms: i64) -> Result<v1::Decision, Reason> {
    let claims = claims(issuer, models, &found, now_ms.div_euclid(1000));
    let typ = match found.purpose {
        Purpose::Enroll => Typ::EnrollmentReceipt,
        Purpose::Verify => Typ::Receipt,
    };
    let token = issuer.encode(typ, &claims)?;
    Ok(v1::Decision {
        verdict: convert::verdict_to_wire(found.judged.verdict).into(),
        receipt: token,
        gates: found.judged.gates.iter().map(convert::gate_result_to_wire).collect(),
        instructions: found.instructions.into_iter().map(str::to_owned).collect(),
        pseudonym: found.pseudonym,
        issued_at: Some(convert::timestamp(claims.iat * 1000)),
        expires_at: Some(convert::timestamp(claims.exp * 1000)),
    })
}

fn claims(issuer: &Issuer, models: &Models, found: &Found<'_>, now_s: i64) -> ReceiptClaims {
    let attempt = found.attempt;
    let verdict = found.judged.verdict;
    let withheld = attempt.for_device && verdict == Verdict::Refuse;
    ReceiptClaims {
        iss: issuer.name.clone(),
        aud: attempt.tenant.to_string(),
        sub: found.pseudonym.clone(),
        iat: now_s,
        nbf: now_s,
        exp: now_s + i64::from(attempt.policy.receipt_ttl_seconds),
        jti: attempt.jti,
        txn: attempt.challenge,
        nonce: if withheld { withheld_nonce(&attempt.nonce) } else { base64url(&attempt.nonce) },
        purpose: found.purpose,
        attempt: attempt.number,
        max_attempts: attempt.max_attempts,
        mode: ModeClaim { name: attempt.mode, blind_guess: blind_guess_bound(attempt.mode, attempt.max_attempts) },
        act: ActClaim { sha256: base64url(&attempt.action_sha256), ..ActClaim::from(&attempt.action) },
        dsp: attempt.display_sha256.map(|hash| base64url(&hash)),
        vrd: verdict,
        gates: (!withheld).then(|| found.judged.gates.clone()),
        fmr: FmrClaim { claimed: attempt.policy.fmr, calibration: models.calibration.clone() },
        model: models.digests.clone(),
        pol: attempt.policy.version.clone(),
        reference: found.reference.clone().filter(|_| !withheld),
        amr: vec![amr::FACE.to_owned()],
        consent: consent(attempt),
        status: status(attempt),
        asserted: asserted(attempt, withheld),
    }
}

fn consent(attempt: &Attempt) -> Option<ConsentClaim> {
    attempt.consent.as_ref().map(|given| ConsentClaim {
        text_sha256: base64url(&given.text_sha256),
        locale: given.locale.clone(),
        version: given.version.clone(),
    })
}

fn status(attempt: &Attempt) -> Option<StatusClaim> {
    let (uri, idx) = attempt.status.clone()?;
    Some(StatusClaim { status_list: StatusListClaim { idx, uri } })
}

/// Attempts are counted and policies named where the worker cannot look. What the tenant gave itself (`aud`, `txn`, `nonce`,
/// `act`) it compares itself, and what the policy asks for is enforced here (`fmr`, `gates`), so these are not listed. Of the
/// gates one reason is taken, and its absence as much: nothing is remembered here. It is listed wherever gates are, whatever
/// the gateway said, so that no refusal differs from another by it.
fn asserted(attempt: &Attempt, withheld: bool) -> Vec<String> {
    let taken = [
        ("attempt", true),
        ("max_attempts", true),
        ("pol", true),
        ("gates.CAPTURE_REPLAYED", !withheld),
        ("dsp", attempt.display_sha256.is_some()),
        ("consent", attempt.consent.is_some()),
        ("status", attempt.status.is_some()),
    ];
    taken.into_iter().filter(|(_, present)| *present).map(|(name, _)| name.to_owned()).collect()
}
