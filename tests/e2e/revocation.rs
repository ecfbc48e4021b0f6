//! Revocation end to end: a receipt that passed is refused once the list that it names was fetched anew; deletion revokes; who does
//! not look at the list sees nothing of it.

use anyhow::{Context, Result, ensure};
use receipt::{StatusList, TrustedKeys};
use std::time::Duration;
use support::{
    captures,
    cluster::{self, PUBLIC_URL},
    json::{self, Curl},
    scene::{Scene, now_s},
    skips, surgery,
};
use wire::v1;

/// What a relying party has at hand.
struct Party {
    scene: Scene,
    curl: Curl,
    keys: TrustedKeys,
}

impl Party {
    async fn open(test: &str) -> Result<Option<Self>> {
        let Some(mut scene) = Scene::open(test).await? else { return Ok(None) };
        let Some(curl) = Curl::find(test, &scene.cluster, "") else { return Ok(None) };
        scene.bank.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
        scene.lay("action.json", json::action().to_string())?;
        let keys = scene.ledger_keys()?;
        Ok(Some(Self { scene, curl: Curl { deadline: String::new(), ..curl }, keys }))
    }

    /// An accepted receipt and the challenge that it answers.
    async fn receipt(&mut self) -> Result<(String, String)> {
        let (txn, answer) = self.scene.bank.verify_user("alice", captures::portraits(&["obama2.jpg"])?).await?;
        ensure!(answer.verdict() == v1::Verdict::Accept);
        Ok((answer.receipt, txn))
    }

    /// The list at a receipt's own address, fetched from the gateway that stands there.
    fn list(&self, token: &str) -> Result<(String, u32)> {
        let claims = receipt::inspect_unverified(token).context("no token")?.claims;
        let place = &claims["status"]["status_list"];
        let (uri, idx) = (place["uri"].as_str().context("no uri")?, place["idx"].as_u64().context("no idx")?);
        let path = uri.strip_prefix(PUBLIC_URL).context("another deployment's list")?;
        let answer = self.curl.send(path, &[], b"")?;
        ensure!(answer.status == 200, "{answer:?}");
        StatusList::verify(&answer.body, &self.keys, uri, now_s())?;
        Ok((answer.body, u32::try_from(idx)?))
    }

    /// What the command says of a receipt, with the list in a file.
    fn check(&self, (token, txn): &(String, String), list: &str) -> Result<String> {
        let (token, list) = (self.scene.lay("receipt.jws", token)?, self.scene.lay("list.jwt", list)?);
        let public = |name: &str| self.scene.public().join(name).to_string_lossy().into_owned();
        let (jwks, root, ledger) = (public("test-jwks.json"), public("root.thumbprint"), public("ledger-jwks.json"));
        let action = self.scene.desk()?.join("action.json").to_string_lossy().into_owned();
        let (nonce, issuer) = (receipt::base64url(&support::caller::NONCE), format!("{PUBLIC_URL}/test-receipts"));
        let trust = ["receipt", "verify", &token, "--jwks", &jwks, "--root", &root, "--issuer", &issuer];
        let aud = &self.scene.tenant.id;
        let expected = ["--aud", aud, "--nonce", &nonce, "--action", &action, "--txn", txn];
        let gates = ["--accept-not-run", "PRESENTATION_ATTACK", "--accept-not-run", "CHALLENGE_RESPONSE"];
        let revocation =
            ["--status-list", &list, "--ledger-jwks", &ledger, "--ledger-issuer", &format!("{PUBLIC_URL}/ledger")];
        cluster::cli(&[&trust[..], &expected, &gates, &revocation].concat())
    }

    async fn revoke(&mut self, token: &str) -> Result<()> {
        let jti = receipt::evidence(token, &self.scene.receipt_keys()?)?.claims().jti.to_string();
        let request = self.scene.bank.request(v1::RevokeReceiptRequest { jti });
        Ok(self.scene.bank.client.revoke_receipt(request).await.map(drop)?)
    }
}

fn refused(said: Result<String>, word: &str) -> Result<()> {
    let said = said.err().context("accepted")?.to_string();
    ensure!(said.contains(&format!("refused: {word}")), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_receipt_is_refused_after_the_list_was_fetched_anew() -> Result<()> {
    let Some(mut party) = Party::open("revocation").await? else { return Ok(()) };
    let (first, second) = (party.receipt().await?, party.receipt().await?);
    let (before, _) = party.list(&first.0)?;
    party.check(&first, &before)?;
    party.revoke(&first.0).await?;
    party.check(&first, &before).context("control: the copy from before knows nothing of it")?;
    let (after, _) = party.list(&first.0)?;
    refused(party.check(&first, &after), "REVOKED")?;
    party.check(&second, &after).context("and nobody else's is")?;
    party.revoke(&first.0).await.context("again is no fault")?;
    assert_eq!(party.scene.audit("receipt.revoked").await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_revokes_every_receipt_of_the_user_at_every_gateway_within_seconds() -> Result<()> {
    let Some(mut party) = Party::open("revocation/deletion").await? else { return Ok(()) };
    let held = [party.receipt().await?, party.receipt().await?];
    let further = party.scene.cluster.further_gateway()?;
    let elsewhere = Curl { base: format!("https://localhost:{}", further.address.port()), ..party.curl.clone() };
    let path = "/v1/status/1";
    let (here, there) = (party.curl.send(path, &[], b"")?.body, elsewhere.send(path, &[], b"")?.body);
    for token in &held {
        party.check(token, &here)?;
        party.check(token, &there)?;
    }
    party.scene.bank.delete("alice").await?;
    for token in &held {
        refused(party.check(token, &party.curl.send(path, &[], b"")?.body), "REVOKED")
            .context("where it was deleted")?;
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    for token in &held {
        refused(party.check(token, &elsewhere.send(path, &[], b"")?.body), "REVOKED")
            .context("at the other gateway")?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_lists_are_served_while_none_can_be_read_and_numbers_beyond_the_next_are_not_looked_for() -> Result<()> {
    let test = "revocation/away";
    let Some(()) = skips::or_skip(test, surgery::possible()) else { return Ok(()) };
    let Some(party) = Party::open(test).await? else { return Ok(()) };
    let get = |number: u32| party.curl.send(&format!("/v1/status/{number}"), &[], b"");
    let kept = get(1)?;
    assert_eq!(kept.status, 200);
    let database = party.scene.database();
    surgery::define(database, &["ALTER TABLE status_lists RENAME TO away"])?;
    let again = get(1)?;
    assert_eq!((again.status, again.body), (200, kept.body));
    for beyond in [3, u32::MAX] {
        assert_eq!(get(beyond)?.status, 404, "{beyond}");
    }
    // Control: the next one may have been opened by another gateway since, and is looked for.
    assert_eq!(get(2)?.status, 503);
    surgery::define(database, &["ALTER TABLE away RENAME TO status_lists"])?;
    assert_eq!((get(1)?.status, get(2)?.status), (200, 404), "it recovers by itself");
    Ok(())
}
