//! Worker and gateway over PKCS#11: every key of the deployment lives on SoftHSM tokens, and what happens when those are pulled.

use anyhow::{Context, Result, ensure};
use receipt::{ExpectedDeletion, inspect_unverified, verify_deletion_proof};
use serde_json::Value;
use std::{fs, path::Path, time::Duration};
use support::{
    captures,
    cluster::{self, Options},
    expect::{Decision, refused},
    scene::Scene,
    skips, softhsm,
};
use tokio::time::sleep;
use tonic::Code;

const USER: &str = "alice";

/// A cluster whose keys are on tokens, with a test tenant.
async fn open(test: &str) -> Result<Option<Scene>> {
    if skips::or_skip(test, softhsm::module()).is_none() {
        return Ok(None);
    }
    let Some(options) = skips::options(test, "base") else { return Ok(None) };
    Ok(Some(Scene::with(Options { on_tokens: true, ..options }).await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_on_tokens_enrolls_verifies_and_deletes_without_a_key_in_any_file() -> Result<()> {
    let Some(mut scene) = open("tokens/life").await? else { return Ok(()) };
    let answer = scene.bank.enroll_user(USER, captures::portraits(&["obama.jpg"])?).await?;
    assert_eq!(Decision::of_enroll(&answer)?, Decision::Accept);
    receipt::evidence(&answer.receipt, &scene.receipt_keys()?)?;
    let commitment: [u8; 32] =
        answer.reference.context("no reference")?.commitment.try_into().ok().context("length")?;

    let (_, answer) = scene.bank.verify_user(USER, captures::portraits(&["obama2.jpg"])?).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept);
    receipt::evidence(&answer.receipt, &scene.receipt_keys()?)?;
    let (_, answer) = scene.bank.verify_user(USER, captures::portraits(&["biden.jpg"])?).await?;
    assert_ne!(Decision::of_verify(&answer)?, Decision::Accept);

    // A new worker process has nothing in memory and opens the same reference.
    scene.cluster.restart_worker(0)?;
    let (_, answer) = scene.bank.verify_user(USER, captures::portraits(&["obama3.jpg"])?).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept);

    let proof = scene.bank.delete(USER).await?.deletion_proof;
    let expected = ExpectedDeletion { aud: &scene.tenant.id.clone(), commitment };
    verify_deletion_proof(&proof, &scene.ledger_keys()?, &expected)?;

    let keys = scene.cluster.folder().join("keys");
    assert!(!keys.join("worker").exists() && !keys.join("root").exists());
    let mut left = names(&keys.join("gateway"))?;
    left.sort();
    assert_eq!(left, ["capture.key", "pepper"], "MAC secrets alone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pulled_tokens_are_unavailable_in_time_and_service_goes_on_when_they_are_back() -> Result<()> {
    let Some(mut scene) = open("tokens/pulled").await? else { return Ok(()) };
    let tokens = scene.cluster.tokens.clone().context("no tokens")?;
    scene.bank.enroll_user(USER, captures::portraits(&["obama.jpg"])?).await?;
    let unavailable = (Code::Unavailable, "UNAVAILABLE_KMS".to_owned());
    let frames = captures::portraits(&["obama2.jpg"])?;

    tokens.pull(true)?;
    let opened = scene.bank.create_challenge(support::caller::challenge(USER, wire::v1::Purpose::Verify)).await?;
    scene.bank.deadline = Some(Duration::from_secs(5));
    assert_eq!(refused(scene.bank.verify(&opened.challenge_id, frames.clone()).await)?, unavailable);
    assert_eq!(refused(scene.bank.delete(USER).await)?, unavailable, "the proof is pending");
    let said = fs::read_to_string(scene.cluster.folder().join("worker-0.log"))?;
    assert!(said.contains("the key service gives nothing") && !said.contains("1234-worker"), "{said}");
    scene.worker_is_unharmed()?;

    tokens.pull(false)?;
    scene.bank.deadline = Some(Duration::from_secs(30));
    let proof = settled(async || scene.bank.clone().delete(USER).await.ok()).await?.deletion_proof;
    assert_eq!(proof.split('.').count(), 3);
    let enrolled = settled(async || {
        let frames = captures::portraits(&["obama.jpg"]).ok()?;
        scene.bank.clone().enroll_user(USER, frames).await.ok()
    });
    assert_eq!(Decision::of_enroll(&enrolled.await?)?, Decision::Accept);
    let (_, answer) = scene.bank.verify_user(USER, frames).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_on_tokens_are_rotated_and_retired_by_the_command_while_the_service_runs() -> Result<()> {
    let Some(mut scene) = open("tokens/rotation").await? else { return Ok(()) };
    let tokens = scene.cluster.tokens.clone();
    let dir = scene.cluster.folder().join("keys").to_string_lossy().into_owned();
    let keys = |arguments: &[&str]| cluster::keys(arguments, tokens.as_ref());
    let listed = || -> Result<Vec<(String, u64, String)>> {
        let rows: Vec<Value> = serde_json::from_str(&keys(&["list", &dir, "--json"])?)?;
        let row = |row: &Value| {
            let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
            assert_eq!(text("provider"), "pkcs11");
            (text("use"), row["version"].as_u64().unwrap_or_default(), text("state"))
        };
        Ok(rows.iter().map(row).collect())
    };
    assert_eq!(listed()?.len(), 4);
    let first = scene.bank.enroll_user(USER, captures::portraits(&["obama.jpg"])?).await?;

    keys(&["rotate", &dir, "test-receipt"])?;
    assert!(listed()?.contains(&("test-receipt".into(), 2, "published".into())));
    assert_eq!(scene.receipt_keys()?.key_ids().count(), 2);
    ensure!(keys(&["retire", &dir, "test-receipt", "1"]).is_err(), "without --yes");
    // As after a compromise: the old version goes at once.
    keys(&["retire", &dir, "test-receipt", "1", "--yes"])?;
    assert!(listed()?.contains(&("test-receipt".into(), 2, "signing".into())));
    let frames = captures::portraits(&["obama2.jpg"])?;
    let answer = settled(async || scene.bank.clone().verify_user(USER, frames.clone()).await.ok()).await?.1;
    let kid = |token: &str| inspect_unverified(token).ok().map(|seen| seen.header["kid"].clone());
    assert_ne!(kid(&first.receipt), kid(&answer.receipt));
    receipt::evidence(&answer.receipt, &scene.receipt_keys()?)?;
    receipt::evidence(&first.receipt, &scene.receipt_keys()?)?;

    let destroy = ["destroy", &dir, "test-receipt", "1", "--yes"];
    let unsaid = format!("{:#}", keys(&destroy).err().context("nobody said whether the log is told")?);
    ensure!(unsaid.contains("--untold"), "{unsaid}");
    receipt::evidence(&first.receipt, &scene.receipt_keys()?).context("nothing was done")?;
    let config = scene.cluster.folder().join("gateway.toml").to_string_lossy().into_owned();
    let said = keys(&[&destroy[..], &["--config", &config]].concat())?;
    ensure!(said.contains("audit and log are told"), "{said}");
    receipt::evidence(&answer.receipt, &scene.receipt_keys()?)?;
    assert!(receipt::evidence(&first.receipt, &scene.receipt_keys()?).is_err(), "a destroyed key vouches for nothing");
    Ok(())
}

/// Asks until there is an answer: a provider that was out is asked again after a pause.
async fn settled<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    for _ in 0..100 {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("no answer within 10 s")
}

fn names(dir: &Path) -> Result<Vec<String>> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
