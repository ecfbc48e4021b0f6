//! What the ledger publishes: a receipt that is revoked, and the log that an independent monitor follows.

use crate::{
    checks::{Checks, same},
    story::nonce,
};
use anyhow::{Context, Result, bail};
use std::{fs, path::PathBuf, thread, time::Duration};
use support::{
    caller::{Caller, Tenant},
    captures,
    cluster::{self, Cluster, PUBLIC_URL},
    json::{self, Curl},
};
use wire::v1;

const USER: &str = "customer-2";

/// A relying party's desk, and a monitor's.
struct Desk<'c> {
    cluster: &'c Cluster,
    tenant: Tenant,
    curl: Curl,
    folder: PathBuf,
}

/// Plays the chapter and checks every step; returns the frames that were sent.
pub(crate) async fn tell(cluster: &Cluster, checks: &mut Checks) -> Result<Vec<v1::Frame>> {
    let tenant = cluster.make_tenant("ledger", true)?;
    let mut bank = Caller::connect(cluster, &tenant.api_key).await?;
    let (enrolled, shown) = (captures::portraits(&["obama.jpg", "obama3.jpg"])?, captures::portraits(&["obama2.jpg"])?);
    bank.enroll_user(USER, enrolled.clone()).await?;
    let (txn, verified) = bank.verify_user(USER, shown.clone()).await?;
    let curl = Curl::find("demo", cluster, "").context("`curl` is not there")?;
    let folder = cluster.folder().join("monitor");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("action.json"), json::action().to_string())?;
    fs::write(folder.join("receipt.jws"), &verified.receipt)?;
    let desk = Desk { cluster, tenant, curl, folder };

    checks.check("the monitor takes the first checkpoint of the log", desk.watch("first"));
    desk.fetch("/v1/status/1", "list.jwt")?;
    checks.check("a receipt whose status list says VALID is accepted", desk.verify(&txn).map(drop));
    let jti = receipt::inspect_unverified(&verified.receipt).context("no token")?.claims["jti"].clone();
    let jti = jti.as_str().context("no jti")?.to_owned();
    let request = bank.request(v1::RevokeReceiptRequest { jti: jti.clone() });
    bank.client.revoke_receipt(request).await?;
    desk.fetch("/v1/status/1", "list.jwt")?;
    checks.check("revoked, it is refused once the list was fetched anew: REVOKED", desk.refused(&txn));

    checks.check("the log proves the receipt, and the proof holds offline", desk.proven(&jti));
    checks.check("the monitor sees the log grow on from what it saw", desk.watch("grown"));
    checks.check("the audit holds against a head that was kept elsewhere", desk.anchored());
    Ok([enrolled, shown].concat())
}

impl Desk<'_> {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    fn public(&self, name: &str) -> String {
        self.cluster.folder().join("keys/public").join(name).to_string_lossy().into_owned()
    }

    fn fetch(&self, path: &str, name: &str) -> Result<()> {
        let answer = self.curl.send(path, &[], b"")?;
        same(path, answer.status, 200)?;
        Ok(fs::write(self.folder.join(name), answer.body)?)
    }

    /// Arguments that say whom to trust for what the ledger signs.
    fn ledger(&self) -> [String; 6] {
        let (jwks, root) = (self.public("ledger-jwks.json"), self.public("root.thumbprint"));
        ["--ledger-jwks".into(), jwks, "--root".into(), root, "--ledger-issuer".into(), format!("{PUBLIC_URL}/ledger")]
    }

    fn verify(&self, txn: &str) -> Result<String> {
        let (token, action, list) = (self.path("receipt.jws"), self.path("action.json"), self.path("list.jwt"));
        let (jwks, issuer, nonce) = (self.public("test-jwks.json"), format!("{PUBLIC_URL}/test-receipts"), nonce());
        let what = ["receipt", "verify", &token, "--jwks", &jwks, "--issuer", &issuer, "--status-list", &list];
        let expected = ["--aud", &self.tenant.id, "--nonce", &nonce, "--action", &action, "--txn", txn];
        let gates = ["--accept-not-run", "PRESENTATION_ATTACK", "--accept-not-run", "CHALLENGE_RESPONSE"];
        let ledger = self.ledger();
        let ledger: Vec<&str> = ledger.iter().map(String::as_str).collect();
        cluster::cli(&[&what[..], &expected, &gates, &ledger].concat())
    }

    fn refused(&self, txn: &str) -> Result<()> {
        match self.verify(txn) {
            Ok(_) => bail!("accepted"),
            Err(error) => same("refused as revoked", error.to_string().contains("refused: REVOKED"), true),
        }
    }

    /// The proof of an artefact, once the log holds it, checked by the command without the gateway.
    fn proven(&self, id: &str) -> Result<()> {
        let fetched = || self.fetch(&format!("/v1/log/proof/{id}"), "receipt.tlog-proof");
        for _ in 0..100 {
            if fetched().is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        fetched()?;
        let (proof, token, ledger) = (self.path("receipt.tlog-proof"), self.path("receipt.jws"), self.ledger());
        let ledger: Vec<&str> = ledger.iter().map(String::as_str).collect();
        cluster::cli(&[&["log", "verify", &proof, "--receipt", &token], &ledger[..]].concat()).map(drop)
    }

    /// What the monitor sees, within the seconds that a leaf takes to its place.
    fn watch(&self, step: &str) -> Result<()> {
        let (log, state, ledger) = (format!("{}/v1/log", self.cluster.url()), self.path("seen"), self.ledger());
        let ca = self.cluster.ca().to_string_lossy().into_owned();
        let ledger: Vec<&str> = ledger.iter().map(String::as_str).collect();
        let watch = ["log", "watch", &log, "--state", &state, "--once", "--json", "--ca", &ca];
        let said = cluster::cli(&[&watch[..], &ledger].concat())?;
        same(said.trim(), said.contains(&format!("\"step\":\"{step}\"")), true)
    }

    /// Takes a head of the audit away and holds the audit against it.
    fn anchored(&self) -> Result<()> {
        let tenant = &self.tenant.id;
        let mut anchor = self.cluster.gateway_command(&["log", "anchor", tenant]);
        for _ in 0..20 {
            if anchor.is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(500));
            anchor = self.cluster.gateway_command(&["log", "anchor", tenant]);
        }
        fs::write(self.folder.join("anchor.tlog-proof"), anchor?)?;
        let (held, root) = (self.path("anchor.tlog-proof"), self.public("root.thumbprint"));
        let said = self.cluster.gateway_command(&["log", "check", tenant, "--held", &held, "--root", &root])?;
        same(said.trim(), said.contains("holds: "), true)
    }
}
