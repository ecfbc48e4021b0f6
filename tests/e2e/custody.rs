//! What operators ask for over references: bulk deletion with one proof for each user, legal holds, certificates of keys that are
//! gone, all by commands on real processes.

use anyhow::{Context, Result, ensure};
use receipt::{ExpectedDeletion, ExpectedDestruction, verify_deletion_proof, verify_key_destruction};
use std::collections::BTreeSet;
use support::{
    captures,
    cluster::{self, Options},
    expect::{Decision, refused},
    hoard::Hoard,
    scene::Scene,
    skips,
};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_deletion_leaves_one_proof_for_each_user_and_passes_over_who_is_held() -> Result<()> {
    let Some(options) = skips::options("custody/bulk deletion", "base") else { return Ok(()) };
    // The hoard seals with the worker's key files.
    let mut scene = Scene::with(Options { on_tokens: false, ..options }).await?;
    let tenant = scene.tenant.id.clone();
    let held = scene.bank.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
    let held: [u8; 32] = held.reference.context("no reference")?.commitment.try_into().ok().context("not 32 bytes")?;
    let mut hoard = Hoard::open(&scene.cluster, &scene.tenant).await?;
    let mut commitments = BTreeSet::new();
    for _ in 0..12 {
        let user = hoard.add().await?;
        commitments.insert(hoard.store.reference(hoard.tenant, &user).await?.context("no row")?.commitment);
    }
    let command = |args: &[&str]| scene.cluster.gateway_command(args);
    let hold = command(&["hold", "place", &tenant, "alice", "--matter", "case 7"])?;
    ensure!(command(&["hold", "list", &tenant])?.contains("case 7"));

    ensure!(command(&["delete", &tenant, "--all"]).is_err(), "nobody typed the tenant's id");
    ensure!(!hoard.is_empty() && hoard.store.reference(hoard.tenant, &"alice".parse()?).await?.is_some());
    let said = command(&["delete", &tenant, "--all", "--cause", "closing", "--yes", "--wait"])?;
    ensure!(said.contains("DONE"), "{said}");
    let job = said.lines().next().context("no job")?;
    let keys = scene.ledger_keys()?;
    let lines = command(&["job", "proofs", job])?;
    let proved = |line: &str| -> Result<[u8; 32]> {
        let found = commitments.iter().find(|commitment| {
            verify_deletion_proof(line, &keys, &ExpectedDeletion { aud: &tenant, commitment: **commitment }).is_ok()
        });
        found.copied().context("a proof of nobody")
    };
    let proved: BTreeSet<_> = lines.lines().map(proved).collect::<Result<_>>()?;
    assert_eq!((lines.lines().count(), &proved), (12, &commitments), "one for each, and no other");
    assert_eq!(command(&["job", "proofs", job])?, lines, "the same whenever they are asked for");
    assert_eq!(scene.audit("deletion.proved").await?.len(), 12);

    let blocked = scene.bank.delete("alice").await;
    assert_eq!(refused(blocked)?, (Code::FailedPrecondition, "LEGAL_HOLD".into()));
    let (_, answer) = scene.bank.verify_user("alice", captures::portraits(&["obama2.jpg"])?).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept, "held data serves");
    assert_eq!(scene.audit("hold.access").await?.len(), 1);
    let said = scene.cluster.gateway_command(&["hold", "release", &tenant, hold.trim()])?;
    ensure!(said.contains("is done"), "{said}");
    let proof = scene.bank.delete("alice").await?.deletion_proof;
    let claims = verify_deletion_proof(&proof, &keys, &ExpectedDeletion { aud: &tenant, commitment: held })?;
    assert_eq!(claims.claims().cause, "closing", "of the first that asked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_leaves_certificates_that_an_outsider_checks() -> Result<()> {
    let Some(scene) = Scene::open("custody/certificates").await? else { return Ok(()) };
    let tenant = scene.tenant.id.clone();
    for _ in 0..2 {
        scene.cluster.gateway_command(&["key", "rotate", &tenant, "--wait"])?;
    }
    let lines = scene.cluster.gateway_command(&["key", "destroyed", &tenant])?;
    let certificates: Vec<_> = lines.lines().collect();
    assert_eq!(certificates.len(), 2);
    let keys = scene.ledger_keys()?;
    for (token, kek_version) in certificates.into_iter().zip(1..) {
        let gone = verify_key_destruction(token, &keys, &ExpectedDestruction { aud: &tenant, kek_version })?;
        assert_eq!(gone.claims().kek.successor, Some(kek_version + 1));
        let other = ExpectedDestruction { aud: &tenant, kek_version: kek_version + 7 };
        ensure!(verify_key_destruction(token, &keys, &other).is_err());
        ensure!(verify_key_destruction(token, &scene.receipt_keys()?, &other).is_err(), "receipt keys certify nothing");
    }
    assert_eq!(scene.audit("kek.destroyed").await?.len(), 2);
    ensure!(cluster::cli(&["receipt", "inspect", lines.lines().next().context("none")?])?.contains("key-destruction"));
    Ok(())
}
