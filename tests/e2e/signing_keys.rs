//! What operators do to signing keys, as audit and log tell of it: once, and also where the command died half-way.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{process::Command, time::Duration};
use support::{
    cluster::{self, PUBLIC_URL, output},
    places,
    scene::Scene,
};
use tokio::time::{Instant, sleep};

/// A cluster and its key directory.
struct Ring {
    scene: Scene,
    dir: String,
    config: String,
}

impl Ring {
    async fn open(test: &str) -> Result<Option<Self>> {
        let Some(scene) = Scene::on_files(test).await? else { return Ok(None) };
        let path = |name: &str| scene.cluster.folder().join(name).to_string_lossy().into_owned();
        let (dir, config) = (path("keys"), path("gateway.toml"));
        Ok(Some(Self { scene, dir, config }))
    }

    fn keys(&self, words: &[&str]) -> Result<String> {
        cluster::keys(words, None)
    }

    /// Destroys version 1 of the test receipts' key; dies at a failpoint where one is named.
    fn destroy(&self, point: Option<&str>) -> Result<String> {
        let mut command = Command::new(places::program("countersign")?);
        command.args(["keys", "destroy", &self.dir, "test-receipt", "1", "--yes", "--config", &self.config]);
        output(command.envs(point.map(|point| ("COUNTERSIGN_FAILPOINT", point))))
    }

    /// Key ids of one use, oldest first.
    fn kids(&self, used: &str) -> Result<Vec<String>> {
        let rows: Vec<Value> = serde_json::from_str(&self.keys(&["list", &self.dir, "--json"])?)?;
        let kid = |row: &Value| row["kid"].as_str().map(str::to_owned);
        rows.iter().filter(|row| row["use"] == used).map(|row| kid(row).context("no key id")).collect()
    }

    fn key_leaf(&self, kid: &str) -> Result<String> {
        self.scene.cluster.gateway_command(&["log", "key", kid])
    }

    /// The leaf about a key once the log has it, as `log verify` shows it to an outsider.
    async fn leaf(&self, kid: &str) -> Result<Value> {
        let late = Instant::now() + Duration::from_secs(15);
        let proof = loop {
            match self.key_leaf(kid) {
                Ok(proof) => break proof,
                Err(error) if Instant::now() > late => return Err(error),
                Err(_) => sleep(Duration::from_millis(200)).await,
            }
        };
        let proof = self.scene.lay("key.tlog-proof", proof)?;
        let public = |name: &str| self.scene.public().join(name).to_string_lossy().into_owned();
        let (jwks, root, issuer) =
            (public("ledger-jwks.json"), public("root.thumbprint"), format!("{PUBLIC_URL}/ledger"));
        let trust = ["--ledger-jwks", &jwks, "--root", &root, "--ledger-issuer", &issuer];
        let said: Value =
            serde_json::from_str(&cluster::cli(&[&["log", "verify", &proof, "--json"], &trust[..]].concat())?)?;
        let (log, ca) = (format!("{}/v1/log", self.scene.cluster.url()), self.scene.cluster.ca());
        let (renewed, ca) = (self.scene.lay("renewed.tlog-proof", "")?, ca.to_string_lossy());
        let prove = ["log", "prove", &log, "--leaf", &proof, "--out", &renewed, "--ca", &ca];
        cluster::cli(&[&prove[..], &trust].concat())?;
        Ok(said["leaf"].clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destroyed_signing_key_is_told_once_although_its_command_died_twice() -> Result<()> {
    if !cfg!(debug_assertions) {
        println!("skipped: signing_keys/destruction: a release build has no failpoints");
        return Ok(());
    }
    let Some(ring) = Ring::open("signing_keys/destruction").await? else { return Ok(()) };
    ring.keys(&["rotate", &ring.dir, "test-receipt"])?;
    ring.keys(&["retire", &ring.dir, "test-receipt", "1", "--yes"])?;
    let [old, new] = &ring.kids("test-receipt")?[..] else { anyhow::bail!("not two versions") };
    let entries = async || Ok::<_, anyhow::Error>(ring.scene.audit("signing_key.destroyed").await?);

    ensure!(ring.destroy(Some("statement.intended")).is_err(), "it lived");
    ensure!(ring.kids("test-receipt")?.len() == 2, "what was only intended is done");
    ensure!(ring.destroy(Some("statement.told.before_commit")).is_err(), "it lived");
    ensure!(ring.kids("test-receipt")? == [new.clone()], "destroyed, and the log not told yet");
    ensure!(entries().await?.len() == 1 && ring.key_leaf(old).is_err());

    let said = ring.destroy(None)?;
    ensure!(said.contains(&format!("audit and log are told of {old}")), "{said}");
    ensure!(!ring.destroy(None)?.contains("are told of"), "told twice");
    let entries = entries().await?;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!((&entries[0]["use"], &entries[0]["kid"]), (&"test_receipts".into(), &old.as_str().into()));
    let leaf = ring.leaf(old).await?;
    assert_eq!((&leaf["kind"], &leaf["key"]["use"]), (&"key_destruction".into(), &"test_receipts".into()));
    assert_eq!(leaf["version"], old.as_str());
    ensure!(ring.key_leaf(new).is_err(), "control: nothing is told of a key that is there");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_takes_over_is_told_and_its_predecessor_only_where_it_does() -> Result<()> {
    let Some(ring) = Ring::open("signing_keys/root").await? else { return Ok(()) };
    ring.keys(&["rotate", &ring.dir, "root"])?;
    let [old, new] = &ring.kids("root")?[..] else { anyhow::bail!("not two roots") };
    let retire = ["retire", &ring.dir, "root", "1", "--yes"];
    let unsaid = format!("{:#}", ring.keys(&retire).err().context("nobody said whether the log is told")?);
    ensure!(unsaid.contains("--untold"), "{unsaid}");
    let said = ring.keys(&[&retire[..], &["--config", &ring.config]].concat())?;
    ensure!(said.contains(&format!("audit and log are told of {new}")), "{said}");
    let leaf = ring.leaf(new).await?;
    assert_eq!((&leaf["kind"], &leaf["key"]["use"]), (&"key_rotation".into(), &"root".into()));
    assert_eq!((&leaf["from"], &leaf["to"]), (&old.as_str().into(), &new.as_str().into()));
    let entries = ring.scene.audit("root.rotated").await?;
    assert_eq!((entries.len(), &entries[0]["to"]), (1, &new.as_str().into()));

    let said = ring.keys(&["destroy", &ring.dir, "root", "1", "--yes", "--untold"])?;
    ensure!(said.contains("neither audit nor log"), "{said}");
    ensure!(ring.scene.audit("signing_key.destroyed").await?.is_empty() && ring.key_leaf(old).is_err());
    Ok(())
}
