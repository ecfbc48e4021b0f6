//! A backup that is put back: nobody is served from it before what was deleted since is deleted again (TARGETS R12), and a journal
//! that was cut or edited is no journal.

use anyhow::{Context, Result, ensure};
use biometrics::UserId;
use serde_json::Value;
use std::{fs, path::PathBuf, process::Command, time::Duration};
use support::{
    cluster::{cli, output},
    expect::refused,
    hoard::Hoard,
    places,
    scan::{self, Needles},
    scene::Scene,
    starts::start,
    torture::{self, Report},
};
use tokio::time::sleep;
use tonic::Code;
use wire::v1;

/// What somebody keeps who makes backups.
struct Attic {
    scene: Scene,
    hoard: Hoard,
    copy: PathBuf,
}

impl Attic {
    async fn open(test: &str, references: usize) -> Result<Option<Self>> {
        let Some(scene) = Scene::on_files(test).await? else { return Ok(None) };
        let mut hoard = Hoard::open(&scene.cluster, &scene.tenant).await?;
        for _ in 0..references {
            hoard.add().await?;
        }
        let copy = scene.desk()?.join("copy.db");
        Ok(Some(Self { scene, hoard, copy }))
    }

    fn config(&self) -> PathBuf {
        self.scene.cluster.folder().join("gateway.toml")
    }

    fn journal(&self) -> PathBuf {
        self.scene.cluster.folder().join("deletions.journal")
    }

    fn back_up(&self) -> Result<Value> {
        let (to, config) = (self.copy.to_string_lossy(), self.config());
        let said = cli(&["backup", "--json", "--to", &to, "--config", &config.to_string_lossy()])?;
        let manifest: Value = serde_json::from_str(said.trim())?;
        let beside: Value = serde_json::from_slice(&fs::read(self.copy.with_extension("db.json"))?)?;
        ensure!(manifest == beside, "the manifest beside the copy says something else");
        Ok(manifest)
    }

    /// Puts the copy in the place of the gateway's database.
    async fn put_back(&mut self) -> Result<()> {
        self.hoard.store.close().await;
        self.scene.cluster.put_back(&self.copy)
    }

    /// What a gateway says that must not serve.
    fn refuses(&self) -> Result<String> {
        let failed = start("countersign-gateway", &self.config())?;
        ensure!(failed.status == Some(1) && !failed.said.contains("panicked"), "{}", failed.said);
        Ok(failed.said)
    }

    fn restore_check(&self, failpoint: Option<&str>) -> Result<Value> {
        let mut command = Command::new(places::program("countersign")?);
        command.args(["restore-check", "--json", "--config"]).arg(self.config());
        command.envs(failpoint.map(|point| ("COUNTERSIGN_FAILPOINT", point)));
        Ok(serde_json::from_str(output(&mut command)?.trim())?)
    }

    /// Pieces of what is stored of somebody, to look for.
    async fn pieces(&self, user: &UserId) -> Result<Vec<Vec<u8>>> {
        let row = self.hoard.store.reference(self.hoard.tenant, user).await?.context("no row")?;
        Ok(row.ciphertext.chunks_exact(64).chain(row.wrapped_dek.chunks_exact(24)).map(|c| c[..24].to_vec()).collect())
    }

    fn found(&self, pieces: &Needles) -> Result<Vec<PathBuf>> {
        scan::files(&[&self.scene.cluster.folder().join("data")], pieces)
    }

