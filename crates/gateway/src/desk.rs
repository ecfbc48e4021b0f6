//! What an operator asks for that takes long, on the database's own machine: rotations, deletions, holds. Works beside running
//! gateways, one of which does the work.
//!
//! Must never know: requests of tenants. Invariant: it asks, shows and signs what is recorded; the work is the gateways'. Releasing
//! a hold alone does at once what waited for it.

use crate::{
    Config, GatewayError, config,
    ledger::Ledger,
    log::{
        audit::{self, AuditCheck},
        prove::prove,
    },
    restore::{self, Replayed},
    start,
};
use biometrics::{HoldId, JobId, TenantId, UserId};
use receipt::{Logged, TrustedKeys};
use service::Clock;
use std::path::Path;
use store::{
    AuditEntry, AuditQuery, BackedUp, Chain, EraseSalts, Event, EventState, Hold, Job, JobKind, JournalHead,
    KeyStatement, NewHold, NewJob, QueueResult, ReferenceCount, ReleaseHold, Store, Terminate,
};
use uuid::Uuid;
use wire::Reason;

/// Who asks, as audit and jobs name it.
const OPERATOR: &str = "operator";
/// Most rows of one list.
const LISTED: u32 = 1000;
/// Proofs of one page.
const PAGE: u32 = 500;

/// See the module.
pub struct Desk {
    store: Store,
    ledger: Ledger,
    journal: Option<config::Journal>,
}

/// One page of proofs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proofs {
    /// Compact JWS, one for each deletion.
    pub proofs: Vec<String>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Uuid>,
}

impl Desk {
    /// Opens the database and the ledger key that `config` names.
    ///
    /// # Errors
    /// `Store`, `Custody` where one of them does not open.
    pub async fn open(config: &Config) -> Result<Self, GatewayError> {
        let ledger = Ledger::new(start::ledger_key(&config.kms, Clock::system()).await?, &config.public_url);
        let journal = config.journal.clone();
        Ok(Self { store: Store::open(config.store_config()).await?, ledger, journal })
    }

    /// Asks for a rotation of the tenant's KEK.
    ///
    /// # Errors
    /// `UnknownTenant`, `RunsAlready`, `Store`.
    pub async fn rotate(&self, tenant: TenantId) -> Result<JobId, GatewayError> {
        let new = NewJob { tenant, kind: JobKind::RotateKek, cause: None, users: None, requested_by: OPERATOR };
        self.queue(new).await
    }

    /// Asks for the renewal of every reference of the tenant.
    ///
    /// # Errors
    /// `UnknownTenant`, `RunsAlready`, `Store`.
    pub async fn renew(&self, tenant: TenantId) -> Result<JobId, GatewayError> {
        let kind = JobKind::RenewReferences;
        self.queue(NewJob { tenant, kind, cause: None, users: None, requested_by: OPERATOR }).await
    }

    /// Asks for the erasure of many references: those of the users, or everybody's.
    ///
    /// # Errors
    /// `UnknownTenant`, `Store`.
    pub async fn delete(&self, tenant: TenantId, users: Option<&[UserId]>, cause: &str) -> Result<JobId, GatewayError> {
        let kind = JobKind::DeleteReferences;
        self.queue(NewJob { tenant, kind, cause: Some(cause), users, requested_by: OPERATOR }).await
    }

    /// Asks for the erasure of references that outlived the window of the tenant's policy.
    ///
    /// # Errors
    /// `UnknownTenant`, `Store`.
    pub async fn expire(&self, tenant: TenantId) -> Result<JobId, GatewayError> {
        let kind = JobKind::ExpireReferences;
        self.queue(NewJob { tenant, kind, cause: None, users: None, requested_by: OPERATOR }).await
    }

    /// Begins the end of a tenant: its calls are refused from now on.
    ///
    /// # Errors
    /// `UnknownTenant`, `Held`, `OldKeysKept`, `TenantStands`, `RunsAlready`, `Store`.
    pub async fn terminate(&self, tenant: TenantId) -> Result<JobId, GatewayError> {
        match self.store.terminate_tenant(tenant, OPERATOR).await? {
            Terminate::Queued(id) => Ok(id),
            Terminate::RunsAlready(id) => Err(GatewayError::RunsAlready(id)),
            Terminate::Held => Err(GatewayError::Held),
            Terminate::OldKeysKept => Err(GatewayError::OldKeysKept),
            Terminate::Terminated => Err(GatewayError::TenantStands(store::TenantState::Terminated)),
            Terminate::Unknown => Err(GatewayError::UnknownTenant),
        }
    }

    /// The certificate of a tenant that ended.
    ///
    /// # Errors
    /// `NotTerminated`, `Store`, `Refused` where it cannot be signed.
    pub async fn termination(&self, tenant: TenantId) -> Result<String, GatewayError> {
        let end = self.store.termination(tenant).await?.ok_or(GatewayError::NotTerminated)?;
        let gone = self.store.kek_destructions(tenant).await?;
        Ok(self.ledger.termination(&end, gone.iter().map(|kek| kek.kek_version).collect()).await?)
    }

