//! What a Postgres server keeps of what was deleted: dead rows and its log, sealed, until it recycles them. None of it opens once the
//! KEK version is destroyed that wrapped its keys (TARGETS R12).

use anyhow::{Context, Result, ensure};
use biometrics::{Policy, TenantId};
use custody::{KekRef, Kms, KmsConfig};
use service::Clock;
use std::path::{Path, PathBuf};
use store::{AuditBody, NewTenant, Place, PostgresConfig, Role, Store, StoreConfig, TenantSecretsRow};
use support::{
    cluster::cli,
    database::{self, Database, OWNER},
    hoard::Hoard,
    scan::{self, Needles},
    skips, surgery,
    torture::{self, Report},
};

/// A database with its tables, and where its server keeps what it has on disk.
async fn place() -> Result<(Database, Store, PathBuf)> {
    let database = Database::on_server()?;
    let Database::Server { socket, .. } = &database else { anyhow::bail!("no server") };
    let disk = socket.join("data");
    let StoreConfig { place: Place::Postgres(served), .. } = database.config() else { anyhow::bail!("no server") };
    let owner = Some(Role { name: OWNER.to_owned(), password_file: None });
    Ok((database, Store::open(PostgresConfig { owner, ..*served }.into()).await?, disk))
}

async fn make_tenant(store: &Store, id: TenantId) -> Result<()> {
    let secrets = TenantSecretsRow { kek_version: 1, transform_key: vec![1; 60], pseudonym_key: vec![2; 60] };
    let (name, policy, audit) = ("kept".to_owned(), Policy::testing(), AuditBody::default());
    Ok(store.create_tenant(NewTenant { id, name, test: true, policy, secrets, audit }).await?)
}

fn keys(folder: &Path) -> Result<Kms> {
    let place = folder.join("keys");
    cli(&["keys", "init", &place.to_string_lossy(), "--public-url", "https://countersign.test"])?;
    Ok(Kms::open(&KmsConfig::File { directory: place.join("worker") }, Clock::system())?)
}

#[tokio::test(flavor = "multi_thread")]
async fn r12_what_postgres_keeps_of_a_deletion_does_not_open_once_the_key_version_is_destroyed() -> Result<()> {
    if skips::or_skip("remnants/postgres", database::possible()).is_none() {
        return Ok(());
    }
    let trials = torture::trials(100, 5_000);
    let ((database, store, disk), folder) = (place().await?, tempfile::tempdir()?);
    let (kms, tenant) = (keys(folder.path())?, TenantId::new(uuid::Uuid::from_u128(12)));
    make_tenant(&store, tenant).await?;
    let name = tenant.to_string();
    kms.make_kek(&name)?;
    let mut hoard = Hoard::on(store, (tenant, kms.clone()), "any-model");
    let mut rows = Vec::new();
    for _ in 0..trials {
        let user = hoard.add().await?;
        let row = hoard.store.reference(tenant, &user).await?.context("no row")?;
        hoard.erase(&user).await?;
        rows.push((user, row));
    }
    ensure!(hoard.store.checkpoint().await?.leaves_remnants(), "a proof would say that nothing is left");
    surgery::operate(&database, &["CHECKPOINT"])?;
    // The control: the dead rows are there, as anybody with the disk finds them, and the living key opens them.
    let needles = rows.iter().map(|(_, row)| row.wrapped_dek.clone()).collect();
    let found = scan::files(&[&disk], &Needles::these(needles))?;
    ensure!(!found.is_empty(), "nothing is left on disk: the test looks in the wrong place");
    let opens = rows.iter().filter(|(user, row)| hoard.unseal(user, row).is_ok()).count();

    kms.make_kek(&name)?;
    kms.destroy_kek(KekRef { tenant: &name, version: 1 })?;
    let mut report = Report::of("R12");
    for (user, row) in &rows {
        let opened = hoard.unseal(user, row).is_ok();
        report.count(if opened { Err(anyhow::anyhow!("a remnant of {user} opens")) } else { Ok(()) });
    }
    println!(
        "R12: {trials} deleted rows, remnants in {} files; {opens} opened before the key was destroyed",
        found.len()
    );
    report.control_triggered = opens == trials;
    hoard.store.close().await;
    report.close()
}
