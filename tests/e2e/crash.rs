//! `kill -9` between every pair of steps and at random moments under load: no answer without its row, no challenge accepted
//! twice, no attempt stuck, every receipt verifies (TARGETS R9).

use anyhow::{Context, Result, ensure};
use std::{sync::Arc, time::Duration};
use store::AttemptState;
use support::{
    books::Books,
    caller::{self, Caller, Tenant},
    cluster::{Cluster, Options},
    load::{Answered, Crew, Faces, Load, Proved, Seen},
    skips, torture,
};
use tokio::time::sleep;
use wire::v1;

/// Deadline of calls that may die: a lease lives three seconds longer.
const DEADLINE: Duration = Duration::from_secs(3);
/// Names the failpoint of a debug build.
const FAILPOINT: &str = "COUNTERSIGN_FAILPOINT";
const ROUNDS: &str = "COUNTERSIGN_CRASH_ROUNDS";

/// A cluster, a tenant of it and what its callers saw.
struct Scene {
    cluster: Cluster,
    tenant: Tenant,
    faces: Faces,
    books: Books,
    seen: Seen,
}

/// What is left behind a death inside a verification.
#[derive(Debug, PartialEq)]
enum Left {
    /// No trace: the same challenge may be answered.
    Nothing,
    /// An open lease that nobody will come back for.
    Lease,
    /// The outcome, whose answer never left.
    Outcome,
}

impl Scene {
    async fn open(cluster: Cluster) -> Result<Self> {
        let tenant = cluster.make_tenant("crash", true)?;
        let books = Books::open(&cluster, &tenant).await?;
        Ok(Self { faces: Faces::new(900, 90)?, cluster, tenant, books, seen: Seen::default() })
    }

    async fn caller(&self) -> Result<Caller> {
        let caller = Caller::connect(&self.cluster, &self.tenant.api_key).await?;
        Ok(Caller { deadline: Some(DEADLINE), ..caller })
    }

    /// Restarts the gateway so that it dies at `point`; without one, so that it lives.
    fn restart(&mut self, point: Option<&str>) -> Result<()> {
        let env: Vec<_> = point.map(|point| (FAILPOINT, point)).into_iter().collect();
        self.cluster.restart_gateway(&env)
    }

    /// Enrolls `user` and keeps the answer.
    async fn enroll(&mut self, user: &str) -> Result<Vec<u8>> {
        let mut caller = self.caller().await?;
        let opened = caller.create_challenge(caller::challenge(user, v1::Purpose::Enroll)).await?;
        let answer = caller.enroll(&opened.challenge_id, self.faces.enroll.clone()).await?;
        let accepted = answer.verdict() == v1::Verdict::Accept;
        ensure!(accepted, "the owner could not enroll");
        self.note(opened.challenge_id, answer.receipt, accepted);
        Ok(answer.reference.context("an enrollment names its reference")?.commitment)
    }

    fn note(&mut self, challenge: String, receipt: String, accepted: bool) {
        self.seen.challenges.push(challenge.clone());
        self.seen.answers.push(Answered { challenge, accepted, receipt, stranger: false });
    }

    async fn challenge(&mut self, user: &str) -> Result<String> {
        let opened = self.caller().await?.create_challenge(caller::challenge(user, v1::Purpose::Verify)).await?;
        self.seen.challenges.push(opened.challenge_id.clone());
        Ok(opened.challenge_id)
    }

    /// Answers the challenge; the reason where there is no decision.
    async fn verify(&mut self, challenge: &str) -> Result<Result<bool, String>> {
        let answer = self.caller().await?.verify(challenge, self.faces.owner.clone()).await;
        Ok(match answer {
            Ok(answer) => {
                let accepted = answer.verdict() == v1::Verdict::Accept;
                self.note(challenge.to_owned(), answer.receipt, accepted);
                Ok(accepted)
            }
            Err(status) => Err(caller::reason(&status)),
        })
    }

    /// Waits until the gateway is gone, as a process takes its time to die.
    async fn gone(&mut self, point: &str) -> Result<()> {
        for _ in 0..200 {
            if !self.cluster.gateway.runs()? {
                return Ok(());
            }
            sleep(Duration::from_millis(25)).await;
        }
        anyhow::bail!("{point}: the gateway lived")
    }

