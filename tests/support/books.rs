//! Holds what callers saw against the database that the gateways wrote: no answer without its row, nothing twice, nothing
//! stuck, nothing that does not verify.
//!
//! Reads through the store's own door while the gateways run. Must never know: how the load came about.

use crate::{
    caller::Tenant,
    cluster::{Cluster, PUBLIC_URL},
    load::{Proved, Seen},
};
use anyhow::{Context, Result, bail, ensure};
use biometrics::{ChallengeId, TenantId, Verdict};
use receipt::{ExpectedDeletion, Pin, TrustedKeys};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};
use store::{AttemptRow, AttemptState, AuditEntry, Chain, Store};
use tokio::time::sleep;

/// How the attempts of some challenges stand.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Under a lease.
    pub open: usize,
    /// Given back, may be opened again.
    pub released: usize,
    /// Decided.
    pub decided: usize,
    /// Spent without an outcome.
    pub abandoned: usize,
}

/// A tenant's rows, and the keys that its receipts must verify under.
#[derive(Debug)]
pub struct Books {
    store: Store,
    tenant: TenantId,
    receipts: TrustedKeys,
    ledger: TrustedKeys,
}

impl Books {
    /// Opens the books of a test tenant.
    ///
    /// # Errors
    /// Where the database or the published keys do not open.
    pub async fn open(cluster: &Cluster, tenant: &Tenant) -> Result<Self> {
        let keys = cluster.folder().join("keys/public");
        let root = fs::read_to_string(keys.join("root.thumbprint"))?;
        let trusted = |file: &str, below: &str| -> Result<TrustedKeys> {
            let issuer = format!("{PUBLIC_URL}/{below}");
            let pin = Pin { issuer: &issuer, root_thumbprint: root.trim() };
            Ok(TrustedKeys::from_document(&fs::read_to_string(keys.join(file))?, pin)?)
        };
        let store = Store::open(cluster.database.config()).await?;
        let (receipts, ledger) = (trusted("test-jwks.json", "test-receipts")?, trusted("ledger-jwks.json", "ledger")?);
        Ok(Self { store, tenant: tenant.id.parse()?, receipts, ledger })
    }

