//! The end of a tenant whose gateway dies at every point that it comes by and at random moments: it ends by itself, with no
//! reference, no key that could be used, one certificate over all its proofs, nothing twice.

use anyhow::{Context, Result, ensure};
use biometrics::JobId;
use std::{collections::BTreeSet, fs, time::Duration};
use store::{Chain, Job, JobState, Step};
use support::{
    caller::Tenant,
    cluster::{self, Cluster, Options, PUBLIC_URL},
    hoard::Hoard,
    skips, surgery, torture,
};
use tokio::time::{Instant, sleep};

/// Short, so that the next life goes on at once; small batches, so that there are many moments to die at.
const SETTINGS: &str = "[jobs]\nlease_ms = 300\nbatch = 16\n";
/// References of each tenant that ends.
const REFERENCES: usize = 60;
/// Those of them that were deleted one by one before, and never proved.
const SINGLES: usize = 3;
/// KEK versions of each tenant.
const VERSIONS: u32 = 3;
/// Kills at random on a machine however slow.
const FEWEST: usize = 4;
/// How often a point is tried before it counts as one that nothing comes by.
const TRIES: usize = 4;

/// Failpoints that a termination comes by, with the last step at which each is still ahead.
const POINTS: [(&str, Step); 17] = [
    ("bulk.erase.before_commit", Step::Erase),
    ("bulk.erase.after_commit", Step::Erase),
    ("bulk.erase.before_commit:2", Step::Erase),
    ("terminate.emptied.before_commit", Step::Drain),
    ("journal.written", Step::Prove),
    ("erase.after_checkpoint", Step::Prove),
    ("bulk.prove.before_commit", Step::Prove),
    ("bulk.prove.before_commit:2", Step::Prove),
    ("terminate.counted.before_commit", Step::Destroy),
    ("terminate.destroying", Step::Destroy),
    ("terminate.destroyed", Step::Destroy),
    ("rotate.destroyed.before_commit", Step::Destroy),
    ("terminate.ended.before_commit", Step::Destroy),
    ("terminate.ended.after_commit", Step::Destroy),
    ("log.signed", Step::Destroy),
    ("log.before_commit", Step::Destroy),
    ("log.after_commit", Step::Destroy),
];

/// A cluster, and the tenant of it that ends now.
struct House {
    cluster: Cluster,
    tenant: Tenant,
    hoard: Hoard,
    job: JobId,
    /// How many tenants ended.
    ended: usize,
    /// How long a gateway takes to come up here.
    boot: Duration,
}

impl House {
    async fn open(options: Options) -> Result<Self> {
        // The hoard seals with the worker's key files.
        let mut cluster = Cluster::start(Options { threads: 1, on_tokens: false, ..options })?;
        cluster.configure_gateway(SETTINGS)?;
        let begun = Instant::now();
        cluster.restart_gateway(&[])?;
        let boot = begun.elapsed();
        cluster.gateway.kill()?;
        let (tenant, hoard, job) = move_in(&cluster, 0).await?;
        Ok(Self { cluster, tenant, hoard, job, ended: 0, boot })
    }

    async fn job(&self) -> Result<Job> {
        self.hoard.store.job(self.job).await?.context("no such job")
    }

    /// One life of the gateway, ended at a failpoint, when the tenant has ended without coming by it, or after `most`. Answers
    /// whether it died by itself.
    async fn live(&mut self, point: Option<&str>, most: Duration) -> Result<bool> {
        let env: Vec<_> = point.map(|point| ("COUNTERSIGN_FAILPOINT", point)).into_iter().collect();
        self.cluster.launch_gateway(&env)?;
        let mut end = Instant::now() + most;
        let mut open = true;
        while Instant::now() < end {
            if !self.cluster.gateway.runs()? {
                return Ok(true);
            }
            if open && point.is_some() && !self.job().await?.state.is_open() {
                // It may be dying of its last commit; the log follows within a second or two.
                (open, end) = (false, Instant::now() + Duration::from_secs(3));
            }
            sleep(Duration::from_millis(10)).await;
        }
        self.cluster.gateway.kill()?;
        Ok(false)
    }