    /// Dies at `point` while `user`'s challenge is answered, and comes back.
    async fn die(&mut self, point: &str, user: &str) -> Result<(String, Left)> {
        let challenge = self.challenge(user).await?;
        self.restart(Some(point))?;
        let answer = self.verify(&challenge).await?;
        ensure!(answer.is_err(), "{point}: an answer left");
        self.gone(point).await?;
        self.restart(None)?;
        let left = match self.books.attempts(&challenge).await?.first().map(|attempt| attempt.state) {
            None => Left::Nothing,
            Some(AttemptState::Open) => Left::Lease,
            Some(AttemptState::Decided(_)) => Left::Outcome,
            Some(other) => anyhow::bail!("{point}: the attempt is {other:?}"),
        };
        Ok((challenge, left))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_between_any_two_steps_of_a_verification_loses_and_repeats_nothing() -> Result<()> {
    let test = "crash/steps of a verification";
    if !cfg!(debug_assertions) {
        println!("skipped: {test}: a release build has no failpoints");
        return Ok(());
    }
    let Some(cluster) = skips::cluster(test, "base")? else { return Ok(()) };
    let mut scene = Scene::open(cluster).await?;
    let points = [
        ("t1.before_commit", Left::Nothing),
        ("t1.after_commit", Left::Lease),
        ("worker.answered", Left::Lease),
        ("t2.before_commit", Left::Lease),
        ("t2.after_commit", Left::Outcome),
    ];
    let mut leased = Vec::new();
    for (number, (point, expected)) in points.into_iter().enumerate() {
        let user = format!("customer-{number}");
        scene.enroll(&user).await?;
        let (challenge, left) = scene.die(point, &user).await?;
        assert_eq!(left, expected, "{point}");
        let again = scene.verify(&challenge).await?;
        match left {
            Left::Nothing => assert_eq!(again, Ok(true), "{point}: nothing was left, so nothing is in the way"),
            Left::Lease => {
                assert_eq!(again, Err("ATTEMPT_OPEN".to_owned()), "{point}");
                leased.push(challenge);
            }
            Left::Outcome => {
                assert_eq!(again, Err("ALREADY_DECIDED".to_owned()), "{point}: there is no second receipt")
            }
        }
    }
    let standing = scene.books.settled(&scene.seen.challenges).await?;
    assert_eq!((standing.open, standing.abandoned), (0, leased.len()));
    for challenge in &leased {
        assert_eq!(scene.verify(challenge).await?, Ok(true), "the next attempt of the challenge is free");
    }
    assert_eq!(scene.books.entries("attempt.abandoned").await?, leased.len() as u64);
    scene.books.check(&scene.seen).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_between_any_two_steps_of_an_erasure_leaves_a_reference_or_a_provable_deletion() -> Result<()>
{
    let test = "crash/steps of an erasure";
    if !cfg!(debug_assertions) {
        println!("skipped: {test}: a release build has no failpoints");
        return Ok(());
    }
    let Some(cluster) = skips::cluster(test, "base")? else { return Ok(()) };
    let mut scene = Scene::open(cluster).await?;
    let points = [
        ("erase.before_commit", true),
        ("erase.after_commit", false),
        ("erase.after_checkpoint", false),
        ("erase.after_proved", false),
    ];
    for (number, (point, still_there)) in points.into_iter().enumerate() {
        let user = format!("customer-{number}");
        let commitment = scene.enroll(&user).await?;
        scene.restart(Some(point))?;
        let answer = scene.caller().await?.delete(&user).await;
        ensure!(answer.is_err(), "{point}: an answer left");
        scene.gone(point).await?;
        scene.restart(None)?;
        let opened = scene.challenge(&user).await?;
        let verified = scene.verify(&opened).await?;
        assert_eq!(verified, if still_there { Ok(true) } else { Err("NO_REFERENCE".to_owned()) }, "{point}");
        match scene.caller().await?.delete(&user).await {
            Ok(answer) => scene.seen.proofs.push(Proved { proof: answer.deletion_proof, commitment }),
            // The proof was noted as given and died on its way: the audit holds it, no second one is made.
            Err(status) => {
                assert_eq!((point, caller::reason(&status).as_str()), ("erase.after_proved", "NO_REFERENCE"))
            }
        }
    }
    assert_eq!(scene.books.entries("reference.erased").await?, points.len() as u64);
    assert_eq!(scene.books.entries("deletion.proved").await?, points.len() as u64);
    scene.books.check(&scene.seen).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_at_random_moments_under_load_loses_and_repeats_nothing() -> Result<()> {
    let Some(cluster) = skips::cluster("crash/random moments", "base")? else { return Ok(()) };
    let rounds: u32 = std::env::var(ROUNDS).ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let mut scene = Scene::open(cluster).await?;
    let faces = Arc::new(scene.faces.clone());
    let mut moment = torture::Moments(0x9e37_79b9_7f4a_7c15);
    // On a slow machine nobody gets as far as a deletion in a short life: then there are longer ones.
    for round in 0..2 * rounds {
        let longest = Duration::from_millis(if round < rounds { 900 } else { 4000 });
        if round >= rounds && !scene.seen.proofs.is_empty() {
            break;
        }
        let caller = scene.caller().await?;
        let load = Load::start(&caller, Crew { name: &format!("r{round}"), users: 6 }, &faces);
        sleep(moment.next_within(longest)).await;
        scene.cluster.gateway.kill()?;
        let mut seen = load.stop().await;
        scene.restart(None)?;
        redeem_unanswered(&scene, &mut seen).await?;
        scene.seen.join(seen);
    }
    let standing = scene.books.settled(&scene.seen.challenges).await?;
    let seen = &scene.seen;
    println!(
        "{rounds} kills: {} challenges, {} answers, {} proofs, {standing:?}, failed calls {:?}, slowest {:?}",
        seen.challenges.len(),
        seen.answers.len(),
        seen.proofs.len(),
        seen.failed,
        seen.slowest
    );
    let met = [seen.answers.len(), seen.proofs.len(), seen.failed.len()];
    ensure!(met.iter().all(|&count| count > 0), "the kills met no load: {met:?}");
    assert_eq!(standing.open + standing.released, 0);
    scene.books.check(seen).await
}

/// Asks again where a death took the answer: whatever comes, the books must agree with it.
async fn redeem_unanswered(scene: &Scene, seen: &mut Seen) -> Result<()> {
    let answered: Vec<_> = seen.answers.iter().map(|answer| answer.challenge.clone()).collect();
    let open: Vec<_> = seen.challenges.iter().filter(|id| !answered.contains(id)).cloned().collect();
    let mut caller = scene.caller().await?;
    for challenge in open {
        match caller.verify(&challenge, scene.faces.owner.clone()).await {
            Ok(answer) => {
                let accepted = answer.verdict() == v1::Verdict::Accept;
                seen.answers.push(Answered { challenge, accepted, receipt: answer.receipt, stranger: false });
            }
            Err(status) => {
                let why = caller::reason(&status);
                let known = ["ALREADY_DECIDED", "ATTEMPT_OPEN", "WRONG_PURPOSE", "NO_REFERENCE"];
                ensure!(known.contains(&why.as_str()), "after a death a challenge was answered {why}");
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_under_load_accepts_nobody_wrongly_and_hangs_no_call() -> Result<()> {
    let Some(options) = skips::options("crash/worker", "base") else { return Ok(()) };
    let cluster = Cluster::start(Options { workers: 2, threads: 1, ..options })?;
    let mut scene = Scene::open(cluster).await?;
    let faces = Arc::new(scene.faces.clone());
    let mut moment = torture::Moments(0x1234_5678_9abc_def1);
    for round in 0_usize..6 {
        let caller = scene.caller().await?;
        let load = Load::start(&caller, Crew { name: &format!("w{round}"), users: 4 }, &faces);
        sleep(moment.next_within(Duration::from_millis(700))).await;
        scene.cluster.workers[round % 2].kill()?;
        let before = load.answered();
        let mut waited = Duration::ZERO;
        while load.answered() < before + 4 && waited < Duration::from_secs(10) {
            sleep(Duration::from_millis(50)).await;
            waited += Duration::from_millis(50);
        }
        ensure!(load.answered() > before, "with one of two workers gone no call was answered any more");
        println!("worker killed: four answers from the other one after {waited:?}");
        scene.cluster.restart_worker(round % 2)?;
        scene.seen.join(load.stop().await);
    }
    let standing = scene.books.settled(&scene.seen.challenges).await?;
    let seen = &scene.seen;
    println!(
        "6 workers killed: {} answers, {standing:?}, failed {:?}, slowest {:?}",
        seen.answers.len(),
        seen.failed,
        seen.slowest
    );
    ensure!(seen.slowest < DEADLINE + Duration::from_secs(1), "a call hung for {:?}", seen.slowest);
    scene.books.check(seen).await
}