    /// Entries of the audit that answer a question, after position `after`, at most 1,000.
    ///
    /// # Errors
    /// `Store`.
    pub async fn audit(&self, asked: &AuditQuery, after: i64) -> Result<Vec<AuditEntry>, GatewayError> {
        Ok(self.store.audit_search(asked, after, LISTED).await?)
    }

    /// Notifications to operators, newest first, at most 1,000: those of one state or all.
    ///
    /// # Errors
    /// `Store`.
    pub async fn events(&self, state: Option<EventState>) -> Result<Vec<Event>, GatewayError> {
        Ok(self.store.events(state, LISTED).await?)
    }

    /// Has a dead notification sent again. False: it is not dead.
    ///
    /// # Errors
    /// `Store`.
    pub async fn revive_event(&self, id: Uuid) -> Result<bool, GatewayError> {
        Ok(self.store.revive_event(id).await?)
    }

    /// Walks a tenant's audit chain.
    ///
    /// # Errors
    /// `Store`; a broken chain is a value.
    pub async fn verify_audit(&self, tenant: TenantId) -> Result<Chain, GatewayError> {
        Ok(self.store.verify_audit(tenant).await?)
    }

    /// Deletion proofs of what a job erased, page by page: signed from the record, so asked again they are the same.
    ///
    /// # Errors
    /// `UnknownJob`, `Store`, `Refused` where a proof cannot be signed.
    pub async fn proofs(&self, id: JobId, after: Option<Uuid>) -> Result<Proofs, GatewayError> {
        let job = self.job(id).await?;
        self.proofs_of((job.tenant, Some(job.id)), after).await
    }

    /// Proofs of every deletion of a tenant that was proved, whatever it was for, page by page in the order of their `jti`: those
    /// that its termination certificate is over, once it ended.
    ///
    /// # Errors
    /// `UnknownTenant`, `Store`, `Refused` where a proof cannot be signed.
    pub async fn tenant_proofs(&self, tenant: TenantId, after: Option<Uuid>) -> Result<Proofs, GatewayError> {
        self.proofs_of((tenant, None), after).await
    }

    async fn proofs_of(
        &self,
        (tenant, job): (TenantId, Option<JobId>),
        after: Option<Uuid>,
    ) -> Result<Proofs, GatewayError> {
        let tenant = self.store.tenant(tenant).await?.ok_or(GatewayError::UnknownTenant)?;
        let page = self.store.proved_deletions((tenant.id, job), after, PAGE).await?;
        let next = page.last().map(|(erased, ..)| erased.deletion_id).filter(|_| page.len() == PAGE as usize);
        let mut proofs = Vec::with_capacity(page.len());
        for (erased, checkpoint, proved_at_ms) in &page {
            proofs.push(self.ledger.deletion_proof(erased, *checkpoint, (*proved_at_ms, &tenant.policy)).await?);
        }
        Ok(Proofs { proofs, next })
    }

    /// Key-destruction certificates of the tenant, oldest version first.
    ///
    /// # Errors
    /// `Store`, `Refused` where one cannot be signed.
    pub async fn certificates(&self, tenant: TenantId) -> Result<Vec<String>, GatewayError> {
        let mut certificates = Vec::new();
        for gone in self.store.kek_destructions(tenant).await? {
            certificates.push(self.ledger.destruction(&gone, gone.destroyed_at_ms).await?);
        }
        Ok(certificates)
    }

    /// Keeps a user's data from being erased.
    ///
    /// # Errors
    /// `UnknownTenant`, `Store`.
    pub async fn hold(&self, tenant: TenantId, user: &UserId, matter: &str) -> Result<Hold, GatewayError> {
        self.store.tenant(tenant).await?.ok_or(GatewayError::UnknownTenant)?;
        Ok(self.store.place_hold(NewHold { tenant, user, matter, placed_by: OPERATOR }).await?)
    }

    /// Ends a hold and does what waited for the user's last one.
    ///
    /// # Errors
    /// `Store`; an unknown hold is a value.
    pub async fn release(&self, tenant: TenantId, hold: HoldId) -> Result<ReleaseHold, GatewayError> {
        Ok(self.store.release_hold(tenant, hold, OPERATOR).await?)
    }

    /// How many references there are, by tenant and feature space.
    ///
    /// # Errors
    /// `Store`.
    pub async fn reference_counts(&self) -> Result<Vec<ReferenceCount>, GatewayError> {
        Ok(self.store.reference_counts().await?)
    }

    /// A tenant's holds, newest first, at most 1,000: those that stand or all of them.
    ///
    /// # Errors
    /// `Store`.
    pub async fn holds(&self, tenant: TenantId, standing: bool) -> Result<Vec<Hold>, GatewayError> {
        Ok(self.store.holds(tenant, standing, LISTED).await?)
    }

