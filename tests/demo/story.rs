//! Enroll, verify, refuse, delete: what a tenant's backend would do, and what an attacker would try.

use crate::checks::{Checks, same};
use anyhow::{Context, Result, bail};
use support::{
    caller::{self, Caller, NONCE, Tenant},
    captures,
    cluster::Cluster,
};
use tonic::Code;
use wire::v1;

/// Whose account it is.
pub(crate) const USER: &str = "customer-1";

/// What later chapters need.
pub(crate) struct Told {
    /// The tenant.
    pub(crate) tenant: Tenant,
    /// The accepted receipt.
    pub(crate) receipt: String,
    /// The deletion proof.
    pub(crate) proof: String,
    /// Commitment that the proof has to name.
    pub(crate) commitment: Vec<u8>,
    /// Every frame that was sent.
    pub(crate) frames: Vec<v1::Frame>,
}

/// Plays the story and checks every step.
pub(crate) async fn tell(cluster: &Cluster, checks: &mut Checks) -> Result<Told> {
    let tenant = cluster.make_tenant("demo", true)?;
    let mut bank = Caller::connect(cluster, &tenant.api_key).await?;
    let owner = captures::portraits(&["obama.jpg", "obama3.jpg"])?;
    let again = captures::portraits(&["obama2.jpg"])?;
    let other = captures::portraits(&["biden.jpg"])?;

    let early = bank.verify_user(USER, again.clone()).await;
    checks.check("a user without a reference: NOT_FOUND NO_REFERENCE", refused(early, Code::NotFound, "NO_REFERENCE"));

    let enrolled = bank.enroll_user(USER, owner.clone()).await?;
    checks.check("the owner enrolls: ACCEPT, gates 1, 2 and 5 PASS", accepted(enrolled.verdict, &enrolled.gates));
    let commitment = enrolled.reference.as_ref().map(|r| r.commitment.clone()).unwrap_or_default();
    let twice = bank.enroll_user(USER, owner.clone()).await;
    checks.check(
        "enrolling again without `replace`: ALREADY_EXISTS REFERENCE_EXISTS",
        refused(twice, Code::AlreadyExists, "REFERENCE_EXISTS"),
    );

    let (challenge, verified) = bank.verify_user(USER, again.clone()).await?;
    checks.check(
        "the owner verifies another picture: ACCEPT, gates 1, 2 and 5 PASS",
        accepted(verified.verdict, &verified.gates),
    );

    let replay = bank.verify(&challenge, again.clone()).await;
    checks.check(
        "the same challenge again: FAILED_PRECONDITION ALREADY_DECIDED",
        refused(replay, Code::FailedPrecondition, "ALREADY_DECIDED"),
    );

    let (_, stranger) = bank.verify_user(USER, other.clone()).await?;
    checks.check(
        "another person: signed REFUSE, gates 1 and 2 PASS, gate 5 FAIL COMPARISON_NON_MATCH",
        stranger_refused(&stranger),
    );

    let opened = bank.create_challenge(caller::challenge(USER, v1::Purpose::Verify)).await?;
    let changed = v1::Action { payee: "GB33BUKB20201555555555".into(), ..caller::action() };
    let changed = bank.verify_action(&opened.challenge_id, again.clone(), changed).await;
    checks.check(
        "a payee changed on the device: FAILED_PRECONDITION ACTION_CHANGED",
        refused(changed, Code::FailedPrecondition, "ACTION_CHANGED"),
    );

    let (_, blank) = bank.verify_user(USER, captures::no_face()?).await?;
    checks.check(
        "a picture without a face: signed REFUSE at gate 2 QUALITY_NO_FACE",
        refusing(&blank, v1::Gate::Quality, "QUALITY_NO_FACE"),
    );

    let (_, two) = bank.verify_user(USER, captures::two_people("obama2.jpg", "biden.jpg")?).await?;
    checks.check(
        "two people in one frame: signed REFUSE at gate 2 QUALITY_SEVERAL_FACES",
        refusing(&two, v1::Gate::Quality, "QUALITY_SEVERAL_FACES"),
    );

    let mut copies = again.clone();
    copies.extend(again.clone().into_iter().map(|frame| v1::Frame { offset_ms: 200, ..frame }));
    let (_, copied) = bank.verify_user(USER, copies).await?;
    checks.check(
        "one frame sent twice: signed REFUSE at gate 1 CAPTURE_DUPLICATE_FRAME",
        refusing(&copied, v1::Gate::CaptureIntegrity, "CAPTURE_DUPLICATE_FRAME"),
    );

    let half = captures::frames(vec![again[0].image[..again[0].image.len() / 2].to_vec()]);
    let half = bank.verify_user(USER, half).await;
    checks.check(
        "half a JPEG: INVALID_ARGUMENT FRAME_UNDECODABLE",
        refused(half, Code::InvalidArgument, "FRAME_UNDECODABLE"),
    );

    let neighbour = cluster.make_tenant("neighbour", true)?;
    let foreign = bank.with(&neighbour.api_key).verify_user(USER, again.clone()).await;
    checks.check(
        "the same user name at another tenant: NOT_FOUND NO_REFERENCE",
        refused(foreign, Code::NotFound, "NO_REFERENCE"),
    );
    let foreign = bank.with(&neighbour.api_key).verify(&opened.challenge_id, again.clone()).await;
    checks.check(
        "a challenge of another tenant: NOT_FOUND UNKNOWN_CHALLENGE",
        refused(foreign, Code::NotFound, "UNKNOWN_CHALLENGE"),
    );

    let hasty = Caller { deadline: None, ..bank.clone() }.verify_user(USER, again.clone()).await;
    checks.check(
        "a call without a deadline: INVALID_ARGUMENT DEADLINE_REQUIRED",
        refused(hasty, Code::InvalidArgument, "DEADLINE_REQUIRED"),
    );

    let deleted = bank.delete(USER).await?;
    let gone = bank.verify_user(USER, again.clone()).await;
    checks.check("after deletion: NOT_FOUND NO_REFERENCE", refused(gone, Code::NotFound, "NO_REFERENCE"));

    cluster.gateway_command(&["key", "revoke", "--tenant", &neighbour.id, &neighbour.key_id])?;
    let revoked = bank.with(&neighbour.api_key).create_challenge(caller::challenge(USER, v1::Purpose::Enroll)).await;
    checks.check("a revoked API key: UNAUTHENTICATED", refused(revoked, Code::Unauthenticated, "UNAUTHENTICATED"));

    let frames = [owner, again, other].concat();
    Ok(Told { tenant, receipt: verified.receipt, proof: deleted.deletion_proof, commitment, frames })
}

