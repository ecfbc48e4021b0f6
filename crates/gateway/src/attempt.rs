//! One attempt from T1 over the worker to T2: the cycle that `Enroll` and `Verify` share.
//!
//! Owns the order of the three steps and what a failure between them means. Must never know: how features are compared, the
//! words of a receipt. Invariants: nothing leaves before T2 has committed; an attempt whose worker gave no decision is given
//! back; the cycle runs to its end even when the caller hangs up.

use crate::{
    capture::Capture,
    fault::{internal, store_fault},
    frame_memory,
    gateway::Gateway,
    inference::Answered,
    measure, random,
};
use biometrics::{GateResult, Jti, Purpose, Verdict, decide, strikes};
use ring::digest::{SHA256, digest};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use store::{
    AuditBody, ChallengeRow, FrameHash, LiveReceipt, OpenAttempt, OpenRefused, OpenResult, Opened, RecordOutcome,
    RecordResult, ReleaseResult, SealedRow, StoreError, Succession, Tenant,
};
use wire::{Reason, convert, frames, v1};

/// How much longer than the caller a lease lives, so that T2 always finds it open.
const LEASE_GRACE: Duration = Duration::from_secs(3);

/// A decided and recorded attempt.
pub(crate) struct Settled {
    /// What the worker decided and signed.
    pub(crate) decision: v1::Decision,
    /// What the decision says.
    pub(crate) verdict: Verdict,
    /// Which attempt it was, from 1.
    pub(crate) attempt: u32,
    /// How many more the challenge allows.
    pub(crate) attempts_left: u32,
    /// What it answered.
    pub(crate) challenge: ChallengeRow,
    /// The reference that was made.
    pub(crate) reference: Option<SealedRow>,
}

/// Tells the cycle that nobody waits for its answer any more.
struct HungUp(Arc<AtomicBool>);

impl Drop for HungUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The worker's answer, read and found complete.
struct Decided {
    decision: v1::Decision,
    verdict: Verdict,
    gates: Vec<GateResult>,
    expires_at_ms: i64,
    reference: Option<SealedRow>,
    succession: Option<Succession>,
}

impl Gateway {
    /// Judges one capture. What is refused before T1 costs nothing; from T1 on the cycle is a task of its own.
    pub(crate) async fn judge(self: &Arc<Self>, capture: Capture) -> Result<Settled, Reason> {
        let tenant = self.check_against_challenge(&capture).await?;
        let flight = self.admission.capture(capture.tenant)?;
        let shown = self.shown(&tenant, &capture);
        let abandoned = Arc::new(AtomicBool::new(false));
        let hung_up = HungUp(Arc::clone(&abandoned));
        let gateway = Arc::clone(self);
        let cycle = async move {
            let _flight = flight;
            gateway.cycle(capture, shown, &abandoned).await
        };
        let settled = self.tasks.spawn(tracing::Instrument::in_current_span(cycle)).await;
        // The caller is still here: what the task saw of a hang-up before this line is final either way.
        drop(hung_up);
        settled.unwrap_or_else(|error| Err(internal(&error)))
    }

    /// What the store remembers of the frames, where the tenant's policy has it remember any.
    fn shown(&self, tenant: &Tenant, capture: &Capture) -> Vec<FrameHash> {
        match tenant.policy.frame_memory_seconds {
            0 => Vec::new(),
            _ => frame_memory::hashes(&self.credentials.capture, tenant.id, capture.frames.as_slice()),
        }
    }

    /// Frames by the tenant's policy, and the displayed action against the challenge's own.
    async fn check_against_challenge(&self, capture: &Capture) -> Result<Tenant, Reason> {
        let tenant = self.tenant(capture.tenant).await?;
        frames::check(capture.frames.as_slice(), frames::FrameLimits { allow_png: tenant.policy.allow_png })?;
        let found = self.store.challenge(capture.tenant, capture.challenge).await.map_err(store_fault)?;
        let challenge = found.ok_or(Reason::UnknownChallenge)?;
        if capture.displayed.sha256() == challenge.action_sha256 {
            return Ok(tenant);
        }
        let body = capture
            .told()
            .with("challenge", challenge.id.to_string())
            .with("attempt", capture.attempt)
            .with("user_id", challenge.user.as_str())
            .with("reason", Reason::ActionChanged.code());
        self.store.audit(capture.tenant, "attempt.refused", body).await.map_err(store_fault)?;
        Err(Reason::ActionChanged)
    }

