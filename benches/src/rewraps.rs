//! A rotation's rate: references read, rewrapped under a new KEK version from key files, and exchanged durably, a second, beside the
//! `fsync`s that the same file system does in a second. The call from gateway to worker, two for 1,024 rows at most, is left out.

use crate::{
    blocks::{median, stopwatch},
    books::{Books, Place, fsyncs_per_second},
};
use anyhow::{Context as _, Result, ensure};
use biometrics::{JobId, TenantId};
use custody::{KekRef, Kms, KmsConfig};
use serde_json::json;
use service::Clock;
use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt as _, time::Duration};
use store::{BatchResult, FenceResult, Job, JobKind, NewJob, QueueResult, Rewrapped, Step, Store};

/// As `[jobs] batch` by default.
const BATCH: u32 = 256;
const ROTATIONS: usize = 3;

/// How many are rotated.
#[derive(Debug, clap::Args)]
pub(crate) struct Vault {
    #[command(flatten)]
    place: Place,
    /// References.
    #[arg(long, default_value_t = 100_000)]
    references: usize,
}

/// Prints one JSON object.
pub(crate) async fn run(vault: &Vault) -> Result<()> {
    let books = Books::open(&vault.place).await?;
    let directory = books.folder().join("keys");
    DirBuilder::new().mode(0o700).create(&directory)?;
    Kms::make_room_for_keks(&directory)?;
    let (kms, name) = (Kms::open(&KmsConfig::File { directory }, Clock::system())?, books.tenant.to_string());
    let mut version = kms.make_kek(&name)?;
    let kek = KekRef { tenant: &name, version };
    books.enroll(0..vault.references, |row| Ok(kms.wrap(kek, &[8; 32], row.id.uuid().as_bytes())?)).await?;
    let (mut rates, mut fsyncs) = (vec![], vec![]);
    for _ in 0..ROTATIONS {
        fsyncs.push(fsyncs_per_second(books.folder(), Duration::from_secs(1))?);
        let next = kms.make_kek(&name)?;
        let job = begin(&books.store, books.tenant, next).await?;
        let watch = stopwatch();
        let rewrapped = rewrap(&books.store, (&kms, &name), (job, next)).await?;
        rates.push(rewrapped as f64 / watch().as_secs_f64());
        ensure!(rewrapped == vault.references as u64, "{rewrapped} were rewrapped");
        version = next;
    }
    println!(
        "{}",
        json!({
            "bench": "rewraps", "references": vault.references, "batch": BATCH, "kek_version": version,
            "rewraps_per_s": median(&mut rates), "fsyncs_per_s": median(&mut fsyncs),
        })
    );
    Ok(())
}

/// A rotation that has made its version and is about to rewrap.
async fn begin(store: &Store, tenant: TenantId, version: u32) -> Result<JobId> {
    let new = NewJob { tenant, kind: JobKind::RotateKek, cause: None, users: None, requested_by: "bench" };
    let QueueResult::Queued(id) = store.queue_job(new).await? else { anyhow::bail!("a rotation runs") };
    store.begin_job(&read(store, id).await?).await?;
    store.kek_made(&read(store, id).await?, version).await?;
    let tenant = store.tenant(tenant).await?.context("no tenant")?;
    let secrets = store::TenantSecretsRow { kek_version: version, ..tenant.secrets.clone() };
    store.exchange_secrets(tenant.id, tenant.secrets.kek_version, &secrets, None).await?;
    Ok(id)
}

/// What gateway and worker do with one batch after the other, until nothing is left under an old version. Ends the job.
async fn rewrap(store: &Store, (kms, name): (&Kms, &str), (id, to): (JobId, u32)) -> Result<u64> {
    let mut rewrapped = 0;
    loop {
        let job = read(store, id).await?;
        let batch = store.deks_below(&job, to, BATCH).await?;
        let Some(last) = batch.last().map(|row| row.user.clone()) else { break };
        let mut keys = kms.batch(name);
        let mut exchanged = Vec::with_capacity(batch.len());
        for old in batch {
            let aad = *old.reference.uuid().as_bytes();
            let place = |version| custody::Place { version, aad: &aad };
            let wrapped = keys.rewrap(place(old.kek_version), &old.wrapped, place(to))?;
            exchanged.push(Rewrapped { old, wrapped });
        }
        let BatchResult::Committed { exchanged } = store.exchange_deks(&job, &exchanged, (to, &last)).await? else {
            anyhow::bail!("superseded")
        };
        rewrapped += exchanged;
    }
    let fenced = store.fence(&read(store, id).await?, to).await?;
    ensure!(fenced == FenceResult::Fenced, "{fenced:?}");
    ensure!(read(store, id).await?.step == Step::Drain, "the job stands elsewhere");
    store.cancel_job(&read(store, id).await?, "bench").await?;
    Ok(rewrapped)
}

async fn read(store: &Store, id: JobId) -> Result<Job> {
    store.job(id).await?.context("no job")
}
