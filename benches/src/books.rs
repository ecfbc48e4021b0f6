//! A store with one tenant on the file system that is measured, and how fast that makes anything durable at all.
//!
//! Must never know: what is measured. Invariant: what is written goes through the store's own door, as a gateway's would.

use anyhow::{Context as _, Result, bail};
use biometrics::{
    CaptureMode, ChallengeId, Jti, Policy, Purpose, ReferenceId, TenantId, UserId, Verdict, strikes::Settlement,
};
use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};
use store::{
    AuditBody, ChallengeRow, CreateResult, LiveReceipt, NewChallenge, NewTenant, OpenAttempt, OpenResult, Opened,
    RecordOutcome, RecordResult, SealedRow, SinkConfig, SinkPlace, StatusSecret, Store, StoreConfig, TenantSecretsRow,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::blocks::stopwatch;

/// Enrollments between two words on how far they are.
const SAID_EVERY: usize = 50_000;
/// Enrollments at once.
const CALLERS: usize = 128;
/// As long as the sealed features of a face.
const CIPHERTEXT: usize = 2_100;

/// Where to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// A folder on the file system that is measured.
    #[arg(long, default_value = "target/bench-store")]
    pub(crate) folder: PathBuf,
}

/// A store of its own, removed at the end.
pub(crate) struct Books {
    pub(crate) store: Store,
    pub(crate) tenant: TenantId,
    dir: tempfile::TempDir,
}

impl Books {
    pub(crate) async fn open(place: &Place) -> Result<Self> {
        fs::create_dir_all(&place.folder)?;
        let dir = tempfile::tempdir_in(&place.folder)?;
        let store = Store::open(StoreConfig::at(dir.path().join("store.db"))).await?;
        let tenant = TenantId::new(id());
        let secrets = TenantSecretsRow { kek_version: 1, transform_key: vec![1; 61], pseudonym_key: vec![2; 61] };
        let (name, policy, audit) = ("bench".to_owned(), Policy::testing(), AuditBody::default());
        store.create_tenant(NewTenant { id: tenant, name, test: true, policy, secrets, audit }).await?;
        Ok(Self { store, tenant, dir })
    }

