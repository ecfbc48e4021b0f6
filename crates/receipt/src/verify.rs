//! Receipts against expectations: `authorize` before an action, `evidence` in a dispute.
//!
//! Must never know: clocks (the time is given). Invariant: an `Unspent` exists only for an accepting, bound, timely receipt.

use crate::{
    ActClaim, Action, base64url,
    claims::ReceiptClaims,
    jws::Typ,
    refused::{Claim, Malformed, Refused, StatusFault},
    spend::Unspent,
    status_list::StatusList,
    trusted::TrustedKeys,
};
use biometrics::{CaptureMode, ChallengeId, Gate, GateStatus, Purpose, Verdict};
use ring::digest::{Context, SHA256};

/// How far clocks may differ, in seconds.
pub const LEEWAY_SECONDS: i64 = 30;

/// What the relying party asked for and will accept.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The own tenant id.
    pub aud: &'a str,
    /// The nonce given with the challenge, as bytes.
    pub nonce: &'a [u8],
    /// The action that will be done.
    pub action: &'a Action,
    /// The challenge; `None` accepts any with this nonce.
    pub txn: Option<ChallengeId>,
    /// Commitment pinned at enrollment; `None` accepts any reference.
    pub reference_commitment: Option<[u8; 32]>,
    /// Hash of the text that was to be displayed; `None` accepts any.
    pub display_sha256: Option<[u8; 32]>,
    /// The capture mode asked for; `None` accepts any.
    pub mode: Option<CaptureMode>,
    /// Last attempt accepted.
    pub max_attempt: u32,
    /// Largest false match rate accepted; `None` accepts any.
    pub max_fmr: Option<f64>,
    /// Gates that need not have run. Every other gate must PASS; these may be NOT_RUN, never FAIL or INCONCLUSIVE.
    pub accepted_not_run: &'a [Gate],
    /// The list that the receipt's `status` names, fresh: the receipt must be VALID in it. `None` does not look: a receipt
    /// that was revoked stays usable to the end of its window.
    pub status: Option<&'a StatusList>,
}

impl<'a> Expected<'a> {
    /// The strictest expectation without pins: three attempts, all five gates.
    #[must_use]
    pub const fn new(aud: &'a str, nonce: &'a [u8], action: &'a Action) -> Self {
        Self {
            aud,
            nonce,
            action,
            txn: None,
            reference_commitment: None,
            display_sha256: None,
            mode: None,
            max_attempt: 3,
            max_fmr: None,
            accepted_not_run: &[],
            status: None,
        }
    }
}

/// A receipt whose signature, type, key and issuer were checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    typ: Typ,
    claims: ReceiptClaims,
}

impl Receipt {
    /// [`Typ::Receipt`] or [`Typ::EnrollmentReceipt`].
    #[must_use]
    pub const fn typ(&self) -> Typ {
        self.typ
    }

    /// What the receipt says.
    #[must_use]
    pub const fn claims(&self) -> &ReceiptClaims {
        &self.claims
    }
}

/// Checks a receipt before the action it is about. The result must be spent exactly once.
///
/// `now_s` is the caller's time in seconds since 1970.
///
/// # Errors
/// [`Refused`], also for authentic refusals ([`Refused::VerdictRefuse`]).
pub fn authorize(
    token: &str,
    keys: &TrustedKeys,
    expected: &Expected<'_>,
    now_s: i64,
) -> Result<Unspent<Receipt>, Refused> {
    accepting(token, keys, expected, (Typ::Receipt, now_s)).map(Unspent::new)
}

/// Checks an accepting enrollment receipt, whose `ref` names the commitment to pin.
///
/// # Errors
/// As [`authorize`]; also where the receipt names no reference.
pub fn verify_enrollment(
    token: &str,
    keys: &TrustedKeys,
    expected: &Expected<'_>,
    now_s: i64,
) -> Result<Receipt, Refused> {
    accepting(token, keys, expected, (Typ::EnrollmentReceipt, now_s))
}

/// Checks a signed refusal, of a verification or of an enrollment: authentic, timely, about this action.
///
/// # Errors
/// [`Refused`]; [`Refused::VerdictAccept`] where the receipt is no refusal.
pub fn refusal(token: &str, keys: &TrustedKeys, expected: &Expected<'_>, now_s: i64) -> Result<Receipt, Refused> {
    let receipt = open(token, keys, &[Typ::Receipt, Typ::EnrollmentReceipt])?;
    check_times(&receipt.claims, now_s)?;
    check_binding(&receipt.claims, expected)?;
    match receipt.claims.vrd {
        Verdict::Refuse => Ok(receipt),
        Verdict::Accept => Err(Refused::VerdictAccept),
    }
}

/// Reads a receipt as of its `iat`, for disputes: authentic, of either type and verdict, whatever the time.
///
/// # Errors
/// [`Refused`] where it is malformed or not signed by a trusted key of the issuer.
pub fn evidence(token: &str, keys: &TrustedKeys) -> Result<Receipt, Refused> {
    open(token, keys, &[Typ::Receipt, Typ::EnrollmentReceipt])
}

/// What a refusal handed to a device says instead of the nonce: base64url of SHA-256(`countersign/nonce/v1` ‖ 0 ‖ nonce).
///
/// The scripts of the attempts to come are derived from the nonce, so a device must not learn it before the last one.
#[must_use]
pub fn withheld_nonce(nonce: &[u8]) -> String {
    let mut context = Context::new(&SHA256);
    context.update(b"countersign/nonce/v1\0");
    context.update(nonce);
    base64url(context.finish().as_ref())
}