    async fn cycle(
        &self,
        mut capture: Capture,
        shown: Vec<FrameHash>,
        abandoned: &AtomicBool,
    ) -> Result<Settled, Reason> {
        let opened = self.open(&capture, shown).await?;
        let told = capture.told();
        let decided = match self.ask(&opened, &mut capture).await {
            Ok(decided) => decided,
            Err(reason) => return Err(self.give_back(&opened, reason).await),
        };
        store::failpoint("worker.answered");
        self.record(opened, (decided, told), abandoned).await
    }

    /// T1. Workers are asked anew what they compare before a reference is refused for it: one may have been started since with
    /// another pack.
    async fn open(&self, capture: &Capture, frames: Vec<FrameHash>) -> Result<Opened, Reason> {
        let known = self.inference.feature_spaces();
        let mut opened = self.open_in(capture, frames.clone(), known.clone()).await?;
        if matches!(opened, OpenResult::Refused(OpenRefused::FeatureSpace)) {
            self.inference.probe().await;
            let now = self.inference.feature_spaces();
            if now != known {
                opened = self.open_in(capture, frames, now).await?;
            }
        }
        match opened {
            OpenResult::Opened(opened) => Ok(*opened),
            OpenResult::Refused(refused) => Err(refusal(refused)),
        }
    }

    async fn open_in(
        &self,
        capture: &Capture,
        frames: Vec<FrameHash>,
        feature_spaces: Option<Vec<String>>,
    ) -> Result<OpenResult, Reason> {
        let left = capture.deadline.checked_sub(self.clock.monotonic()).ok_or(Reason::DeadlineExceeded)?;
        let open = OpenAttempt {
            told: capture.told(),
            tenant: capture.tenant,
            challenge: capture.challenge,
            attempt: capture.attempt,
            purpose: capture.purpose,
            lease_ms: u32::try_from((left + LEASE_GRACE).as_millis()).unwrap_or(u32::MAX),
            jti: Jti::new(random::uuid()?),
            status: self.status.secret.clone(),
            feature_spaces,
            frames,
        };
        self.store.open_attempt(open).await.map_err(store_fault)
    }

    /// The worker.
    async fn ask(&self, opened: &Opened, capture: &mut Capture) -> Result<Decided, Reason> {
        let told = (self.clock.now_ms(), self.status.uri(opened.status));
        let answered = self.inference.judge(opened, capture, told).await?;
        read_answer(opened, answered).inspect_err(|_| tracing::error!("a worker's answer contradicts itself"))
    }

    /// T2. From here on the outcome stands; only then may the answer leave.
    async fn record(
        &self,
        opened: Opened,
        (decided, told): (Decided, AuditBody),
        abandoned: &AtomicBool,
    ) -> Result<Settled, Reason> {
        let Decided { decision, verdict, gates, expires_at_ms, reference, succession } = decided;
        let mut settlement = strikes::settle(&gates, &opened.tenant.policy.required_gates);
        // A strike is never refunded on a cancelled call: whoever hangs up on bad news would have it for nothing.
        if abandoned.load(Ordering::SeqCst) && settlement == strikes::Settlement::Refund {
            settlement = strikes::Settlement::KeepInRow;
        }
        let outcome = RecordOutcome {
            tenant: opened.tenant.id,
            lease_id: opened.lease_id,
            verdict,
            settlement,
            audit: audit_body(told, &opened, &gates),
            reference: reference.clone(),
            succession,
            receipt: self.live(&opened, &decision, expires_at_ms),
        };
        match self.store.record_outcome(outcome).await.map_err(store_fault)? {
            RecordResult::Recorded(recorded) => {
                measure::attempt(verdict, &gates);
                Ok(Settled {
                    decision,
                    verdict,
                    attempt: recorded.attempt,
                    attempts_left: recorded.attempts_left,
                    challenge: opened.challenge,
                    reference,
                })
            }
            RecordResult::LeaseLost => Err(self.lease_lost(&opened)),
            RecordResult::AlreadyAccepted => Err(Reason::ChallengeSpent),
            RecordResult::ReferenceExists => Err(Reason::ReferenceExists),
            RecordResult::LegalHold => Err(Reason::LegalHold),
            // Asked again, the worker seals under the new key.
            RecordResult::KekRetired => Err(self.give_back(&opened, Reason::UnavailableKms).await),
        }
    }

