//! The audit changed by somebody who may write the database and holds the ledger key: seen every time against a head that was kept
//! elsewhere, and not seen by whoever kept none (TARGETS R5).

use anyhow::{Context, Result, bail, ensure};
use custody::PemKey;
use gateway::{AuditCheck, Config, desk::Desk};
use receipt::{KeySet, LogProof, Logged, Pin, TrustedKeys, checkpoint_note, jwks_document, thumbprint};
use std::{
    convert::Infallible,
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};
use store::{AuditBody, Chain, EraseSalts, NewTenant, Store, StoreConfig, TenantSecretsRow};
use support::{
    cluster::PUBLIC_URL,
    forger::{Forger, Order, TOLD_ANEW, WAYS},
    skips, surgery,
};

const TRIALS: &str = "COUNTERSIGN_TORTURE_TRIALS";
const FULL: &str = "COUNTERSIGN_TORTURE_FULL";
/// Entries of each tenant that the kept head covers.
const ENTRIES: i64 = 40;

/// How many trials: by number, or at full size, or as CI has time for.
fn trials() -> u64 {
    let asked = std::env::var(TRIALS).ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(if std::env::var_os(FULL).is_some() { 10_000 } else { 1_000 })
}

/// A database with a log, the ledger's key, and what was kept elsewhere.
struct Books {
    dir: tempfile::TempDir,
    tenant: biometrics::TenantId,
    keys: TrustedKeys,
    held: Logged,
    covered: i64,
}

/// Everything that waits comes into the log, signed as the gateway signs.
async fn sequence(store: &Store, ledger: &PemKey) -> Result<()> {
    while let Some(work) = store.log_work(512).await? {
        let growth = receipt::grow(&work.head, &work.edge, &work.queue).map_err(receipt::Refused::from)?;
        let sign = |text: &[u8]| Ok::<_, Infallible>(ledger.sign(text));
        let note = checkpoint_note(&growth.head, &format!("{PUBLIC_URL}/ledger"), &ledger.public(), sign)?;
        ensure!(store.grow_log(&work, &growth, &note).await?, "somebody else grows it");
    }
    Ok(())
}

impl Books {
    async fn lay() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        DirBuilder::new().mode(0o700).create(dir.path().join("keys"))?;
        let ledger = PemKey::create(dir.path().join("keys/ledger.pem"))?;
        let root = PemKey::create(dir.path().join("root.pem"))?;
        let issuer = format!("{PUBLIC_URL}/ledger");
        let set = KeySet { iss: &issuer, iat: 1, keys: &[ledger.public()], root: root.public() };
        let document = jwks_document(&set, |message| Ok::<_, Infallible>(root.sign(message)))?;
        let pin = Pin { issuer: &issuer, root_thumbprint: &thumbprint(&root.public()) };
        let keys = TrustedKeys::from_document(&document, pin)?;
        let store = Store::open(StoreConfig::at(dir.path().join("base.sqlite"))).await?;
        let tenants = [1, 2].map(|number| biometrics::TenantId::new(uuid::Uuid::from_u128(number)));
        for tenant in tenants {
            make_tenant(&store, tenant).await?;
            for i in 0..ENTRIES - 1 {
                let body = AuditBody::default().with("i", i).with("user_id", format!("user-{}", i % 7));
                store.audit(tenant, "test.entry", body).await?;
                if i == ENTRIES / 2 {
                    store.tell_audit(tenant).await?;
                    sequence(&store, &ledger).await?;
                }
            }
            store.tell_audit(tenant).await?;
        }
        sequence(&store, &ledger).await?;
        let [tenant, _] = tenants;
        let anchor = on(dir.path(), "base.sqlite", async |desk| Ok(desk.audit_anchor(tenant).await?)).await?;
        let held = LogProof::read(&anchor.context("no anchor")?)?.verify(&keys)?;
        // What comes after the kept head is not covered by it.
        for i in 0..5 {
            store.audit(tenant, "test.later", AuditBody::default().with("i", i)).await?;
        }
        store.tell_audit(tenant).await?;
        sequence(&store, &ledger).await?;
        store.checkpoint().await?;
        store.close().await;
        Ok(Self { dir, tenant, keys, held, covered: ENTRIES })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn ledger(&self) -> Result<PemKey> {
        Ok(PemKey::open(self.path("keys/ledger.pem"))?)
    }

    /// What a check against the kept head says of a copy.
    async fn check(&self, name: &str) -> Result<AuditCheck> {
        on(self.dir.path(), name, async |desk| Ok(desk.check_audit(self.tenant, &self.held, &self.keys).await?)).await
    }

    /// Whether somebody who kept nothing finds a copy good: the chain in itself, and against what the log says now.
    async fn passes_unheld(&self, name: &str) -> Result<bool> {
        let store = Store::open(StoreConfig::at(self.path(name))).await?;
        let whole = matches!(store.verify_audit(self.tenant).await?, Chain::Intact { .. });
        store.close().await;
        if !whole {
            return Ok(false);
        }
        on(self.dir.path(), name, async |desk| {
            let Some(now) = desk.audit_anchor(self.tenant).await? else { return Ok(true) };
            let now = LogProof::read(&now)?.verify(&self.keys)?;
            Ok(matches!(desk.check_audit(self.tenant, &now, &self.keys).await?, AuditCheck::Holds { .. }))
        })
        .await
    }

