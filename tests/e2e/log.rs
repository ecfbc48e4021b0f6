//! The transparency log of a live gateway, followed by the independent monitor: it grows, proves what it holds, survives kills, and
//! what is cut or forked is an alarm.

use anyhow::{Context, Result, bail, ensure};
use receipt::{Checkpoint, LogProof, TrustedKeys};
use std::{fs, path::PathBuf, time::Duration};
use support::{
    caller::Caller,
    captures,
    cluster::{self, PUBLIC_URL},
    json::Curl,
    scene::Scene,
};
use tokio::time::{Instant, sleep};

/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A scene and its monitor.
struct Watched {
    scene: Scene,
    curl: Curl,
    keys: TrustedKeys,
}

impl Watched {
    async fn open(test: &str) -> Result<Option<Self>> {
        let Some(scene) = Scene::open(test).await? else { return Ok(None) };
        let Some(curl) = Curl::find(test, &scene.cluster, "") else { return Ok(None) };
        let keys = scene.ledger_keys()?;
        scene.desk()?;
        Ok(Some(Self { scene, curl: Curl { deadline: String::new(), ..curl }, keys }))
    }

    /// What the monitor says of the log now; its exit status is in the error.
    fn watch(&self) -> Result<String> {
        let log = format!("{}/v1/log", self.scene.cluster.url());
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let public = |name: &str| text(self.scene.public().join(name));
        let (state, ca) = (text(self.scene.desk()?.join("seen")), text(self.scene.cluster.ca()));
        let (jwks, root, issuer) =
            (public("ledger-jwks.json"), public("root.thumbprint"), format!("{PUBLIC_URL}/ledger"));
        let trust = ["--ledger-jwks", &jwks, "--root", &root, "--ledger-issuer", &issuer, "--ca", &ca];
        cluster::cli(&[&["log", "watch", &log, "--state", &state, "--once", "--json"], &trust[..]].concat())
    }

    fn size(&self) -> Result<u64> {
        let answer = self.curl.send("/v1/log/checkpoint", &[], b"")?;
        if answer.status == 404 {
            return Ok(0);
        }
        Ok(Checkpoint::verify(&answer.body, &self.keys)?.head().size)
    }

