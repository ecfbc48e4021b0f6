//! What the tests share: one store with one tenant on either engine, shortcuts through T1 and T2, and a way past the door, as
//! somebody at the database would have it.

pub(super) use crate::{
    AuditBody, ChallengeRow, CreateResult, EraseResult, Erased, FrameHash, LiveReceipt, NewChallenge, NewTenant,
    OpenAttempt, OpenRefused, OpenResult, Opened, PutPolicy, RecordOutcome, RecordResult, Recorded, SealedRow,
    StatusSecret, Store, StoreConfig, StoreError, Succession, TenantSecretsRow, door::make_id,
};
pub(super) use biometrics::{
    CaptureMode, ChallengeId, Jti, Policy, Purpose, ReferenceId, TenantId, UserId, Verdict, strikes::Settlement,
};

use super::{
    postgres_home::{self, Database},
    sqlite_home::{self, Folder},
};

/// Which engine a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

/// Where a store lies, and what keeps it there.
pub(super) enum Home {
    Sqlite(Folder),
    Postgres(Database),
}

impl Home {
    /// A new place without a schema of its own on SQLite, with one on Postgres.
    pub(super) async fn on(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::Sqlite(Folder::new()),
            Engine::Postgres => Self::Postgres(Database::new().await),
        }
    }

    pub(super) fn config(&self) -> StoreConfig {
        match self {
            Self::Sqlite(folder) => folder.config(),
            Self::Postgres(database) => database.config(),
        }
    }

    /// In a word, for another process.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Sqlite(folder) => folder.path().to_str().unwrap().to_owned(),
            Self::Postgres(database) => database.address(),
        }
    }
}

/// What another process finds under a home's address.
pub(super) fn config_at(engine: Engine, address: &str) -> StoreConfig {
    match engine {
        Engine::Sqlite => sqlite_home::config_at(address.as_ref()),
        Engine::Postgres => postgres_home::config_at(address),
    }
}

/// One store in a place of its own with one tenant.
pub(super) struct Fixture {
    pub(super) store: Store,
    pub(super) tenant: TenantId,
    pub(super) home: Home,
}

pub(super) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

pub(super) fn new_tenant(id: TenantId) -> NewTenant {
    NewTenant {
        id,
        name: "Acme".into(),
        test: true,
        policy: Policy::testing(),
        secrets: TenantSecretsRow { kek_version: 1, transform_key: vec![1; 60], pseudonym_key: vec![2; 60] },
        audit: AuditBody::default().with("actor", "test"),
    }
}

pub(super) fn new_challenge(tenant: TenantId, name: &str, purpose: Purpose) -> NewChallenge {
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
pub(super) fn sealed(mark: u8) -> SealedRow {
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
        transform_generation: 1,
        created_at_ms: 0,
    }
}

pub(super) fn open_of(row: &ChallengeRow) -> OpenAttempt {
    OpenAttempt {
        told: AuditBody::default(),
        tenant: row.tenant,
        challenge: row.id,
        attempt: 0,
        purpose: row.purpose,
        lease_ms: 60_000,
        jti: Jti::new(make_id().unwrap()),
        status: secret(),
        feature_spaces: None,
        frames: Vec::new(),
    }
}

/// Orders the status lists of every fixture.
pub(super) fn secret() -> StatusSecret {
    StatusSecret::new(&[6; 32])
}

/// Hashes of a capture's frames, each told by its mark.
pub(super) fn frames(marks: &[u8]) -> Vec<FrameHash> {
    marks.iter().map(|mark| FrameHash([*mark; 16])).collect()
}

pub(super) fn outcome(opened: &Opened, settlement: Settlement) -> RecordOutcome {
    let verdict = if settlement == Settlement::Reset { Verdict::Accept } else { Verdict::Refuse };
    RecordOutcome {
        tenant: opened.tenant.id,
        lease_id: opened.lease_id,
        verdict,
        settlement,
        audit: AuditBody::default().with("gates", vec!["PASS", "FAIL"]),
        reference: None,
        succession: None,
        receipt: LiveReceipt {
            jti: opened.jti,
            pseudonym: "p".into(),
            expires_at_ms: opened.lease_until_ms,
            iss: "https://countersign.test/receipts".into(),
            sha256: [8; 32],
        },
    }
}

impl Fixture {
    pub(super) async fn on(engine: Engine) -> Self {
        let home = Home::on(engine).await;
        let store = Store::open(home.config()).await.unwrap();
        let tenant = TenantId::new(make_id().unwrap());
        store.create_tenant(new_tenant(tenant)).await.unwrap();
        Self { store, tenant, home }
    }

    /// What the first status list says is revoked.
    pub(super) async fn revoked(&self) -> Vec<u32> {
        self.store.revoked(1).await.unwrap().unwrap()
    }

    /// The same database once more, through connections of its own.
    pub(super) async fn again(&self) -> Store {
        Store::open(self.home.config()).await.unwrap()
    }

    /// Has the tenant's policy remember frames for so long.
    pub(super) async fn remember_frames(&self, frame_memory_seconds: u32) {
        self.put_policy(Policy { frame_memory_seconds, ..Policy::testing() }).await;
    }

    /// Puts the policy into force under a name of its own.
    pub(super) async fn put_policy(&self, policy: Policy) -> Policy {
        let policy = Policy { version: format!("v-{}", make_id().unwrap().simple()), ..policy };
        let put = self.store.put_policy(self.tenant, &policy, "test").await.unwrap();
        assert!(matches!(put, PutPolicy::Changed { .. }), "{put:?}");
        policy
    }