    /// One copy, forged; answers its name.
    async fn forged(&self, forger: &mut Forger, way: &str, seed: u64) -> Result<&'static str> {
        let name = "forged.sqlite";
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(self.path(&format!("{name}{suffix}")));
        }
        fs::copy(self.path("base.sqlite"), self.path(name))?;
        let (database, tenant) = (&*self.path(name), self.tenant.to_string());
        forger.forge(&Order { database, tenant: &tenant, way, covered: self.covered, seed })?;
        if TOLD_ANEW.contains(&way) {
            let store = Store::open(StoreConfig::at(database)).await?;
            store.tell_audit(self.tenant).await?;
            sequence(&store, &self.ledger()?).await?;
            store.close().await;
        }
        Ok(name)
    }
}

/// Works at the operator's desk of one database file.
async fn on<T>(dir: &Path, name: &str, work: impl AsyncFnOnce(&Desk) -> Result<T>) -> Result<T> {
    let sample = include_str!("../../deploy/config/gateway.toml")
        .replace("https://countersign.example", PUBLIC_URL)
        .replace("/var/lib/countersign/countersign.db", &dir.join(name).to_string_lossy())
        .replace("/etc/countersign/keys/gateway", &dir.join("keys").to_string_lossy());
    let path = dir.join("gateway.toml");
    fs::write(&path, sample)?;
    let config: Config = service::config::load(&path)?;
    let desk = Desk::open(&config).await?;
    let done = work(&desk).await;
    desk.close().await;
    done
}

async fn make_tenant(store: &Store, id: biometrics::TenantId) -> Result<()> {
    let secrets = TenantSecretsRow { kek_version: 1, transform_key: vec![1; 60], pseudonym_key: vec![2; 60] };
    let policy = biometrics::Policy::testing();
    let new = NewTenant { id, name: "bank".to_owned(), test: true, policy, secrets, audit: AuditBody::default() };
    Ok(store.create_tenant(new).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn r5_an_audit_that_was_changed_is_seen_against_what_was_kept_elsewhere() -> Result<()> {
    if skips::or_skip("audit_tamper", surgery::possible()).is_none() {
        return Ok(());
    }
    let (books, trials) = (Books::lay().await?, trials());
    let holds = books.check("base.sqlite").await?;
    ensure!(matches!(holds, AuditCheck::Holds { entries: 45, covered: 45 }), "control: untouched, {holds:?}");
    let (mut forger, mut missed, mut unheld, mut whole) = (Forger::start()?, Vec::new(), 0_u64, 0_u64);
    for trial in 0..trials {
        let way = WAYS[usize::try_from(trial % WAYS.len() as u64)?];
        let name = books.forged(&mut forger, way, trial).await?;
        match books.check(name).await? {
            AuditCheck::Changed { seq } if seq <= books.covered + 1 => {}
            AuditCheck::Log(_) if way == "rewrite" => {}
            other => missed.push((way, trial, other)),
        }
        // The sabotage: the same check without what was kept elsewhere.
        if TOLD_ANEW.contains(&way) && trial < 80 {
            whole += 1;
            unheld += u64::from(books.passes_unheld(name).await?);
        }
    }
    let triggered = whole > 0 && unheld == whole;
    println!(
        "torture: {{\"id\":\"R5\",\"trials\":{trials},\"failures\":{},\"bound\":{:e},\"control_triggered\":{triggered}}}",
        missed.len(),
        3.0 / trials as f64
    );
    println!("without what was kept elsewhere {unheld} of {whole} forgeries that agree with themselves pass");
    ensure!(missed.is_empty(), "not seen: {missed:?}");
    ensure!(triggered, "control: without what was kept, {whole} forgeries should pass, {unheld} do");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lawful_erasure_and_growth_change_nothing_that_was_kept() -> Result<()> {
    let books = Books::lay().await?;
    let store = Store::open(StoreConfig::at(books.path("base.sqlite"))).await?;
    match store.erase_salts(books.tenant, &"user-1".parse()?, "test").await? {
        EraseSalts::Erased(_) => {}
        EraseSalts::Held => bail!("held"),
    }
    sequence(&store, &books.ledger()?).await?;
    store.close().await;
    let holds = books.check("base.sqlite").await?;
    ensure!(matches!(holds, AuditCheck::Holds { entries: 46, .. }), "{holds:?}");
    let other = biometrics::TenantId::new(uuid::Uuid::from_u128(2));
    let check = async |desk: &Desk| Ok(desk.check_audit(other, &books.held, &books.keys).await?);
    let found: AuditCheck = on(books.dir.path(), "base.sqlite", check).await?;
    assert_eq!(found, AuditCheck::OtherLeaf);
    Ok(())
}