    /// The newest head of a tenant's audit chain that the log was told, with its proof; `None` where it was told none yet.
    ///
    /// # Errors
    /// `Refused` where the database does not answer, or its log does not lead to its root.
    pub async fn audit_anchor(&self, tenant: TenantId) -> Result<Option<String>, GatewayError> {
        let proof = prove(&self.store, &tenant.to_string()).await?;
        proof.map(|proof| proof.to_text().map_err(|_| Reason::Internal.into())).transpose()
    }

    /// The newest leaf about a signing key that the log tells of, by its thumbprint, with its proof; `None` where it has no place yet
    /// or there is none.
    ///
    /// # Errors
    /// As [`Desk::audit_anchor`].
    pub async fn key_leaf(&self, kid: &str) -> Result<Option<String>, GatewayError> {
        let proof = prove(&self.store, kid).await?;
        proof.map(|proof| proof.to_text().map_err(|_| Reason::Internal.into())).transpose()
    }

    /// Notes what is about to be done to a signing key.
    ///
    /// # Errors
    /// `Store`.
    pub async fn intend(&self, statement: &KeyStatement) -> Result<(), GatewayError> {
        Ok(self.store.intend(statement).await?)
    }

    /// What was intended and is not told yet.
    ///
    /// # Errors
    /// `Store`.
    pub async fn intended(&self) -> Result<Vec<KeyStatement>, GatewayError> {
        Ok(self.store.intended().await?)
    }

    /// Tells audit and log of what was intended and came true. False: it was told before.
    ///
    /// # Errors
    /// `Store`; tried again it goes on.
    pub async fn state(&self, statement: &KeyStatement) -> Result<bool, GatewayError> {
        Ok(self.store.state(statement, OPERATOR).await?)
    }

    /// Holds a tenant's audit chain, and the log, against a head that was kept elsewhere; `keys` are the ledger's.
    ///
    /// # Errors
    /// `Store`. What is wrong with chain or log is a value.
    pub async fn check_audit(
        &self,
        tenant: TenantId,
        held: &Logged,
        keys: &TrustedKeys,
    ) -> Result<AuditCheck, GatewayError> {
        Ok(audit::check(&self.store, (tenant, held), keys).await?)
    }

    /// Destroys the salts of a user's leaves in the log.
    ///
    /// # Errors
    /// `Store`.
    pub async fn erase_salts(&self, tenant: TenantId, user: &UserId) -> Result<EraseSalts, GatewayError> {
        Ok(self.store.erase_salts(tenant, user, OPERATOR).await?)
    }

    async fn queue(&self, new: NewJob<'_>) -> Result<JobId, GatewayError> {
        match self.store.queue_job(new).await? {
            QueueResult::Queued(id) => Ok(id),
            QueueResult::RunsAlready(id) => Err(GatewayError::RunsAlready(id)),
            QueueResult::UnknownTenant => Err(GatewayError::UnknownTenant),
        }
    }

    /// Jobs, newest first: one tenant's or everybody's, at most 1,000.
    ///
    /// # Errors
    /// `Store`.
    pub async fn jobs(&self, tenant: Option<TenantId>) -> Result<Vec<Job>, GatewayError> {
        Ok(self.store.jobs(tenant, LISTED).await?)
    }

    /// One job.
    ///
    /// # Errors
    /// `UnknownJob`, `Store`.
    pub async fn job(&self, id: JobId) -> Result<Job, GatewayError> {
        self.store.job(id).await?.ok_or(GatewayError::UnknownJob)
    }

    /// Ends a job; what it did stays done. False: it had ended before.
    ///
    /// # Errors
    /// `UnknownJob`, `Store`.
    pub async fn cancel(&self, id: JobId) -> Result<bool, GatewayError> {
        let job = self.job(id).await?;
        Ok(self.store.cancel_job(&job, OPERATOR).await?)
    }

    /// Erases again what came back with an older database; while no gateway serves it.
    ///
    /// # Errors
    /// `JournalUnnamed`, `Journal`, `Store`; tried again it goes on.
    pub async fn replay(&self) -> Result<Replayed, GatewayError> {
        restore::replay(&self.store, start::open_journal(self.journal.as_ref()).await?.as_ref()).await
    }

    /// Copies the database to a new file, beside gateways that serve it; with where the deletion journal stood.
    ///
    /// # Errors
    /// `Store`.
    pub async fn back_up(&self, to: &Path) -> Result<(BackedUp, Option<JournalHead>), GatewayError> {
        // Seen before the copy, so the copy is at least as new.
        let seen = self.store.journal_head().await?;
        Ok((self.store.back_up(to).await?, seen))
    }

    /// Closes the database.
    pub async fn close(self) {
        self.store.close().await;
    }
}