    /// What is kept of the receipt, and what the log is told.
    fn live(&self, opened: &Opened, decision: &v1::Decision, expires_at_ms: i64) -> LiveReceipt {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, decision.receipt.as_bytes()).as_ref());
        let (jti, pseudonym) = (opened.jti, decision.pseudonym.clone());
        let issuer = if opened.tenant.test { "test-receipts" } else { "receipts" };
        LiveReceipt { jti, pseudonym, expires_at_ms, iss: format!("{}/{issuer}", self.public_url), sha256 }
    }

    /// The lease ended before its outcome was written, so there is none. Asked again, T1 says what came between.
    fn lease_lost(&self, opened: &Opened) -> Reason {
        tracing::warn!(challenge = %opened.challenge.id, "an outcome came after its lease had ended");
        if self.clock.now_ms() < opened.lease_until_ms { Reason::UnavailableDatabase } else { Reason::DeadlineExceeded }
    }

    /// No decision was made: the lease is given back, unless the time was the caller's to set and it ran out.
    async fn give_back(&self, opened: &Opened, reason: Reason) -> Reason {
        if reason == Reason::DeadlineExceeded {
            return reason;
        }
        let audited = self.audit_undecided(opened, &reason).await;
        let released = self.store.release_attempt(opened.tenant.id, opened.lease_id).await;
        if let Ok(ReleaseResult::Abandoned) = released {
            tracing::warn!(challenge = %opened.challenge.id, "an attempt was given back too often and is spent");
        }
        // A reason leaves only with its entry. A lease that could not be given back ends by itself.
        match audited.and(released.map(drop)) {
            Ok(()) => reason,
            Err(error) => store_fault(error),
        }
    }

    /// What callers are told as a failed precondition or a lost envelope stands in the audit too.
    async fn audit_undecided(&self, opened: &Opened, reason: &Reason) -> Result<(), StoreError> {
        let kind = match reason {
            Reason::DataLoss => "envelope.not_authentic",
            Reason::FeatureSpace | Reason::PolicyUnsupported | Reason::ActionChanged => "attempt.refused",
            _ => return Ok(()),
        };
        if *reason == Reason::DataLoss {
            metrics::counter!("countersign_data_loss_total").increment(1);
            tracing::error!(challenge = %opened.challenge.id, alarm = true, "a stored envelope does not authenticate");
        }
        let body = AuditBody::default()
            .with("challenge", opened.challenge.id.to_string())
            .with("attempt", opened.attempt)
            .with("user_id", opened.challenge.user.as_str())
            .with("reason", reason.code());
        self.store.audit(opened.tenant.id, kind, body).await
    }
}

/// Why T1 opened nothing, in the contract's words.
const fn refusal(refused: OpenRefused) -> Reason {
    match refused {
        OpenRefused::UnknownChallenge => Reason::UnknownChallenge,
        OpenRefused::Expired => Reason::ChallengeExpired,
        OpenRefused::Spent => Reason::ChallengeSpent,
        OpenRefused::WrongPurpose => Reason::WrongPurpose,
        OpenRefused::AlreadyDecided { jti, verdict } => Reason::AlreadyDecided { jti, verdict },
        OpenRefused::AttemptOpen => Reason::AttemptOpen,
        OpenRefused::NoAttemptsLeft => Reason::NoAttemptsLeft,
        OpenRefused::OutOfOrder { .. } => Reason::WrongAttempt,
        OpenRefused::Locked { retry_s: Some(retry_s) } => Reason::Locked { retry_s },
        OpenRefused::Locked { retry_s: None } => Reason::LockedUntilReset,
        OpenRefused::RateLimited { retry_s } => Reason::RateLimited { retry_s },
        OpenRefused::NoReference => Reason::NoReference,
        OpenRefused::ReferenceExists => Reason::ReferenceExists,
        OpenRefused::FeatureSpace => Reason::FeatureSpace,
        OpenRefused::LegalHold => Reason::LegalHold,
        OpenRefused::TenantStopped => Reason::PermissionDenied,
    }
}