/// The nonce as the CLI takes it.
pub(crate) fn nonce() -> String {
    receipt::base64url(&NONCE)
}

fn accepted(verdict: i32, gates: &[v1::GateResult]) -> Result<()> {
    use v1::GateStatus::{NotRun, Pass};
    same("verdict", verdict, v1::Verdict::Accept.into())?;
    let found: Vec<i32> = gates.iter().map(|gate| gate.status).collect();
    same("gates", found, [Pass, Pass, NotRun, NotRun, Pass].map(i32::from).to_vec())
}

fn stranger_refused(answer: &v1::VerifyResponse) -> Result<()> {
    refusing(answer, v1::Gate::Comparison, "COMPARISON_NON_MATCH")?;
    let status = |gate: v1::Gate| answer.gates.iter().find(|g| g.gate == i32::from(gate)).map(|g| g.status);
    same("gate 1", status(v1::Gate::CaptureIntegrity), Some(v1::GateStatus::Pass.into()))?;
    same("gate 2", status(v1::Gate::Quality), Some(v1::GateStatus::Pass.into()))
}

/// A signed refusal in which the first gate that did not pass is `gate`, with `reason` among its reasons.
pub(crate) fn refusing(answer: &v1::VerifyResponse, gate: v1::Gate, reason: &str) -> Result<()> {
    let first = first_refusing(answer, &[gate])?;
    if !first.reasons.iter().any(|found| found == reason) {
        bail!("reasons: expected {reason}, found {:?}", first.reasons);
    }
    Ok(())
}

/// A signed refusal in which the first gate that did not pass is one of `gates`; that gate.
fn first_refusing<'a>(answer: &'a v1::VerifyResponse, gates: &[v1::Gate]) -> Result<&'a v1::GateResult> {
    same("verdict", answer.verdict, v1::Verdict::Refuse.into())?;
    same("signed", answer.receipt.split('.').count(), 3)?;
    same("gates listed", answer.gates.len(), 5)?;
    let stopped = |g: &&v1::GateResult| {
        [v1::GateStatus::Fail, v1::GateStatus::Inconclusive].iter().any(|status| g.status == i32::from(*status))
    };
    let first = answer.gates.iter().find(stopped).context("no gate refused")?;
    if !gates.contains(&first.gate()) {
        bail!("refusing gate: expected one of {gates:?}, found {:?} {:?}", first.gate(), first.reasons);
    }
    Ok(first)
}

/// A signed refusal by one of `gates`.
pub(crate) fn refusing_at(answer: &v1::VerifyResponse, gates: &[v1::Gate]) -> Result<()> {
    first_refusing(answer, gates).map(drop)
}

/// A status that says why no decision was made.
pub(crate) fn refused<T>(answer: Result<T, Box<tonic::Status>>, code: Code, reason: &str) -> Result<()> {
    match answer {
        Ok(_) => bail!("answered, {reason} was expected"),
        Err(status) => same("status and reason", (status.code(), caller::reason(&status).as_str()), (code, reason)),
    }
}