    /// Has a gateway that nobody kills go on until the tenant has ended.
    async fn end(&mut self) -> Result<()> {
        self.cluster.launch_gateway(&[])?;
        let late = Instant::now() + Duration::from_secs(60);
        while self.job().await?.state.is_open() {
            ensure!(Instant::now() < late, "the termination does not end by itself: {:?}", self.job().await?);
            sleep(Duration::from_millis(20)).await;
        }
        self.cluster.gateway.kill()
    }

    /// What is to be found of a tenant that ended, and nothing else.
    async fn check(&self) -> Result<()> {
        let (job, store, tenant) = (self.job().await?, &self.hoard.store, self.hoard.tenant);
        ensure!(job.state == JobState::Done, "{job:?}");
        let found = self.hoard.look(&job, &[]).await?;
        let left = (found.opened, found.strange.len(), found.versions.len(), found.lost.len());
        ensure!(left == (0, 0, 0, REFERENCES - SINGLES), "{found:?}");
        let alive = self.hoard.alive(VERSIONS)?;
        ensure!(alive.is_empty(), "KEK versions {alive:?} could still be used");
        let gone = store.kek_destructions(tenant).await?;
        ensure!(gone.iter().map(|gone| gone.kek_version).eq(1..=VERSIONS), "{gone:?}");
        let of = REFERENCES as i64;
        let entries = [
            ("reference.erased", of),
            ("deletion.proved", of),
            ("kek.destroyed", i64::from(VERSIONS)),
            ("tenant.terminating", 1),
            ("tenant.terminated", 1),
            ("job.done", 1),
        ];
        for (kind, times) in entries {
            let count = store.audit_count(tenant, kind).await?;
            ensure!(i64::try_from(count)? == times, "{count} entries {kind}, not {times}");
        }
        let chain = store.verify_audit(tenant).await?;
        ensure!(matches!(chain, Chain::Intact { .. }), "{chain:?}");
        ensure!(store.termination(tenant).await?.is_some_and(|end| end.job == self.job), "no record of the end");
        self.check_certificate()
    }

    /// As an outsider does, with what an operator exported.
    fn check_certificate(&self) -> Result<()> {
        let exported = |what: &str| self.cluster.gateway_command(&["tenant", what, &self.tenant.id]);
        let (proofs, certificate) = (exported("proofs")?, exported("certificate")?);
        ensure!(exported("certificate")? == certificate, "two certificates");
        let path = self.cluster.folder().join("proofs.jsonl");
        fs::write(&path, proofs)?;
        let (public, path) = (self.cluster.folder().join("keys/public"), path.to_string_lossy().into_owned());
        let (jwks, root) = (public.join("ledger-jwks.json"), public.join("root.thumbprint"));
        let (jwks, root, issuer) = (jwks.to_string_lossy(), root.to_string_lossy(), format!("{PUBLIC_URL}/ledger"));
        let command = ["receipt", "verify-termination", certificate.trim(), "--proofs", &path];
        let keys = ["--jwks", &jwks, "--root", &root, "--issuer", &issuer, "--aud", &self.tenant.id];
        let said = cluster::cli(&[&command[..], &keys].concat())?;
        let claims: serde_json::Value = serde_json::from_str(&said)?;
        ensure!(claims["proofs"]["count"] == REFERENCES, "{claims}");
        Ok(())
    }

    /// Checks the tenant that ended and has the next one begin to.
    async fn next(&mut self) -> Result<()> {
        self.check().await.with_context(|| format!("tenant {}", self.ended))?;
        self.ended += 1;
        self.hoard.store.close().await;
        (self.tenant, self.hoard, self.job) = move_in(&self.cluster, self.ended).await?;
        Ok(())
    }
}

