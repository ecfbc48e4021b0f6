//! A tenant's key encryption key is replaced while its users verify.
//!
//! Must never know: keys. Invariant: traffic goes on for as long as the rotation does, and every answer is looked at.

use crate::checks::{Checks, same};
use anyhow::{Context, Result, ensure};
use receipt::{ExpectedDestruction, Pin, TrustedKeys};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use support::{
    caller::Caller,
    captures,
    cluster::{Cluster, PUBLIC_URL},
};
use wire::v1;

/// Whose reference stays.
const USER: &str = "customer-2";

/// Plays the chapter and checks every step.
pub(crate) async fn tell(cluster: &Cluster, checks: &mut Checks) -> Result<()> {
    let tenant = cluster.make_tenant("rotated", true)?;
    let mut bank = Caller::connect(cluster, &tenant.api_key).await?;
    let enrolled = bank.enroll_user(USER, captures::portraits(&["obama.jpg"])?).await?;
    ensure!(enrolled.verdict() == v1::Verdict::Accept, "the owner could not enroll");
    let ended = Arc::new(AtomicBool::new(false));
    let traffic = tokio::spawn(traffic(bank.clone(), Arc::clone(&ended)));
    let said = tokio::task::block_in_place(|| cluster.gateway_command(&["key", "rotate", &tenant.id, "--wait"]));
    ended.store(true, Ordering::SeqCst);
    checks.check("the tenant's KEK is rotated under traffic: the job is DONE", done(said));
    let (accepted, all) = traffic.await??;
    checks.check(
        &format!("every one of {all} verifications meanwhile and after it: ACCEPT"),
        same("accepted", accepted, all),
    );
    let certificates = cluster.gateway_command(&["key", "destroyed", &tenant.id])?;
    checks.check(
        "the old version is destroyed; its certificate verifies offline",
        destroyed(cluster, &tenant.id, &certificates),
    );
    Ok(())
}

/// Verifies until the rotation has ended, and once more; answers how many were accepted, and of how many.
async fn traffic(mut bank: Caller, ended: Arc<AtomicBool>) -> Result<(usize, usize)> {
    let frames = captures::portraits(&["obama2.jpg"])?;
    let (mut accepted, mut all) = (0, 0);
    loop {
        let last = ended.load(Ordering::SeqCst);
        let (_, answer) = bank.verify_user(USER, frames.clone()).await?;
        accepted += usize::from(answer.verdict() == v1::Verdict::Accept);
        all += 1;
        if last {
            return Ok((accepted, all));
        }
    }
}

fn done(said: Result<String>) -> Result<()> {
    let said = said?;
    ensure!(said.contains("DONE"), "{said}");
    Ok(())
}

fn destroyed(cluster: &Cluster, tenant: &str, certificates: &str) -> Result<()> {
    let keys = cluster.folder().join("keys/public");
    let (root, issuer) = (fs::read_to_string(keys.join("root.thumbprint"))?, format!("{PUBLIC_URL}/ledger"));
    let pin = Pin { issuer: &issuer, root_thumbprint: root.trim() };
    let trusted = TrustedKeys::from_document(&fs::read_to_string(keys.join("ledger-jwks.json"))?, pin)?;
    let expected = ExpectedDestruction { aud: tenant, kek_version: 1 };
    let certificate = certificates.lines().next().context("no certificate")?;
    let verified = receipt::verify_key_destruction(certificate, &trusted, &expected)?;
    same("versions", (verified.claims().kek.version, verified.claims().kek.successor), (1, Some(2)))
}