    /// Waits until the log has more than `size` leaves.
    async fn beyond(&self, size: u64) -> Result<u64> {
        let late = Instant::now() + PATIENCE;
        while Instant::now() < late {
            let now = self.size()?;
            if now > size {
                return Ok(now);
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("the log stays at {size} leaves")
    }

    /// The proof of an artefact, once the log holds it.
    async fn proof(&self, id: &str) -> Result<String> {
        let late = Instant::now() + PATIENCE;
        while Instant::now() < late {
            let answer = self.curl.send(&format!("/v1/log/proof/{id}"), &[], b"")?;
            if answer.status == 200 {
                return Ok(answer.body);
            }
            ensure!(answer.status == 404, "{answer:?}");
            sleep(Duration::from_millis(100)).await;
        }
        bail!("{id} never came into the log")
    }

    async fn verify(&mut self) -> Result<String> {
        let (_, answer) = self.scene.bank.verify_user("alice", captures::portraits(&["obama2.jpg"])?).await?;
        Ok(answer.receipt)
    }

    async fn enroll(&mut self) -> Result<()> {
        self.scene.bank.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
        Ok(())
    }

    async fn restart(&mut self, env: &[(&str, &str)]) -> Result<()> {
        self.scene.cluster.restart_gateway(env)?;
        self.scene.bank = Caller::connect(&self.scene.cluster, &self.scene.tenant.api_key).await?;
        Ok(())
    }
}

fn step(said: &str) -> Result<String> {
    let told: serde_json::Value = serde_json::from_str(said.trim())?;
    Ok(told["step"].as_str().context("no step")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_monitor_follows_a_live_log_and_its_proofs_hold_offline() -> Result<()> {
    let Some(mut watched) = Watched::open("log").await? else { return Ok(()) };
    watched.enroll().await?;
    let first = watched.beyond(0).await?;
    assert_eq!(step(&watched.watch()?)?, "first");
    let token = watched.verify().await?;
    let jti = receipt::evidence(&token, &watched.scene.receipt_keys()?)?.claims().jti.to_string();
    let proof = watched.proof(&jti).await?;
    watched.beyond(first).await?;
    assert_eq!(step(&watched.watch()?)?, "grown");

    LogProof::read(&proof)?.verify(&watched.keys)?.check_receipt(&token).map_err(receipt::Refused::from)?;
    let (proof, receipt) = (watched.scene.lay("receipt.tlog-proof", proof)?, watched.scene.lay("receipt.jws", &token)?);
    let public = |name: &str| watched.scene.public().join(name).to_string_lossy().into_owned();
    let (jwks, root, issuer) = (public("ledger-jwks.json"), public("root.thumbprint"), format!("{PUBLIC_URL}/ledger"));
    let trust = ["--ledger-jwks", &jwks, "--root", &root, "--ledger-issuer", &issuer];
    cluster::cli(&[&["log", "verify", &proof, "--receipt", &receipt], &trust[..]].concat())?;
    let other = watched.verify().await?;
    let other = watched.scene.lay("other.jws", other)?;
    let said = cluster::cli(&[&["log", "verify", &proof, "--receipt", &other], &trust[..]].concat());
    ensure!(said.err().context("accepted")?.to_string().contains("LOG_OTHER_LEAF"));

    let (log, ca) = (format!("{}/v1/log", watched.scene.cluster.url()), watched.scene.cluster.ca());
    let (renewed, ca) = (watched.scene.lay("renewed.tlog-proof", "")?, ca.to_string_lossy());
    let prove = ["log", "prove", &log, "--leaf", &proof, "--out", &renewed, "--ca", &ca];
    cluster::cli(&[&prove[..], &trust[..]].concat())?;
    cluster::cli(&[&["log", "verify", &renewed, "--receipt", &receipt], &trust[..]].concat())?;

    let deleted = watched.scene.bank.delete("alice").await?.deletion_proof;
    let claims = receipt::inspect_unverified(&deleted).context("no token")?.claims;
    let logged = LogProof::read(&watched.proof(claims["jti"].as_str().context("no jti")?).await?)?;
    let commitment = claims["ref"]["commitment"].as_str().context("no commitment")?.to_owned();
    let (aud, deleted) = (watched.scene.tenant.id.clone(), watched.scene.lay("deletion.jws", deleted)?);
    let logged = watched.scene.lay("deletion.tlog-proof", logged.to_text()?)?;
    let trust = ["--jwks", &jwks, "--root", &root, "--issuer", &issuer];
    let about = ["--aud", &aud, "--commitment", &commitment, "--log-proof", &logged];
    cluster::cli(&[&["receipt", "verify-proof", &deleted], &trust[..], &about].concat())?;

    let erased = watched.scene.cluster.gateway_command(&["log", "erase", &aud, "alice", "--yes"])?;
    ensure!(erased.contains("tell nothing any more"), "{erased}");
    assert_eq!(
        watched.curl.send(&format!("/v1/log/proof/{jti}"), &[], b"")?.status,
        404,
        "nobody can be told any more"
    );
    step(&watched.watch()?).context("and the log goes on")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_or_grows_on_from_its_past_is_an_alarm() -> Result<()> {
    let Some(mut watched) = Watched::open("log/fork").await? else { return Ok(()) };
    watched.enroll().await?;
    watched.beyond(0).await?;
    sleep(Duration::from_secs(7)).await;
    step(&watched.watch()?)?;
    ensure!(watched.scene.cluster.gateway.terminate()?, "the gateway did not end well");
    let live = watched.scene.cluster.folder().join("data/countersign.sqlite");
    let old = watched.scene.desk()?.join("old.sqlite");
    fs::copy(&live, &old)?;
    watched.restart(&[]).await?;
    let before = watched.size()?;
    for _ in 0..2 {
        watched.verify().await?;
    }
    let seen = watched.beyond(before + 1).await?;
    assert_eq!(step(&watched.watch()?)?, "grown");

    ensure!(watched.scene.cluster.gateway.terminate()?, "the gateway did not end well");
    fs::copy(&old, &live)?;
    watched.restart(&[]).await?;
    let alarm = |said: Result<String>, reason: &str| -> Result<()> {
        let said = said.err().context("no alarm")?.to_string();
        ensure!(said.contains("exit status: 3") && said.contains(reason), "{said}");
        Ok(())
    };
    alarm(watched.watch(), "LOG_ROLLBACK")?;
    while watched.size()? <= seen {
        watched.verify().await?;
        sleep(Duration::from_secs(1)).await;
    }
    alarm(watched.watch(), "LOG_FORK")?;
    ensure!(watched.scene.desk()?.join("seen.evidence").is_file(), "both sides are kept");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_dies_while_the_log_grows_leaves_no_gap_and_no_fork() -> Result<()> {
    if !cfg!(debug_assertions) {
        println!("skipped: log/kills: failpoints are in debug builds alone");
        return Ok(());
    }
    let Some(mut watched) = Watched::open("log/kills").await? else { return Ok(()) };
    let mut seen = watched.beyond(0).await?;
    step(&watched.watch()?)?;
    for (number, point) in ["log.signed", "log.before_commit", "log.after_commit"].into_iter().enumerate() {
        watched.scene.cluster.launch_gateway(&[("COUNTERSIGN_FAILPOINT", point)])?;
        let tenant = watched.scene.cluster.make_tenant(&format!("after {number}"), true)?;
        let late = Instant::now() + PATIENCE;
        while watched.scene.cluster.gateway.runs()? {
            ensure!(Instant::now() < late, "{point} was never passed");
            sleep(Duration::from_millis(50)).await;
        }
        watched.restart(&[]).await?;
        let now = watched.beyond(seen).await?;
        assert_eq!(step(&watched.watch()?)?, "grown", "{point}");
        seen = now;
        let anchor = async || -> Result<String> {
            let late = Instant::now() + PATIENCE;
            loop {
                let said = watched.scene.cluster.gateway_command(&["log", "anchor", &tenant.id]);
                if said.is_ok() || Instant::now() > late {
                    return said;
                }
                sleep(Duration::from_millis(500)).await;
            }
        };
        let held = watched.scene.lay("held.tlog-proof", anchor().await?)?;
        let root = watched.scene.public().join("root.thumbprint").to_string_lossy().into_owned();
        let check = ["log", "check", &tenant.id, "--held", &held, "--root", &root];
        let said = watched.scene.cluster.gateway_command(&check)?;
        ensure!(said.contains("holds: "), "{said}");
    }
    Ok(())
}