    /// The attempts of one challenge.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn attempts(&self, challenge: &str) -> Result<Vec<AttemptRow>> {
        Ok(self.store.attempts(self.tenant, challenge.parse()?).await?)
    }

    /// How many audit entries of a kind there are.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn entries(&self, kind: &str) -> Result<u64> {
        Ok(self.store.audit_count(self.tenant, kind).await?)
    }

    /// Every audit entry of the tenant, oldest first.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn all(&self) -> Result<Vec<AuditEntry>> {
        let mut entries = Vec::new();
        loop {
            let after = entries.last().map_or(0, |entry: &AuditEntry| entry.seq);
            let page = self.store.audit_entries(self.tenant, after, 1000).await?;
            if page.is_empty() {
                return Ok(entries);
            }
            entries.extend(page);
        }
    }

    /// How the attempts of the challenges stand now.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn standing(&self, challenges: &[String]) -> Result<Standing> {
        let mut standing = Standing::default();
        for challenge in challenges {
            for attempt in self.attempts(challenge).await? {
                match attempt.state {
                    AttemptState::Open => standing.open += 1,
                    AttemptState::Released => standing.released += 1,
                    AttemptState::Decided(_) => standing.decided += 1,
                    AttemptState::Abandoned => standing.abandoned += 1,
                }
            }
        }
        Ok(standing)
    }

    /// Waits until no attempt of the challenges is open any more: gateways must close what their dead left behind.
    ///
    /// # Errors
    /// Where one is still open after 30 s.
    pub async fn settled(&self, challenges: &[String]) -> Result<Standing> {
        let mut standing = self.standing(challenges).await?;
        for _ in 0..60 {
            if standing.open == 0 {
                return Ok(standing);
            }
            sleep(Duration::from_millis(500)).await;
            standing = self.standing(challenges).await?;
        }
        bail!("{} attempts are stuck: their leases ended and nobody closed them", standing.open)
    }

    /// Checks everything that callers saw.
    ///
    /// # Errors
    /// The first contradiction.
    pub async fn check(&self, seen: &Seen) -> Result<()> {
        let audit = self.audit().await?;
        let (mut accepts, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for answer in &seen.answers {
            let receipt = receipt::evidence(&answer.receipt, &self.receipts).context("a receipt does not verify")?;
            let claims = receipt.claims();
            let (jti, accepted) = (claims.jti.to_string(), claims.vrd == Verdict::Accept);
            ensure!(claims.txn.to_string() == answer.challenge, "a receipt of another challenge");
            ensure!(accepted == answer.accepted, "receipt and answer say different things");
            let row = audit.decided.get(&jti).with_context(|| format!("answer {jti} left without its audit entry"))?;
            ensure!(row == &(answer.challenge.clone(), accepted), "the audit entry of {jti} says something else");
            ensure!(ids.insert(jti), "one receipt id was answered twice");
            ensure!(!accepted || accepts.insert(answer.challenge.clone()), "a challenge was accepted twice");
            ensure!(!(accepted && answer.stranger), "somebody else was accepted");
        }
        for challenge in &seen.challenges {
            self.check_rows(challenge.parse()?, &audit).await?;
        }
        seen.proofs.iter().try_for_each(|proved| self.check_proof(proved))?;
        ensure!(self.entries("deletion.proved").await? >= seen.proofs.len() as u64, "a proof without its entry");
        Ok(())
    }

    async fn check_rows(&self, challenge: ChallengeId, audit: &Audit) -> Result<()> {
        let mut accepted = 0;
        for attempt in self.store.attempts(self.tenant, challenge).await? {
            match attempt.state {
                AttemptState::Decided(verdict) => {
                    let entry = (challenge.to_string(), verdict == Verdict::Accept);
                    let found = audit.decided.get(&attempt.jti.to_string());
                    ensure!(found == Some(&entry), "a decided attempt without its audit entry");
                    accepted += usize::from(verdict == Verdict::Accept);
                }
                AttemptState::Abandoned => {
                    let found = audit.abandoned.contains(&(challenge.to_string(), u64::from(attempt.n)));
                    ensure!(found, "an abandoned attempt without its audit entry");
                }
                AttemptState::Open | AttemptState::Released => {}
            }
        }
        ensure!(accepted <= 1, "a challenge was accepted twice");
        Ok(())
    }

    fn check_proof(&self, proved: &Proved) -> Result<()> {
        let commitment = proved.commitment.as_slice().try_into().context("a commitment has 32 bytes")?;
        let expected = ExpectedDeletion { aud: &self.tenant.to_string(), commitment };
        receipt::verify_deletion_proof(&proved.proof, &self.ledger, &expected).context("a proof does not verify")?;
        Ok(())
    }

    async fn audit(&self) -> Result<Audit> {
        let chain = self.store.verify_audit(self.tenant).await?;
        ensure!(matches!(chain, Chain::Intact { .. }), "the audit chain is broken: {chain:?}");
        let mut audit = Audit::default();
        for entry in self.all().await? {
            audit.read(&entry.kind, &serde_json::from_str(&entry.body)?)?;
        }
        Ok(audit)
    }
}

/// What the audit says of attempts.
#[derive(Debug, Default)]
struct Audit {
    /// Receipt id to challenge and whether it was accepted.
    decided: BTreeMap<String, (String, bool)>,
    /// Challenge and number.
    abandoned: BTreeSet<(String, u64)>,
}

impl Audit {
    fn read(&mut self, kind: &str, body: &Value) -> Result<()> {
        let text = |name: &str| body[name].as_str().map(str::to_owned).with_context(|| format!("{kind} has no {name}"));
        match kind {
            "attempt.decided" => {
                let accepted = text("verdict")? == "ACCEPT";
                let twice = self.decided.insert(text("jti")?, (text("challenge")?, accepted));
                ensure!(twice.is_none(), "one receipt id was decided twice");
            }
            "attempt.abandoned" => {
                let number = body["attempt"].as_u64().context("attempt.abandoned has no number")?;
                self.abandoned.insert((text("challenge")?, number));
            }
            _ => {}
        }
        Ok(())
    }
}
