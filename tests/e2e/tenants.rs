//! Tenants from their making to their end, as an operator and an outsider see it.

use anyhow::{Context, Result, ensure};
use biometrics::UserId;
use receipt::{ExpectedDeletion, ExpectedTermination, ProofsHash, verify_deletion_proof, verify_termination};
use serde_json::Value;
use std::{collections::BTreeMap, fs};
use support::{
    caller::{Tenant, challenge},
    captures,
    cluster::Options,
    expect::refused,
    hoard::Hoard,
    scene::Scene,
    skips,
};
use tonic::Code;
use wire::v1::Purpose;

fn denied() -> (Code, String) {
    (Code::PermissionDenied, "PERMISSION_DENIED".into())
}

fn said(result: Result<String>) -> String {
    result.unwrap_or_else(|error| format!("{error:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_suspended_and_resumed_and_its_policy_changes_in_versions() -> Result<()> {
    let Some(mut scene) = Scene::open("tenants/policy").await? else { return Ok(()) };
    let tenant = scene.tenant.id.clone();
    let operator = |args: &[&str]| scene.cluster.gateway_command(args);
    operator(&["tenant", "suspend", &tenant])?;
    assert_eq!(refused(scene.bank.clone().create_challenge(challenge("alice", Purpose::Enroll)).await)?, denied());
    ensure!(said(operator(&["tenant", "suspend", &tenant])).contains("SUSPENDED"));
    ensure!(operator(&["tenant", "list"])?.contains("SUSPENDED"));
    operator(&["tenant", "resume", &tenant])?;
    scene.bank.create_challenge(challenge("alice", Purpose::Enroll)).await?;

    let mut policy: Value = serde_json::from_str(&operator(&["policy", "show", &tenant])?)?;
    policy["audit_days"] = 1.into();
    let lay = |policy: &Value| scene.lay("policy.json", policy.to_string());
    let outside = said(operator(&["policy", "put", &tenant, &lay(&policy)?]));
    ensure!(outside.contains("audit_days must be 365 to 3653"), "{outside}");
    policy["audit_days"] = 400.into();
    let used = said(operator(&["policy", "put", &tenant, &lay(&policy)?]));
    ensure!(used.contains("has that version already"), "{used}");
    policy["version"] = "testing-2".into();
    operator(&["policy", "put", &tenant, &lay(&policy)?])?;
    let history = operator(&["policy", "history", &tenant, "--json"])?;
    let versions: Vec<Value> = history.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!((&versions[0]["version"], &versions[1]["version"]), (&"testing-2".into(), &"testing-1".into()));
    let changed = scene.audit("policy.changed").await?;
    assert_eq!((&changed[0]["before"]["audit_days"], &changed[0]["after"]["audit_days"]), (&2557.into(), &400.into()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_ends_and_an_outsider_checks_its_certificate_over_every_proof() -> Result<()> {
    // The hoard seals with the worker's key files.
    let Some(options) = skips::options("tenants/end", "base") else { return Ok(()) };
    let scene = Scene::with(Options { on_tokens: false, ..options }).await?;
    let (gone, mut caller) = scene.neighbour()?;
    caller.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
    let (users, commitments) = hoard(&scene, &gone).await?;
    let operator = |args: &[&str]| scene.cluster.gateway_command(args);
    operator(&["key", "rotate", &gone.id, "--wait"])?;
    let (one, many) = (users[1].as_str(), scene.lay("leavers", format!("{}\n{}", users[2], users[3]))?);
    caller.delete(one).await?;
    operator(&["delete", &gone.id, "--users", &many, "--yes", "--wait"])?;
    let hold = operator(&["hold", "place", &gone.id, "alice", "--matter", "case 7"])?;
    let held = said(operator(&["tenant", "terminate", &gone.id, "--yes"]));
    ensure!(held.contains("legal hold"), "{held}");
    operator(&["hold", "release", &gone.id, hold.trim()])?;
    ensure!(said(operator(&["tenant", "terminate", &gone.id])).contains("--yes"), "nobody was asked");
    ensure!(said(operator(&["tenant", "certificate", &gone.id])).contains("has not ended"));

    let ended = operator(&["tenant", "terminate", &gone.id, "--yes", "--wait"])?;
    ensure!(ended.contains("DONE"), "{ended}");
    let refusal = refused(caller.create_challenge(challenge("alice", Purpose::Verify)).await)?;
    assert_eq!(refusal, (Code::Unauthenticated, "UNAUTHENTICATED".into()), "its keys are revoked");
    ensure!(caller.with(&scene.tenant.api_key).create_challenge(challenge("alice", Purpose::Enroll)).await.is_ok());

    let keys = scene.ledger_keys()?;
    let job = ended.lines().next().context("no job")?;
    assert_eq!(operator(&["job", "proofs", job])?.lines().count(), users.len() - 3, "three were deleted before");
    let mut proofs = BTreeMap::new();
    for proof in operator(&["tenant", "proofs", &gone.id])?.lines() {
        let check = |commitment: &[u8; 32]| {
            let expected = ExpectedDeletion { aud: &gone.id, commitment: *commitment };
            Some((verify_deletion_proof(proof, &keys, &expected).ok()?.claims().jti.clone(), *commitment))
        };
        let (jti, commitment) = commitments.iter().find_map(check).context("a proof of nobody")?;
        proofs.insert(jti, commitment);
    }
    assert_eq!(proofs.len(), commitments.len());
    let over = |proofs: &BTreeMap<String, [u8; 32]>| {
        let mut hash = ProofsHash::default();
        proofs.iter().for_each(|(jti, commitment)| assert!(hash.add(jti, commitment)));
        hash.finish()
    };
    let certificate = operator(&["tenant", "certificate", &gone.id])?;
    let expected = ExpectedTermination { aud: &gone.id, proofs: over(&proofs) };
    let claims = verify_termination(certificate.trim(), &keys, &expected)?;
    assert_eq!(claims.claims().keks, [1, 2], "every version");
    proofs.pop_last();
    let fewer = ExpectedTermination { aud: &gone.id, proofs: over(&proofs) };
    ensure!(verify_termination(certificate.trim(), &keys, &fewer).is_err(), "a proof that was held back is seen");
    ensure!(said(operator(&["tenant", "terminate", &gone.id, "--yes"])).contains("TERMINATED"));
    let listed = support::cluster::keys(&["kek", "list", &keys_of(&scene), &gone.id], None)?;
    ensure!(!listed.contains("live") && listed.contains("destroyed"), "{listed}");
    Ok(())
}

fn keys_of(scene: &Scene) -> String {
    scene.cluster.folder().join("keys").to_string_lossy().into_owned()
}

/// Further references of the tenant; the users and commitments of all.
async fn hoard(scene: &Scene, tenant: &Tenant) -> Result<(Vec<UserId>, Vec<[u8; 32]>)> {
    let mut hoard = Hoard::open(&scene.cluster, tenant).await?;
    let mut users: Vec<UserId> = vec!["alice".parse()?];
    for _ in 0..6 {
        users.push(hoard.add().await?);
    }
    let mut commitments = Vec::new();
    for user in &users {
        commitments.push(hoard.store.reference(hoard.tenant, user).await?.context("no row")?.commitment);
    }
    Ok((users, commitments))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_is_asked_exported_and_checked_without_the_database() -> Result<()> {
    let Some(mut scene) = Scene::open("tenants/audit").await? else { return Ok(()) };
    let tenant = scene.tenant.id.clone();
    scene.bank.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
    let (id, _) = scene.bank.verify_user("alice", captures::portraits(&["obama2.jpg"])?).await?;
    let operator = |args: &[&str]| scene.cluster.gateway_command(args);
    let asked = operator(&["audit", "query", &tenant, "--challenge", &id, "--kind", "attempt.decided", "--json"])?;
    let decided: Value = serde_json::from_str(asked.trim())?;
    let body = &decided["body"];
    assert_eq!((&body["verdict"], &body["ip"]), (&"ACCEPT".into(), &"127.0.0.1".into()));
    ensure!(body["consent"]["text_sha256"].is_string());
    assert_eq!(operator(&["audit", "query", &tenant, "--user", "bob", "--json"])?, "");
    ensure!(operator(&["audit", "verify", &tenant])?.contains("each follows"));

    let export = operator(&["audit", "export", &tenant])?;
    let path = scene.lay("audit.jsonl", &export)?;
    ensure!(support::cluster::cli(&["audit", "verify", "--file", &path])?.contains("each follows"));
    for altered in
        [export.replacen("ACCEPT", "REFUSE", 1), export.lines().skip(1).step_by(2).collect::<Vec<_>>().join("\n")]
    {
        fs::write(&path, altered)?;
        ensure!(support::cluster::cli(&["audit", "verify", "--file", &path]).is_err(), "positive control");
    }
    Ok(())
}
