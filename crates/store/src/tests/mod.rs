//! The store's tests, against a real SQLite file. This file owns the fixture: one tenant, its challenges and shortcuts
//! through T1 and T2.

mod audit;
mod challenges;
mod deaths;
mod erasure;
mod faults;
mod frames;
mod opening;
mod outcomes;
mod strikes;
mod sweep;
mod tenants;

use crate::{
    AuditBody, ChallengeRow, CreateResult, FrameHash, LiveReceipt, NewChallenge, NewTenant, OpenAttempt, OpenRefused,
    OpenResult, Opened, RecordOutcome, RecordResult, Recorded, SealedRow, Store, StoreConfig, StoreError,
    TenantSecretsRow, door::make_id,
};
use biometrics::{
    CaptureMode, ChallengeId, Jti, Policy, Purpose, ReferenceId, TenantId, UserId, Verdict, strikes::Settlement,
};
use std::{path::PathBuf, time::Duration};
use tempfile::TempDir;

/// One store in a folder of its own with one tenant.
struct Fixture {
    store: Store,
    tenant: TenantId,
    dir: TempDir,
}

fn config(dir: &TempDir) -> StoreConfig {
    StoreConfig { checkpoint_wait: Duration::from_millis(20), ..StoreConfig::at(dir.path().join("store.db")) }
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn new_tenant(id: TenantId) -> NewTenant {
    NewTenant {
        id,
        name: "Acme".into(),
        test: true,
        policy: Policy::testing(),
        secrets: TenantSecretsRow { kek_version: 1, transform_key: vec![1; 60], pseudonym_key: vec![2; 60] },
        audit: AuditBody::default().with("actor", "test"),
    }
}

fn new_challenge(tenant: TenantId, name: &str, purpose: Purpose) -> NewChallenge {
    NewChallenge {
        id: ChallengeId::new(make_id().unwrap()),
        tenant,
        user: user(name),
        purpose,
        replace: false,
        action_json: r#"{"type":"withdrawal"}"#.into(),
        action_sha256: [3; 32],
        rp_nonce: vec![4; 16],
        mode: CaptureMode::Passive,
        max_attempts: 3,
        ttl_s: 120,
        idempotency: None,
        display_sha256: [5; 32],
    }
}

/// A sealed reference whose secrets are bytes that a scan can find.
fn sealed(mark: u8) -> SealedRow {
    SealedRow {
        id: ReferenceId::new(make_id().unwrap()),
        epoch: 1,
        feature_space: "space-1".into(),
        transform_version: 1,
        schema: 1,
        kek_version: 1,
        wrapped_dek: [mark, 0xd1, 0xd2, 0xd3].repeat(15),
        ciphertext: [mark, 0xc1, 0xc2, 0xc3].repeat(150),
        commitment: [mark; 32],
        created_at_ms: 0,
    }
}

fn open_of(row: &ChallengeRow) -> OpenAttempt {
    OpenAttempt {
        tenant: row.tenant,
        challenge: row.id,
        attempt: 0,
        purpose: row.purpose,
        lease_ms: 60_000,
        jti: Jti::new(make_id().unwrap()),
        feature_space: None,
        frames: Vec::new(),
    }
}

/// Hashes of a capture's frames, each told by its mark.
fn frames(marks: &[u8]) -> Vec<FrameHash> {
    marks.iter().map(|mark| FrameHash([*mark; 16])).collect()
}

fn outcome(opened: &Opened, settlement: Settlement) -> RecordOutcome {
    let verdict = if settlement == Settlement::Reset { Verdict::Accept } else { Verdict::Refuse };
    RecordOutcome {
        lease_id: opened.lease_id,
        verdict,
        settlement,
        audit: AuditBody::default().with("gates", vec!["PASS", "FAIL"]),
        reference: None,
        receipt: LiveReceipt { jti: opened.jti, pseudonym: "p".into(), expires_at_ms: opened.lease_until_ms },
    }
}

impl Fixture {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(config(&dir)).await.unwrap();
        let tenant = TenantId::new(make_id().unwrap());
        store.create_tenant(new_tenant(tenant)).await.unwrap();
        Self { store, tenant, dir }
    }

    /// Has the tenant's policy remember frames for so long.
    async fn remember_frames(&self, frame_memory_seconds: u32) {
        let policy = Policy { frame_memory_seconds, ..Policy::testing() };
        assert!(self.store.put_policy(self.tenant, &policy, AuditBody::default()).await.unwrap());
    }

    /// Runs SQL past the door, as somebody at the file would.
    async fn sql(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&mut *self.store.writer_turn().await.unwrap()).await.unwrap();
    }

    async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut *self.store.read().await.unwrap()).await.unwrap()
    }

    async fn create(&self, new: NewChallenge) -> ChallengeRow {
        match self.store.create_challenge(new).await.unwrap() {
            CreateResult::Created(row) => *row,
            other => panic!("{other:?}"),
        }
    }

    async fn challenge(&self, name: &str, purpose: Purpose) -> ChallengeRow {
        self.create(new_challenge(self.tenant, name, purpose)).await
    }

    async fn open(&self, row: &ChallengeRow) -> Opened {
        match self.store.open_attempt(open_of(row)).await.unwrap() {
            OpenResult::Opened(opened) => *opened,
            OpenResult::Refused(refused) => panic!("{refused:?}"),
        }
    }

    async fn refused(&self, open: OpenAttempt) -> OpenRefused {
        match self.store.open_attempt(open).await.unwrap() {
            OpenResult::Refused(refused) => refused,
            OpenResult::Opened(opened) => panic!("{opened:?}"),
        }
    }

    async fn record(&self, outcome: RecordOutcome) -> Recorded {
        match self.store.record_outcome(outcome).await.unwrap() {
            RecordResult::Recorded(recorded) => *recorded,
            other => panic!("{other:?}"),
        }
    }

    /// Enrolls the user and answers the reference.
    async fn enroll(&self, name: &str, mark: u8) -> SealedRow {
        let challenge = self.challenge(name, Purpose::Enroll).await;
        let opened = self.open(&challenge).await;
        let reference = sealed(mark);
        self.record(RecordOutcome { reference: Some(reference.clone()), ..outcome(&opened, Settlement::Reset) }).await;
        reference
    }

    /// A VERIFY attempt of the user, decided.
    async fn verify(&self, name: &str, settlement: Settlement) -> Recorded {
        let challenge = self.challenge(name, Purpose::Verify).await;
        let opened = self.open(&challenge).await;
        self.record(outcome(&opened, settlement)).await
    }

    fn files(&self) -> [PathBuf; 2] {
        ["store.db", "store.db-wal"].map(|name| self.dir.path().join(name))
    }
}

/// Whether a call failed because the audit entry could not be written.
fn is_audit_unavailable<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::AuditUnavailable(_)))
}
