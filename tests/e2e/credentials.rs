//! Credentials: every wrong one is turned away with the same words, and a capture token opens one challenge and nothing else.

use anyhow::{Context, Result};
use std::time::Duration;
use support::{
    caller::{Caller, challenge},
    captures,
    cluster::{Cluster, Options},
    expect::{Decision, bytes, refused, undecided},
    scene::Scene,
};
use tokio::time::sleep;
use tonic::{Code, Status, metadata::MetadataValue};
use wire::v1::{self, Purpose};

async fn status_with(bank: &Caller, header: Option<&str>) -> Result<Status> {
    let mut request = bank.request(challenge("alice", Purpose::Enroll));
    request.metadata_mut().remove("authorization");
    if let Some(header) = header {
        request.metadata_mut().insert("authorization", MetadataValue::try_from(header)?);
    }
    undecided(bank.clone().client.create_challenge(request).await.map_err(Box::new))
}

/// The same text with its last character changed.
fn changed(text: &str) -> String {
    let last = if text.ends_with('A') { 'B' } else { 'A' };
    format!("{}{last}", &text[..text.len() - 1])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_credential_is_turned_away_with_the_same_words() -> Result<()> {
    let Some(scene) = Scene::open("credentials").await? else { return Ok(()) };
    let key = scene.tenant.api_key.clone();
    let secret = key.rsplit_once('_').context("no secret")?.1;
    let expired = scene.cluster.gateway_command(&["key", "create", "--tenant", &scene.tenant.id, "--days", "0"])?;
    let revoked = scene.cluster.make_tenant("revoked", true)?;
    let alive = scene.bank.with(&revoked.api_key).create_challenge(challenge("alice", Purpose::Enroll)).await;
    assert!(alive.is_ok(), "the key works until it is revoked");
    scene.cluster.gateway_command(&["key", "revoke", "--tenant", &revoked.id, &revoked.key_id])?;
    let elsewhere = Cluster::start(Options { threads: 1, ..scene.cluster.options.clone() })?;
    let foreign = elsewhere.make_tenant("elsewhere", true)?.api_key;
    let bearer = |credential: &str| format!("Bearer {credential}");
    let cases = [
        ("none", None),
        ("empty", Some(String::new())),
        ("no scheme", Some(key.clone())),
        ("another scheme", Some(format!("Basic {key}"))),
        ("garbage", Some(bearer("garbage"))),
        ("a wrong secret", Some(bearer(&changed(&key)))),
        ("an unknown key id", Some(bearer(&key.replace(&scene.tenant.key_id, "0123456789abcdef")))),
        ("the id in capitals", Some(bearer(&key.replace(&scene.tenant.key_id, &scene.tenant.key_id.to_uppercase())))),
        ("the other kind of key", Some(bearer(&key.replace("cs_test_", "cs_live_")))),
        (
            "another key's secret",
            Some(bearer(&revoked.api_key.replace(revoked.api_key.rsplit_once('_').context("no secret")?.1, secret))),
        ),
        ("cut short", Some(bearer(&key[..key.len() - 1]))),
        ("with more", Some(bearer(&format!("{key}A")))),
        ("revoked", Some(bearer(&revoked.api_key))),
        ("expired", Some(bearer(expired.trim()))),
        ("another deployment's", Some(bearer(&foreign))),
        ("a forged capture token", Some(bearer("cst_AAAA"))),
    ];
    let uniform = bytes(&status_with(&scene.bank, None).await?);
    assert_eq!(uniform.0, Code::Unauthenticated);
    for (name, header) in cases {
        let status = status_with(&scene.bank, header.as_deref()).await?;
        assert_eq!(
            refused::<()>(Err(Box::new(status.clone())))?,
            (Code::Unauthenticated, "UNAUTHENTICATED".into()),
            "{name}"
        );
        assert_eq!(bytes(&status), uniform, "{name}");
    }
    let good = scene.bank.clone().create_challenge(challenge("alice", Purpose::Enroll)).await;
    assert!(good.is_ok(), "the right key still works: {good:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_token_is_good_for_its_own_challenge_and_purpose_and_nothing_else() -> Result<()> {
    let Some(mut scene) = Scene::open("credentials_capture_token").await? else { return Ok(()) };
    let (face, again) = (captures::portraits(&["obama.jpg"])?, captures::portraits(&["obama2.jpg"])?);
    let enroll = scene.bank.create_challenge(challenge("alice", Purpose::Enroll)).await?;
    let other = scene.bank.create_challenge(challenge("bob", Purpose::Enroll)).await?;
    let mut device = scene.bank.with(&enroll.capture_token);

    let denied = (Code::PermissionDenied, "PERMISSION_DENIED".to_owned());
    assert_eq!(refused(device.enroll(&other.challenge_id, face.clone()).await)?, denied, "another challenge");
    assert_eq!(refused(device.verify(&enroll.challenge_id, face.clone()).await)?, denied, "another purpose");
    assert_eq!(refused(device.create_challenge(challenge("alice", Purpose::Enroll)).await)?, denied);
    assert_eq!(refused(device.delete("alice").await)?, denied);
    let request = device.request(v1::GetReferenceRequest { user_id: "alice".into() });
    assert_eq!(refused(device.client.get_reference(request).await.map_err(Box::new))?, denied);
    let request = device.request(v1::RevokeReceiptRequest { jti: "x".into() });
    assert_eq!(refused(device.client.revoke_receipt(request).await.map_err(Box::new))?, denied);

    let enrolled = device.enroll(&enroll.challenge_id, face).await?;
    assert_eq!(enrolled.verdict(), v1::Verdict::Accept);
    let verify = scene.bank.create_challenge(challenge("alice", Purpose::Verify)).await?;
    let late = device.verify(&verify.challenge_id, again.clone()).await;
    assert_eq!(refused(late)?, denied, "a token of the same user's earlier challenge");
    let answer = scene.bank.with(&verify.capture_token).verify(&verify.challenge_id, again.clone()).await?;
    assert_eq!(answer.verdict(), v1::Verdict::Accept);

    let short = v1::CreateChallengeRequest { ttl_seconds: 1, ..challenge("alice", Purpose::Verify) };
    let short = scene.bank.create_challenge(short).await?;
    sleep(Duration::from_millis(1_100)).await;
    let unauthenticated = (Code::Unauthenticated, "UNAUTHENTICATED".to_owned());
    let expired = scene.bank.with(&short.capture_token).verify(&short.challenge_id, again.clone()).await;
    assert_eq!(refused(expired)?, unauthenticated, "it ends with its challenge");
    let edited = scene.bank.with(&changed(&verify.capture_token)).verify(&verify.challenge_id, again.clone()).await;
    assert_eq!(refused(edited)?, unauthenticated);
    let (_, answer) = scene.bank.verify_user("alice", again).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept);
    Ok(())
}