/// Reads a worker's answer; one that is incomplete or contradicts itself is no decision.
fn read_answer(opened: &Opened, answered: Answered) -> Result<Decided, Reason> {
    let decision = answered.decision.ok_or(Reason::Internal)?;
    let verdict = convert::verdict(decision.verdict).map_err(|_| Reason::Internal)?;
    let gates = convert::gate_results(&decision.gates).map_err(|_| Reason::Internal)?;
    let expires_at_ms =
        convert::timestamp_ms(decision.expires_at.as_ref(), "expires_at").map_err(|_| Reason::Internal)?;
    let generation = opened.tenant.transform_generation;
    let row = |sealed| sealed_row(sealed, generation);
    let made = answered.reference.map(row).transpose().map_err(|_| Reason::Internal)?;
    let (reference, succession) = match opened.challenge.purpose {
        Purpose::Enroll => (made, None),
        Purpose::Verify => (None, succession(opened, verdict, (made, answered.succeeded))?),
    };
    let complete = !decision.receipt.is_empty() && !decision.pseudonym.is_empty();
    let follows = decide(&gates, &opened.tenant.policy.required_gates) == verdict;
    let enrolled = opened.challenge.purpose == Purpose::Enroll && verdict == Verdict::Accept;
    // A worker of a release without this gate's memory knows nothing of it.
    let overlooked = !opened.replayed.is_empty() && verdict == Verdict::Accept;
    if !complete || !follows || overlooked || reference.is_some() != enrolled {
        return Err(Reason::Internal);
    }
    Ok(Decided { decision, verdict, gates, expires_at_ms, reference, succession })
}

/// What a verification does to the user's references: at most one step, and only with an ACCEPT.
fn succession(
    opened: &Opened,
    verdict: Verdict,
    (made, succeeded): (Option<SealedRow>, bool),
) -> Result<Option<Succession>, Reason> {
    let reference = opened.reference.as_ref().ok_or(Reason::Internal)?.id;
    let over = opened.successor.as_ref().map(|row| row.id);
    match (made, succeeded, verdict) {
        (None, false, _) => Ok(None),
        (Some(made), false, Verdict::Accept) => {
            let successor = Box::new(made);
            Ok(Some(Succession::Begins { reference, over, successor }))
        }
        (None, true, Verdict::Accept) => {
            let successor = over.ok_or(Reason::Internal)?;
            Ok(Some(Succession::Ends { reference, successor }))
        }
        _ => Err(Reason::Internal),
    }
}

/// A worker's reference as a row, laid out with the transform key of this generation.
pub(crate) fn sealed_row(sealed: v1::SealedReference, transform_generation: u32) -> Result<SealedRow, Reason> {
    Ok(SealedRow {
        transform_generation,
        id: convert::parsed(&sealed.reference_id, "reference_id")?,
        epoch: sealed.epoch,
        feature_space: sealed.feature_space,
        transform_version: sealed.transform_version,
        schema: sealed.schema,
        kek_version: sealed.kek_version,
        wrapped_dek: sealed.wrapped_dek,
        ciphertext: sealed.ciphertext,
        commitment: convert::fixed(&sealed.commitment, "commitment")?,
        created_at_ms: 0,
    })
}

/// Who called, gates with their reasons and the policy that judged; never features, scores or frames.
fn audit_body(told: AuditBody, opened: &Opened, gates: &[GateResult]) -> AuditBody {
    let gates: Vec<_> = gates.iter().filter_map(|gate| serde_json::to_value(gate).ok()).collect();
    told.with("gates", gates).with("policy", opened.tenant.policy.version.as_str())
}