fn accepting(
    token: &str,
    keys: &TrustedKeys,
    expected: &Expected<'_>,
    (typ, now_s): (Typ, i64),
) -> Result<Receipt, Refused> {
    let receipt = open(token, keys, &[typ])?;
    let claims = &receipt.claims;
    check_times(claims, now_s)?;
    check_binding(claims, expected)?;
    if claims.vrd == Verdict::Refuse {
        let gates = claims.gates.as_deref().unwrap_or_default();
        let gate = gates.iter().find(|r| matches!(r.status, GateStatus::Fail | GateStatus::Inconclusive));
        return Err(Refused::VerdictRefuse { gate: gate.map(|r| r.gate) });
    }
    check_gates(claims, expected.accepted_not_run)?;
    check_acceptance(claims, expected)?;
    check_status(claims, expected.status, now_s)?;
    Ok(receipt)
}

fn open(token: &str, keys: &TrustedKeys, types: &[Typ]) -> Result<Receipt, Refused> {
    let (typ, claims): (Typ, ReceiptClaims) = keys.open(token, types)?;
    let purpose = if typ == Typ::Receipt { Purpose::Verify } else { Purpose::Enroll };
    if claims.purpose != purpose {
        return Err(Claim::Purpose.into());
    }
    let unit = |value: f64| (0.0..=1.0).contains(&value);
    let times = claims.nbf == claims.iat && claims.exp > claims.iat && claims.iat >= 0;
    let attempts = (1..=claims.max_attempts).contains(&claims.attempt);
    if !times || !attempts || !unit(claims.mode.blind_guess) || !unit(claims.fmr.claimed) {
        return Err(Malformed::Claims.into());
    }
    Ok(Receipt { typ, claims })
}

fn check_times(claims: &ReceiptClaims, now_s: i64) -> Result<(), Refused> {
    if now_s >= claims.exp.saturating_add(LEEWAY_SECONDS) {
        return Err(Refused::Expired);
    }
    let latest = now_s.saturating_add(LEEWAY_SECONDS);
    if claims.iat > latest || claims.nbf > latest {
        return Err(Refused::NotYetValid);
    }
    Ok(())
}

/// Holds for acceptances and refusals alike: whose, which challenge, which action.
fn check_binding(claims: &ReceiptClaims, expected: &Expected<'_>) -> Result<(), Claim> {
    let holds = |met: bool, claim: Claim| if met { Ok(()) } else { Err(claim) };
    holds(claims.aud == expected.aud, Claim::Audience)?;
    holds(expected.txn.is_none_or(|txn| txn == claims.txn), Claim::Challenge)?;
    let for_device = claims.vrd == Verdict::Refuse && claims.gates.is_none();
    let withheld = for_device && claims.nonce == withheld_nonce(expected.nonce);
    holds(withheld || claims.nonce == base64url(expected.nonce), Claim::Nonce)?;
    holds(claims.act == ActClaim::from(expected.action), Claim::Action)?;
    let display = expected.display_sha256.map(|hash| base64url(&hash));
    holds(display.is_none() || display == claims.dsp, Claim::Display)?;
    holds(expected.mode.is_none_or(|mode| mode == claims.mode.name), Claim::Mode)
}

/// Holds for acceptances only.
fn check_acceptance(claims: &ReceiptClaims, expected: &Expected<'_>) -> Result<(), Claim> {
    let holds = |met: bool, claim: Claim| if met { Ok(()) } else { Err(claim) };
    holds(claims.attempt <= expected.max_attempt, Claim::Attempt)?;
    holds(expected.max_fmr.is_none_or(|most| claims.fmr.claimed <= most), Claim::FalseMatchRate)?;
    let reference = claims.reference.as_ref().ok_or(Claim::Reference)?;
    let pinned = expected.reference_commitment.map(|bytes| base64url(&bytes));
    holds(pinned.is_none_or(|pinned| pinned == reference.commitment), Claim::Reference)
}

fn check_gates(claims: &ReceiptClaims, accepted_not_run: &[Gate]) -> Result<(), Refused> {
    let gates = claims.gates.as_deref().ok_or(Refused::GatesIncomplete)?;
    if !gates.iter().map(|r| r.gate).eq(Gate::ALL) {
        return Err(Refused::GatesIncomplete);
    }
    for result in gates {
        let gate = result.gate;
        match result.status {
            GateStatus::Pass => {}
            GateStatus::NotRun if accepted_not_run.contains(&gate) => {}
            GateStatus::NotRun => return Err(Refused::GateNotRun { gate }),
            GateStatus::Fail | GateStatus::Inconclusive => return Err(Refused::GateNotPassed { gate }),
        }
    }
    Ok(())
}

/// Last of all (draft-ietf-oauth-status-list §8.3): what the list says of a receipt that is good in itself.
fn check_status(claims: &ReceiptClaims, list: Option<&StatusList>, now_s: i64) -> Result<(), StatusFault> {
    let Some(list) = list else { return Ok(()) };
    let place = &claims.status.as_ref().ok_or(StatusFault::Missing)?.status_list;
    if place.uri != list.uri() {
        return Err(StatusFault::OtherList);
    }
    list.check_valid(place.idx, now_s)
}