    /// The same database once more, with a file beside it that must take every line of the audit.
    pub(crate) async fn with_sink(&self) -> Result<Store> {
        let place = SinkPlace::File(self.dir.path().join("audit.jsonl"));
        let sink = SinkConfig { place, required: true, wait: Duration::from_secs(5) };
        let config = StoreConfig { sink: Some(sink), ..StoreConfig::at(self.dir.path().join("store.db")) };
        Ok(Store::open(config).await?)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Enrolls so many users, many at once; `wrap` gives each reference its wrapped DEK.
    pub(crate) async fn enroll(
        &self,
        users: std::ops::Range<usize>,
        wrap: impl Fn(&SealedRow) -> Result<Vec<u8>>,
    ) -> Result<()> {
        let mut going = JoinSet::new();
        let (of, first) = (users.len(), users.start);
        for number in users {
            if number > first && (number - first).is_multiple_of(SAID_EVERY) {
                eprintln!("enrolled {} of {of}", number - first);
            }
            let mut row = reference();
            row.wrapped_dek = wrap(&row)?;
            let (store, tenant) = (self.store.clone(), self.tenant);
            going.spawn(async move { enroll(&store, tenant, &user(number)?, row).await });
            if going.len() >= CALLERS {
                going.join_next().await.context("nobody is enrolled")???;
            }
        }
        while let Some(enrolled) = going.join_next().await {
            enrolled??;
        }
        Ok(())
    }
}

/// What a gateway stores around one verification: T1, then T2. Answers how long both took, and what is done between them.
pub(crate) async fn verify(
    store: &Store,
    tenant: TenantId,
    user: &UserId,
    between: impl FnOnce() -> Result<()>,
) -> Result<Duration> {
    let challenge = challenge(store, tenant, user, Purpose::Verify).await?;
    let watch = stopwatch();
    let opened = open(store, &challenge).await?;
    between()?;
    record(store, &opened, None).await?;
    Ok(watch())
}

async fn enroll(store: &Store, tenant: TenantId, user: &UserId, row: SealedRow) -> Result<()> {
    let challenge = challenge(store, tenant, user, Purpose::Enroll).await?;
    let opened = open(store, &challenge).await?;
    record(store, &opened, Some(row)).await
}

async fn challenge(store: &Store, tenant: TenantId, user: &UserId, purpose: Purpose) -> Result<ChallengeRow> {
    let new = NewChallenge {
        id: ChallengeId::new(id()),
        tenant,
        user: user.clone(),
        purpose,
        replace: false,
        action_json: r#"{"type":"bench"}"#.to_owned(),
        action_sha256: [3; 32],
        rp_nonce: vec![4; 16],
        mode: CaptureMode::Passive,
        max_attempts: 1,
        ttl_s: 600,
        idempotency: None,
        display_sha256: [5; 32],
    };
    match store.create_challenge(new).await? {
        CreateResult::Created(row) => Ok(*row),
        other => bail!("{other:?}"),
    }
}

async fn open(store: &Store, challenge: &ChallengeRow) -> Result<Opened> {
    let open = OpenAttempt {
        told: AuditBody::default(),
        tenant: challenge.tenant,
        challenge: challenge.id,
        attempt: 0,
        purpose: challenge.purpose,
        lease_ms: 60_000,
        jti: Jti::new(id()),
        status: StatusSecret::new(&[6; 32]),
        feature_spaces: None,
        frames: Vec::new(),
    };
    match store.open_attempt(open).await? {
        OpenResult::Opened(opened) => Ok(*opened),
        OpenResult::Refused(refused) => bail!("{refused:?}"),
    }
}

async fn record(store: &Store, opened: &Opened, reference: Option<SealedRow>) -> Result<()> {
    let (jti, expires_at_ms) = (opened.jti, opened.lease_until_ms);
    let outcome = RecordOutcome {
        tenant: opened.tenant.id,
        lease_id: opened.lease_id,
        verdict: Verdict::Accept,
        settlement: Settlement::Reset,
        audit: AuditBody::default(),
        reference,
        succession: None,
        receipt: LiveReceipt {
            jti,
            pseudonym: "bench".to_owned(),
            expires_at_ms,
            iss: "bench".to_owned(),
            sha256: [8; 32],
        },
    };
    match store.record_outcome(outcome).await? {
        RecordResult::Recorded(_) => Ok(()),
        other => bail!("{other:?}"),
    }
}

fn reference() -> SealedRow {
    SealedRow {
        id: ReferenceId::new(id()),
        epoch: 1,
        feature_space: "bench".to_owned(),
        transform_version: 1,
        schema: 1,
        kek_version: 1,
        wrapped_dek: Vec::new(),
        ciphertext: vec![7; CIPHERTEXT],
        commitment: [9; 32],
        transform_generation: 1,
        created_at_ms: 0,
    }
}

pub(crate) fn user(number: usize) -> Result<UserId> {
    // Scattered over the order of names, as users come.
    Ok(format!("user-{:08}", number.wrapping_mul(7_919_993) % 100_000_000).parse()?)
}

fn id() -> Uuid {
    Uuid::from_u128(rand::random())
}

/// How often a second four kilobytes at the end of a file of this folder are made durable.
pub(crate) fn fsyncs_per_second(folder: &Path, least: Duration) -> Result<f64> {
    let path = folder.join("fsync");
    let mut file = File::create(&path)?;
    let (watch, mut times) = (stopwatch(), 0_u32);
    while watch() < least {
        file.write_all(&[0xa5; 4096])?;
        file.sync_data()?;
        times += 1;
    }
    let rate = f64::from(times) / watch().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}
