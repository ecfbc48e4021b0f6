//! A legal hold stands in the way of a bulk deletion: everybody else goes with a proof, the held user when the hold is released.
//!
//! Must never know: the database. Invariant: every proof is checked offline against the commitment that its enrollment gave.

use crate::checks::{Checks, same};
use anyhow::{Context, Result, ensure};
use receipt::{ExpectedDeletion, Pin, TrustedKeys, verify_deletion_proof};
use std::fs;
use support::{
    caller::Caller,
    captures,
    cluster::{Cluster, PUBLIC_URL},
};
use tonic::Code;
use wire::v1;

/// Who is held.
const HELD: &str = "customer-held";

/// Plays the chapter and checks every step.
pub(crate) async fn tell(cluster: &Cluster, checks: &mut Checks) -> Result<()> {
    let tenant = cluster.make_tenant("held", true)?;
    let mut bank = Caller::connect(cluster, &tenant.api_key).await?;
    let (mut free, mut held) = (Vec::new(), None);
    for user in [HELD, "customer-free-1", "customer-free-2"] {
        let enrolled = bank.enroll_user(user, captures::portraits(&["obama.jpg"])?).await?;
        let reference = enrolled.reference.with_context(|| format!("{user} could not enroll"))?;
        let commitment: [u8; 32] = reference.commitment.try_into().ok().context("not 32 bytes")?;
        if user == HELD { held = Some(commitment) } else { free.push(commitment) }
    }
    let operator = |args: &[&str]| cluster.gateway_command(args);
    let hold = operator(&["hold", "place", &tenant.id, HELD, "--matter", "case 7"])?;
    let said = operator(&["delete", &tenant.id, "--all", "--yes", "--wait"])?;
    let job = said.lines().next().context("no job")?.to_owned();
    let ledger = Ledger::open(cluster, &tenant.id)?;
    let proofs = operator(&["job", "proofs", &job])?;
    checks.check("a bulk deletion: one proof for each user, checked offline", ledger.proves(&proofs, &free));
    let waits = bank.delete(HELD).await;
    checks.check("the user under a legal hold: FAILED_PRECONDITION LEGAL_HOLD, the deletion waits", waiting(waits));
    let (_, answer) = bank.verify_user(HELD, captures::portraits(&["obama2.jpg"])?).await?;
    checks.check("held data still serves: ACCEPT", same("verdict", answer.verdict(), v1::Verdict::Accept));
    let released = operator(&["hold", "release", &tenant.id, hold.trim()])?;
    checks.check("the hold is released: the deletion that waited is done", done(&released));
    let proof = bank.delete(HELD).await?.deletion_proof;
    let held = held.context("nobody was held")?;
    checks.check("and proved, offline", ledger.proves(&proof, &[held]));
    Ok(())
}

/// What a relying party pins of the ledger.
struct Ledger<'a> {
    keys: TrustedKeys,
    aud: &'a str,
}

impl<'a> Ledger<'a> {
    fn open(cluster: &Cluster, aud: &'a str) -> Result<Self> {
        let public = cluster.folder().join("keys/public");
        let (root, issuer) = (fs::read_to_string(public.join("root.thumbprint"))?, format!("{PUBLIC_URL}/ledger"));
        let pin = Pin { issuer: &issuer, root_thumbprint: root.trim() };
        let keys = TrustedKeys::from_document(&fs::read_to_string(public.join("ledger-jwks.json"))?, pin)?;
        Ok(Self { keys, aud })
    }

    /// One proof a line, one for each commitment and no other.
    fn proves(&self, proofs: &str, commitments: &[[u8; 32]]) -> Result<()> {
        same("proofs", proofs.lines().count(), commitments.len())?;
        for commitment in commitments {
            let expected = ExpectedDeletion { aud: self.aud, commitment: *commitment };
            let proved = proofs.lines().any(|proof| verify_deletion_proof(proof, &self.keys, &expected).is_ok());
            ensure!(proved, "a user without a proof");
        }
        Ok(())
    }
}

fn waiting<T>(answer: Result<T, Box<tonic::Status>>) -> Result<()> {
    let status = answer.err().context("it was deleted")?;
    let reason = wire::Reason::from_status(&status).map(|reason| reason.code);
    same("answer", (status.code(), reason.as_deref()), (Code::FailedPrecondition, Some("LEGAL_HOLD")))
}

fn done(said: &str) -> Result<()> {
    ensure!(said.contains("is done"), "{said}");
    Ok(())
}
