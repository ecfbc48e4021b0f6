//! What a Postgres server keeps of what was deleted: dead rows and its log, sealed, until it recycles them. None of it opens once the
//! KEK version is destroyed that wrapped its keys (TARGETS R12).

#[expect(dead_code, reason = "the store's own tests use all of it")]
#[path = "../../crates/store/src/tests/server.rs"]
mod server;

use anyhow::{Context, Result, ensure};
use biometrics::{Policy, TenantId};
use custody::{KekRef, Kms, KmsConfig};
use server::{SUPERUSER, Server, Wished, binaries};
use service::Clock;
use std::{path::Path, process::Command};
use store::{AuditBody, NewTenant, PostgresConfig, Role, Store, TenantSecretsRow};
use support::{
    cluster::{cli, output},
    hoard::Hoard,
    scan::{self, Needles},
    skips,
    torture::{self, Report},
};

/// A server with a database of ours.
struct Place {
    server: Server,
    bin: std::path::PathBuf,
}

impl Place {
    fn open() -> Result<Self> {
        let bin = binaries().context("no Postgres is installed")?;
        let server = Server::start(Wished { identity: None, settings: "-c autovacuum=off -c fsync=off" })?;
        let place = Self { server, bin };
        for sql in ["CREATE ROLE owner LOGIN", "CREATE ROLE serving LOGIN", "CREATE DATABASE kept OWNER owner"] {
            place.sql(sql)?;
        }
        Ok(place)
    }

    fn sql(&self, sql: &str) -> Result<()> {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", SUPERUSER, "-d", "postgres", "-c", sql, "-h"]);
        output(psql.arg(&self.server.socket)).map(drop)
    }

    async fn store(&self) -> Result<Store> {
        let role = |name: &str| Role { name: name.to_owned(), password_file: None };
        let socket = self.server.socket.to_string_lossy();
        let config =
            PostgresConfig { owner: Some(role("owner")), ..PostgresConfig::new(&*socket, "kept", role("serving")) };
        Ok(Store::open(config.into()).await?)
    }

    /// Everything that the server keeps on disk.
    fn files(&self) -> std::path::PathBuf {
        self.server.socket.join("data")
    }
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
    let Some(place) = skips::or_skip("remnants/postgres", Place::open()) else { return Ok(()) };
    let trials = torture::trials(100, 5_000);
    let (store, folder) = (place.store().await?, tempfile::tempdir()?);
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
    place.sql("CHECKPOINT")?;
    // The control: the dead rows are there, as anybody with the disk finds them, and the living key opens them.
    let needles = rows.iter().map(|(_, row)| row.wrapped_dek.clone()).collect();
    let found = scan::files(&[&place.files()], &Needles::these(needles))?;
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