    /// What the gateway says of a user; asked again where it has answered too many calls.
    async fn described(&mut self, user: &UserId) -> Result<v1::GetReferenceResponse, Box<tonic::Status>> {
        loop {
            let request = self.scene.bank.request(v1::GetReferenceRequest { user_id: user.to_string() });
            match self.scene.bank.client.get_reference(request).await {
                Err(status) if status.code() == Code::ResourceExhausted => sleep(Duration::from_millis(100)).await,
                answer => return Ok(answer.map_err(Box::new)?.into_inner()),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r12_a_restored_backup_stays_deleted() -> Result<()> {
    let trials = torture::trials(50, 1_000);
    let Some(mut attic) = Attic::open("restore/backup", trials + 1).await? else { return Ok(()) };
    let users: Vec<UserId> = attic.hoard.users().cloned().collect();
    let (survivor, gone) = users.split_last().context("nobody")?;
    let manifest = attic.back_up()?;
    ensure!(manifest["tables"]["sealed_references"] == users.len(), "{manifest}");
    let late = attic.hoard.add().await?;
    let mut pieces = Vec::new();
    for user in gone {
        pieces.extend(attic.pieces(user).await?);
        attic.scene.bank.delete(user.as_str()).await?;
    }
    attic.scene.bank.delete(late.as_str()).await?;
    let pieces = Needles::these(pieces);
    ensure!(attic.found(&pieces)?.is_empty(), "a deletion leaves bytes");

    attic.put_back().await?;
    let mut report = Report::of("R12");
    // The sabotage is the restored backup itself: the look over the files must see what it brings back.
    report.control_triggered = !attic.found(&pieces)?.is_empty();
    let said = attic.refuses()?;
    ensure!(said.contains("older") && said.contains("countersign restore-check"), "{said}");
    if cfg!(debug_assertions) {
        ensure!(attic.restore_check(Some("restore.before_commit:7")).is_err(), "it did not die on the way");
        ensure!(attic.refuses()?.contains("older"), "a replay that died half-way is taken for a whole one");
    }
    let replayed = attic.restore_check(None)?;
    let (erased, known) = (replayed["erased"].as_array().map_or(0, Vec::len), replayed["known"].as_u64().unwrap_or(0));
    // Of the one that died on the way, six were erased.
    let before = if cfg!(debug_assertions) { 6 } else { 0 };
    ensure!(erased + before == trials && replayed["absent"] == 1 && known >= before as u64, "{replayed}");
    ensure!(attic.found(&pieces)?.is_empty(), "bytes are left after the replay");
    ensure!(attic.restore_check(None)?["unseen"] == 0, "a second replay has nothing to do");

    attic.scene.cluster.restart_gateway(&[])?;
    attic.scene.bank = support::caller::Caller::connect(&attic.scene.cluster, &attic.scene.tenant.api_key).await?;
    let no_reference = (Code::NotFound, "NO_REFERENCE".to_owned());
    for user in gone {
        let said = refused(attic.described(user).await);
        let outcome = said.and_then(|said| {
            ensure!(said == no_reference, "{user}: {said:?}");
            Ok(())
        });
        report.count(outcome);
    }
    attic.described(survivor).await.context("somebody who was not deleted is gone")?;
    let bodies = attic.scene.audit("reference.erased").await?;
    let revoked = bodies.iter().filter_map(|body| body["receipts_revoked"].as_u64()).sum::<u64>();
    ensure!(
        bodies.iter().all(|body| body["cause"] == "restored") && bodies.len() == trials,
        "{} entries",
        bodies.len()
    );
    ensure!(revoked == trials as u64, "{revoked} live receipts came back and were revoked");
    for _ in 0..60 {
        if attic.scene.audit("deletion.proved").await?.len() == trials {
            break;
        }
        sleep(Duration::from_millis(500)).await;
    }
    let closed = attic.scene.audit("deletion.proved").await?.len();
    ensure!(closed == trials, "{closed} of {trials} are closed");
    ensure!(!attic.scene.audit("restore.checked").await?.is_empty(), "the replay is not in the audit");
    println!(
        "R12: {trials} users deleted after a backup; put back, {erased} erased again at once and {known} before a death"
    );
    report.close()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_was_cut_edited_lost_or_is_not_named_keeps_the_gateway_from_serving() -> Result<()> {
    let Some(mut attic) = Attic::open("restore/journal", 3).await? else { return Ok(()) };
    let users: Vec<UserId> = attic.hoard.users().cloned().collect();
    for user in &users {
        attic.scene.bank.delete(user.as_str()).await?;
    }
    attic.scene.cluster.gateway.kill()?;
    let (journal, config) = (fs::read_to_string(attic.journal())?, fs::read_to_string(attic.config())?);
    ensure!(journal.lines().count() == 3 && !users.iter().any(|user| journal.contains(user.as_str())), "{journal}");
    let cut: String = journal.lines().take(2).map(|line| format!("{line}\n")).collect();
    for (damaged, word) in [
        (cut, "lacks entries"),
        (journal.replacen("deleted_at_ms\":1", "deleted_at_ms\":2", 1), "broken at entry 1"),
        (String::new(), "lacks entries"),
    ] {
        ensure!(damaged != journal, "positive control");
        fs::write(attic.journal(), damaged)?;
        let said = attic.refuses()?;
        ensure!(said.contains(word), "{said}");
    }
    fs::write(attic.journal(), &journal)?;
    let named = config.lines().position(|line| line == "[journal]").context("no [journal]")?;
    let without: Vec<&str> =
        config.lines().enumerate().filter(|(at, _)| !(named..named + 2).contains(at)).map(|(_, line)| line).collect();
    fs::write(attic.config(), without.join("\n"))?;
    let said = attic.refuses()?;
    ensure!(said.contains("no path to it is named"), "{said}");
    fs::write(attic.config(), config)?;
    attic.scene.cluster.restart_gateway(&[])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_dies_between_journal_and_proof_serves_again_and_gives_the_proof() -> Result<()> {
    let Some(mut attic) = Attic::open("restore/death", 2).await? else { return Ok(()) };
    if !cfg!(debug_assertions) {
        return Ok(());
    }
    let user = attic.hoard.any(0).context("nobody")?;
    attic.scene.cluster.restart_gateway(&[("COUNTERSIGN_FAILPOINT", "journal.written")])?;
    attic.scene.bank = support::caller::Caller::connect(&attic.scene.cluster, &attic.scene.tenant.api_key).await?;
    ensure!(attic.scene.bank.delete(user.as_str()).await.is_err(), "it did not die");
    attic.scene.cluster.restart_gateway(&[])?;
    attic.scene.bank = support::caller::Caller::connect(&attic.scene.cluster, &attic.scene.tenant.api_key).await?;
    attic.scene.bank.delete(user.as_str()).await?;
    Ok(())
}