/// A tenant with references under several KEK versions, some of them deleted one by one, whose end was asked for.
async fn move_in(cluster: &Cluster, number: usize) -> Result<(Tenant, Hoard, JobId)> {
    let tenant = cluster.make_tenant(&format!("gone-{number}"), true)?;
    let mut hoard = Hoard::open(cluster, &tenant).await?;
    let keys = cluster.folder().join("keys").to_string_lossy().into_owned();
    for n in 0..REFERENCES {
        if n == 20 || n == 40 {
            cluster::keys(&["kek", "make", &keys, &tenant.id], None)?;
        }
        hoard.add().await?;
    }
    for n in 0..SINGLES {
        let user = hoard.any(n).context("nobody is left")?;
        hoard.erase(&user).await?;
    }
    let job = cluster.gateway_command(&["tenant", "terminate", &tenant.id, "--yes"])?.trim().parse()?;
    Ok((tenant, hoard, job))
}

/// Kills the gateway once at each point.
async fn kill_at_every_point(house: &mut House) -> Result<()> {
    let (mut died, mut tries) = (BTreeSet::new(), [0; POINTS.len()]);
    while died.len() < POINTS.len() {
        let job = house.job().await?;
        let ahead = |last: Step| job.state.is_open() && order(last) >= order(job.step);
        let next = POINTS.iter().enumerate().find(|(n, (_, last))| !died.contains(n) && ahead(*last));
        let Some((n, (point, _))) = next else {
            house.end().await?;
            house.next().await?;
            continue;
        };
        tries[n] += 1;
        ensure!(tries[n] <= TRIES, "no termination comes by {point}");
        if house.live(Some(point), Duration::from_secs(20)).await? {
            died.insert(n);
        }
    }
    Ok(())
}

/// Kills the gateway at random moments of its life; answers how often in the middle of a termination.
async fn kill_at_random(house: &mut House, kills: usize, patience: Duration) -> Result<usize> {
    let (begun, mut moments, mut midway) = (Instant::now(), 0x9e37_79b9_7f4a_7c15_u64, 0);
    for kill in 0..kills {
        if kill >= FEWEST && begun.elapsed() > patience {
            break;
        }
        if !house.job().await?.state.is_open() {
            house.next().await?;
        }
        // xorshift: moments that differ from life to life and are the same in every run.
        moments ^= moments << 13;
        moments ^= moments >> 7;
        moments ^= moments << 17;
        let most = house.boot.mul_f64(0.4 + 0.8 * (moments >> 11) as f64 / (1_u64 << 53) as f64);
        house.live(None, most).await?;
        midway += usize::from(house.job().await?.state.is_open());
    }
    Ok(midway)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_termination_whose_gateway_is_killed_at_every_point_ends_once_and_by_itself() -> Result<()> {
    let test = "termination/kills";
    if skips::or_skip(test, surgery::possible()).is_none() {
        return Ok(());
    }
    let Some(options) = skips::options(test, "base") else { return Ok(()) };
    let begun = Instant::now();
    let mut house = House::open(options).await?;
    let at_points = if cfg!(debug_assertions) { POINTS.len() } else { 0 };
    if at_points > 0 {
        kill_at_every_point(&mut house).await?;
    }
    let asked = torture::full() || torture::asked().is_some();
    let patience = if asked { Duration::MAX } else { Duration::from_secs(10) };
    let midway = kill_at_random(&mut house, torture::trials(10, 500), patience).await?;
    ensure!(midway > 0, "every kill at random came after the end");
    house.end().await?;
    house.check().await?;
    println!(
        "termination: killed at {at_points} points and {midway} times at random over {} tenants of {REFERENCES} references in {:.0?}",
        house.ended + 1,
        begun.elapsed()
    );
    // Positive control: one deletion less, as if its record had been left out.
    let user = house.hoard.any(0).context("nobody")?;
    let newest = "(SELECT tenant FROM terminations ORDER BY ended_at_ms DESC LIMIT 1)";
    let cut = format!("DELETE FROM deletions WHERE tenant = {newest} AND user_id = '{user}'");
    surgery::operate(&house.cluster.database, &[&cut])?;
    let seen = house.check_certificate().err().context("the check is blind")?;
    ensure!(format!("{seen:#}").contains("PROOFS_MISSING 1"), "{seen:#}");
    Ok(())
}

const fn order(step: Step) -> u8 {
    match step {
        Step::Erase => 0,
        Step::Drain => 1,
        Step::Prove => 2,
        _ => 3,
    }
}