    /// Runs SQL past the door, as somebody at the database would. `{now}` is its time in Unix milliseconds.
    pub(super) async fn sql(&self, sql: &'static str) {
        self.try_sql(sql).await.unwrap();
    }

    pub(super) async fn try_sql(&self, sql: &'static str) -> Result<(), sqlx::Error> {
        match &self.home {
            Home::Sqlite(folder) => folder.run(&self.store, sql).await,
            Home::Postgres(database) => database.run(sql).await,
        }
    }

    /// SQL that each engine spells in its own way.
    pub(super) async fn sql_of(&self, sqlite: &'static str, postgres: &'static str) {
        self.sql(if matches!(self.home, Home::Sqlite(_)) { sqlite } else { postgres }).await;
    }

    /// The number that a statement selects under the name `number`.
    pub(super) async fn number(&self, sql: &'static str) -> i64 {
        match &self.home {
            Home::Sqlite(folder) => folder.number(&self.store, sql).await,
            Home::Postgres(database) => database.number(sql).await,
        }
    }

    /// Statements that write into the table fail from now on.
    pub(super) async fn break_audit(&self) {
        self.sql_of(
            "CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'audit sink'); END",
            "CREATE FUNCTION no_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'audit sink'; END $$;
             CREATE TRIGGER no_audit BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION no_audit()",
        )
        .await;
    }

    pub(super) async fn mend_audit(&self) {
        self.sql_of("DROP TRIGGER no_audit", "DROP TRIGGER no_audit ON audit").await;
    }

    /// Returns once no transaction of the tenant is in progress: those of callers that went away end in the background.
    pub(super) async fn settled(&self) {
        self.sql_of("SELECT 1", "SELECT id FROM tenants FOR UPDATE").await;
    }

    /// Takes the triggers off the audit that keep it append-only.
    pub(super) async fn unlock_audit(&self) {
        self.sql_of(
            "DROP TRIGGER audit_is_never_edited; DROP TRIGGER audit_is_never_cut",
            "DROP TRIGGER audit_is_never_edited ON audit; DROP TRIGGER audit_is_never_cut ON audit",
        )
        .await;
    }

    pub(super) async fn create(&self, new: NewChallenge) -> ChallengeRow {
        match self.store.create_challenge(new).await.unwrap() {
            CreateResult::Created(row) => *row,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn challenge(&self, name: &str, purpose: Purpose) -> ChallengeRow {
        self.create(new_challenge(self.tenant, name, purpose)).await
    }

    pub(super) async fn open(&self, row: &ChallengeRow) -> Opened {
        match self.store.open_attempt(open_of(row)).await.unwrap() {
            OpenResult::Opened(opened) => *opened,
            OpenResult::Refused(refused) => panic!("{refused:?}"),
        }
    }

    pub(super) async fn refused(&self, open: OpenAttempt) -> OpenRefused {
        match self.store.open_attempt(open).await.unwrap() {
            OpenResult::Refused(refused) => refused,
            OpenResult::Opened(opened) => panic!("{opened:?}"),
        }
    }

    pub(super) async fn record(&self, outcome: RecordOutcome) -> Recorded {
        match self.store.record_outcome(outcome).await.unwrap() {
            RecordResult::Recorded(recorded) => *recorded,
            other => panic!("{other:?}"),
        }
    }

    /// Enrolls the user and answers the reference.
    pub(super) async fn enroll(&self, name: &str, mark: u8) -> SealedRow {
        let challenge = self.challenge(name, Purpose::Enroll).await;
        let opened = self.open(&challenge).await;
        let reference = sealed(mark);
        self.record(RecordOutcome { reference: Some(reference.clone()), ..outcome(&opened, Settlement::Reset) }).await;
        reference
    }

    /// A VERIFY attempt of the user, decided.
    pub(super) async fn verify(&self, name: &str, settlement: Settlement) -> Recorded {
        let challenge = self.challenge(name, Purpose::Verify).await;
        let opened = self.open(&challenge).await;
        self.record(outcome(&opened, settlement)).await
    }

    /// Opens the next attempt with these frames.
    pub(super) async fn show(&self, row: &ChallengeRow, marks: &[u8]) -> Opened {
        let open = OpenAttempt { frames: frames(marks), ..open_of(row) };
        match self.store.open_attempt(open).await.unwrap() {
            OpenResult::Opened(opened) => *opened,
            OpenResult::Refused(refused) => panic!("{refused:?}"),
        }
    }

    /// A fresh challenge of a fresh user, answered with these frames: the positions that were shown before.
    pub(super) async fn replayed(&self, marks: &[u8]) -> Vec<u32> {
        let name = format!("user-{}", make_id().unwrap());
        self.show(&self.challenge(&name, Purpose::Enroll).await, marks).await.replayed
    }
}

/// Erases the user's reference.
pub(super) async fn erase(f: &Fixture, name: &str) -> Erased {
    match f.store.erase(f.tenant, &user(name), "user-request").await.unwrap() {
        EraseResult::Erased(erased) => erased,
        other => panic!("{other:?}"),
    }
}

/// Whether a call failed because the audit entry could not be written.
pub(super) fn is_audit_unavailable<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::AuditUnavailable(_)))
}
