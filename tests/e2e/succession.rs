//! A new recogniser without anybody enrolling again: the one before decides, a successor is made, both match, the old reference
//! goes; other people, deletions, kills and jobs at every stage of it.

use anyhow::{Context, Result, ensure};
use receipt::{Expected, ExpectedDeletion, verify_deletion_proof};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};
use store::{Chain, Store, UserReferences};
use support::{
    caller::Caller,
    expect::{Decision, action, expected, refused},
    load::Faces,
    places,
    scan::{self, Needles},
    scene::{self, Scene},
    skips,
};
use tokio::time::{Instant, sleep};
use tonic::Code;
use wire::v1::{self, Gate, GateStatus};

/// A cluster on the base pack whose users will see it change.
struct House {
    scene: Scene,
    faces: Faces,
    store: Store,
}

impl House {
    async fn open(test: &str) -> Result<Option<Self>> {
        Self::on(test, Scene::open(test)).await
    }

    async fn on(test: &str, scene: impl Future<Output = Result<Option<Scene>>>) -> Result<Option<Self>> {
        if skips::or_skip(test, places::pack("standard")).is_none() {
            return Ok(None);
        }
        let Some(scene) = scene.await? else { return Ok(None) };
        let store = Store::open(scene.database().config()).await?;
        Ok(Some(Self { scene, faces: Faces::new(1800, 90)?, store }))
    }

    async fn enroll(&mut self, user: &str) -> Result<[u8; 32]> {
        let answer = self.scene.bank.enroll_user(user, self.faces.enroll.clone()).await?;
        let commitment = answer.reference.context("the owner could not enroll")?.commitment;
        commitment.try_into().ok().context("not 32 bytes")
    }

    fn change_recogniser(&mut self) -> Result<()> {
        self.scene.cluster.change_pack(places::pack("standard")?)
    }

    async fn there(&self, user: &str) -> Result<Option<UserReferences>> {
        Ok(self.store.references(self.scene.tenant.id.parse()?, &user.parse()?).await?)
    }

    /// The user's two references.
    async fn two(&self, user: &str) -> Result<(store::SealedRow, store::SealedRow)> {
        let found = self.there(user).await?.context("no reference")?;
        Ok((found.reference, found.successor.context("no successor")?))
    }

    /// What the operator's command counts: references and successors by feature space.
    fn counted(&self) -> Result<Vec<(String, u64, u64)>> {
        let said = self.scene.cluster.gateway_command(&["reference", "count", "--json"])?;
        let counts = said.lines().map(|line| {
            let line: Value = serde_json::from_str(line)?;
            ensure!(line["tenant"] == *self.scene.tenant.id, "{line}");
            let number = |name: &str| line[name].as_u64().context("no number");
            let space = line["feature_space"].as_str().context("no feature space")?;
            Ok((space.to_owned(), number("references")?, number("successors")?))
        });
        counts.collect()
    }

    /// Asks again while the gateway has not yet found the worker that was started anew.
    async fn verified(&mut self, user: &str, frames: &[v1::Frame]) -> Result<v1::VerifyResponse> {
        let late = Instant::now() + Duration::from_secs(10);
        loop {
            match self.scene.bank.verify_user(user, frames.to_vec()).await {
                Err(status) if status.code() == Code::Unavailable && Instant::now() < late => {
                    sleep(Duration::from_millis(200)).await;
                }
                answer => return Ok(answer?.1),
            }
        }
    }

    async fn owner(&mut self, user: &str) -> Result<v1::VerifyResponse> {
        let answer = self.verified(user, &self.faces.owner.clone()).await?;
        ensure!(Decision::of_verify(&answer)? == Decision::Accept, "the owner is not accepted: {answer:?}");
        Ok(answer)
    }

    /// Somebody else is refused, and nothing of the user's references changes.
    async fn stranger(&mut self, user: &str) -> Result<()> {
        let before = self.there(user).await?;
        let answer = self.verified(user, &self.faces.stranger.clone()).await?;
        let non_match = Decision::refuse(Gate::Comparison, GateStatus::Fail, "COMPARISON_NON_MATCH");
        assert_eq!(Decision::of_verify(&answer)?, non_match);
        assert_eq!(self.there(user).await?, before, "a refusal changed the references");
        Ok(())
    }

    /// The receipt authorizes for whoever pinned this commitment; answers its claims.
    fn authorized(&self, answer: &v1::VerifyResponse, commitment: [u8; 32]) -> Result<receipt::ReceiptClaims> {
        let (keys, action) = (self.scene.receipt_keys()?, action()?);
        let pinned = Expected { reference_commitment: Some(commitment), ..expected(&self.scene.tenant.id, &action) };
        let unspent = receipt::authorize(&answer.receipt, &keys, &pinned, scene::now_s())?;
        Ok(unspent.settle(true).context("it is fresh")?.claims().clone())
    }

    async fn described(&mut self, user: &str) -> Result<v1::GetReferenceResponse> {
        let request = self.scene.bank.request(v1::GetReferenceRequest { user_id: user.to_owned() });
        Ok(self.scene.bank.client.get_reference(request).await?.into_inner())
    }

    async fn reconnect(&mut self) -> Result<()> {
        self.scene.bank = Caller::connect(&self.scene.cluster, &self.scene.tenant.api_key).await?;
        Ok(())
    }

    async fn causes(&self) -> Result<Vec<Value>> {
        Ok(self.scene.audit("reference.erased").await?.into_iter().map(|body| body["cause"].clone()).collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_gets_to_a_new_recogniser_by_verifying_twice_and_nobody_else_does() -> Result<()> {
    let Some(mut house) = House::open("succession/life").await? else { return Ok(()) };
    let old = house.enroll("alice").await?;
    house.change_recogniser()?;
    house.stranger("alice").await?;
    ensure!(house.there("alice").await?.is_some_and(|found| found.successor.is_none()), "a refusal made a successor");

    let answer = house.owner("alice").await?;
    let claims = house.authorized(&answer, old)?;
    ensure!(claims.fmr.calibration.starts_with("base/"), "{}", claims.fmr.calibration);
    ensure!(claims.model.contains_key("previous_recogniser"), "{:?}", claims.model);
    let (reference, successor) = house.two("alice").await?;
    assert_eq!(reference.commitment, old);
    let mut both = [(reference.feature_space.clone(), 1, 0), (successor.feature_space.clone(), 0, 1)];
    both.sort();
    assert_eq!(house.counted()?, both);
    let described = house.described("alice").await?;
    let told = |reference: Option<v1::Reference>| reference.map(|reference| reference.commitment);
    assert_eq!(told(described.reference), Some(old.to_vec()));
    assert_eq!(told(described.successor), Some(successor.commitment.to_vec()), "whoever pins learns of it before");
    house.stranger("alice").await?;

    let answer = house.owner("alice").await?;
    let claims = house.authorized(&answer, successor.commitment)?;
    ensure!(claims.fmr.calibration.starts_with("standard/"), "{}", claims.fmr.calibration);
    let found = house.there("alice").await?.context("nothing is left")?;
    assert_eq!(house.counted()?, [(successor.feature_space.clone(), 1, 0)]);
    assert_eq!((found.reference.id, found.successor), (successor.id, None));
    ensure!(house.store.knows_deletion(house.scene.tenant.id.parse()?, reference.id).await?, "no deletion record");
    assert_eq!(house.causes().await?, ["succeeded"]);
    let told = house.scene.audit("reference.succeeded").await?;
    assert_eq!(told[0]["former_commitment"], hex::encode(old));
    assert_eq!(told[0]["commitment"], hex::encode(successor.commitment));
    assert_eq!(house.scene.audit("successor.made").await?.len(), 1);
    house.stranger("alice").await?;

    let answer = house.owner("alice").await?;
    let claims = house.authorized(&answer, successor.commitment)?;
    ensure!(!claims.model.contains_key("previous_recogniser"), "it has no part any more: {:?}", claims.model);
    let proof = house.scene.bank.delete("alice").await?.deletion_proof;
    let aud = house.scene.tenant.id.clone();
    let expected = ExpectedDeletion { aud: &aud, commitment: successor.commitment };
    verify_deletion_proof(&proof, &house.scene.ledger_keys()?, &expected)?;
    let gone = house.scene.bank.verify_user("alice", house.faces.owner.clone()).await;
    assert_eq!(refused(gone)?, (Code::NotFound, "NO_REFERENCE".into()));
    let chain = house.store.verify_audit(aud.parse()?).await?;
    ensure!(matches!(chain, Chain::Intact { .. }), "{chain:?}");
    house.scene.worker_is_unharmed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_between_the_two_takes_both_and_proves_the_one_that_receipts_named() -> Result<()> {
    let Some(mut house) = House::open("succession/deletion").await? else { return Ok(()) };
    let old = house.enroll("alice").await?;
    house.enroll("bob").await?;
    house.change_recogniser()?;
    house.owner("alice").await?;
    let (reference, successor) = house.two("alice").await?;
    let rows = [&reference, &successor];
    let needles = rows.map(|row| [Needles::of(&row.ciphertext, 12), Needles::of(&row.wrapped_dek, 4)]);
    let needles: Vec<_> = needles.into_iter().flatten().collect::<Result<_>>()?;
    let folder = house.scene.cluster.folder().join("data");
    let in_a_file = house.scene.database().file().is_some();
    for needles in needles.iter().filter(|_| in_a_file) {
        ensure!(!scan::files(&[&folder], needles)?.is_empty(), "the search finds what is there");
    }
    // The bytes of a deletion are not gone while somebody may still read them.
    house.store.close().await;
    let proof = house.scene.bank.delete("alice").await?.deletion_proof;
    house.store = Store::open(house.scene.database().config()).await?;
    let aud = house.scene.tenant.id.clone();
    verify_deletion_proof(&proof, &house.scene.ledger_keys()?, &ExpectedDeletion { aud: &aud, commitment: old })?;
    for needles in needles.iter().filter(|_| in_a_file) {
        assert_eq!(scan::files(&[&folder], needles)?, Vec::<std::path::PathBuf>::new());
    }
    let mut causes = house.causes().await?;
    causes.sort_by_key(Value::to_string);
    assert_eq!(causes, ["unconfirmed", "user-request"], "each has a deletion of its own");
    ensure!(house.there("alice").await?.is_none(), "something is left");
    // Whoever verified once may also enroll anew.
    house.owner("bob").await?;
    house.two("bob").await?;
    let replace =
        v1::CreateChallengeRequest { replace: true, ..support::caller::challenge("bob", v1::Purpose::Enroll) };
    let opened = house.scene.bank.create_challenge(replace).await?;
    house.scene.bank.enroll(&opened.challenge_id, house.faces.enroll.clone()).await?;
    let found = house.there("bob").await?.context("no reference")?;
    ensure!(found.successor.is_none() && found.reference.feature_space == successor.feature_space, "{found:?}");
    house.owner("bob").await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_inside_a_succession_leaves_the_step_whole_or_undone() -> Result<()> {
    let test = "succession/kills";
    if !cfg!(debug_assertions) {
        println!("skipped: {test}: a release build has no failpoints");
        return Ok(());
    }
    let Some(mut house) = House::open(test).await? else { return Ok(()) };
    let points = [
        ("worker.answered", false),
        ("succession.begun", false),
        ("succession.ended", false),
        ("t2.before_commit", false),
        ("t2.after_commit", true),
    ];
    for (point, _) in points {
        house.enroll(point).await?;
    }
    house.change_recogniser()?;
    for (user, done) in points {
        // A point of the other step is passed without a death.
        for step in ["succession.ended", "succession.begun"] {
            let last = step == "succession.begun";
            let before = house.there(user).await?.context("no reference")?;
            house.scene.cluster.restart_gateway(&[("COUNTERSIGN_FAILPOINT", user)])?;
            house.reconnect().await?;
            let answer = house.scene.bank.verify_user(user, house.faces.owner.clone()).await;
            let died = user != step;
            ensure!(answer.is_err() == died, "{user}: {answer:?}");
            house.scene.cluster.restart_gateway(&[])?;
            house.reconnect().await?;
            let after = house.there(user).await?.context("the reference is lost")?;
            if died && !done {
                assert_eq!(after, before, "{user}: half done");
                house.owner(user).await?;
            }
            let after = house.there(user).await?.context("the reference is lost")?;
            match before.successor {
                None => ensure!(after.successor.is_some() && after.reference == before.reference, "{user}: {after:?}"),
                Some(new) => ensure!(after.successor.is_none() && after.reference.id == new.id, "{user}: {after:?}"),
            }
            ensure!(after.successor.is_none() == last, "{user}: {after:?}");
        }
    }
    let made = house.scene.audit("successor.made").await?.len();
    let succeeded = house.scene.audit("reference.succeeded").await?.len();
    assert_eq!((made, succeeded, house.causes().await?.len()), (points.len(), points.len(), points.len()));
    let chain = house.store.verify_audit(house.scene.tenant.id.parse()?).await?;
    ensure!(matches!(chain, Chain::Intact { .. }), "{chain:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_and_a_renewal_take_both_references_along() -> Result<()> {
    let Some(mut house) = House::open("succession/jobs").await? else { return Ok(()) };
    house.enroll("alice").await?;
    house.change_recogniser()?;
    house.owner("alice").await?;
    let before = house.two("alice").await?;
    let tenant = house.scene.tenant.id.clone();
    let said = house.scene.cluster.gateway_command(&["key", "rotate", &tenant, "--wait"])?;
    ensure!(said.contains("DONE"), "{said}");
    let config = house.scene.cluster.folder().join("gateway.toml");
    let asked = support::cluster::cli(&["reference", "renew", &tenant, "--config", &config.to_string_lossy()])?;
    let said = house.scene.cluster.gateway_command(&["job", "wait", asked.trim()])?;
    ensure!(said.contains("DONE"), "{said}");
    let after = house.two("alice").await?;
    for (before, after) in [(before.0, &after.0), (before.1, &after.1)] {
        assert_eq!((after.id, after.epoch, after.kek_version), (before.id, 2, 2));
        assert_eq!((before.epoch, before.kek_version), (1, 1));
        assert_ne!(after.commitment, before.commitment);
    }
    house.stranger("alice").await?;
    let answer = house.owner("alice").await?;
    house.authorized(&answer, after.1.commitment)?;
    let found = house.there("alice").await?.context("nothing is left")?;
    assert_eq!((found.reference.id, found.successor), (after.1.id, None), "both still match");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_from_the_middle_of_it_gives_no_reference_back_that_was_erased_since() -> Result<()> {
    let test = "succession/restored";
    let Some(mut house) = House::on(test, Scene::on_files(test)).await? else { return Ok(()) };
    for user in ["alice", "bob", "carol"] {
        house.enroll(user).await?;
    }
    house.change_recogniser()?;
    for user in ["alice", "bob", "carol"] {
        house.owner(user).await?;
    }
    let [alice, bob, carol] = [house.two("alice").await?, house.two("bob").await?, house.two("carol").await?];
    let copy = house.scene.desk()?.join("copy.db");
    house.scene.cluster.gateway_command(&["backup", "--to", &copy.to_string_lossy()])?;
    // Alice gets through, and nobody asks for a proof of it: the gateway closes it by itself.
    house.owner("alice").await?;
    let late = Instant::now() + Duration::from_secs(30);
    while house.scene.audit("deletion.proved").await?.is_empty() {
        ensure!(Instant::now() < late, "the old reference's deletion is not closed");
        sleep(Duration::from_millis(200)).await;
    }
    // Bob is deleted, and at once the gateway dies: whoever has his proof has both of his references gone.
    house.scene.bank.delete("bob").await?;
    house.store.close().await;
    house.scene.cluster.put_back(&copy)?;
    let said = house.scene.cluster.gateway_command(&["restore-check", "--json"])?;
    let replayed: Value = serde_json::from_str(said.trim())?;
    let erased = replayed["erased"].as_array().context("no list")?;
    let ids: BTreeSet<_> = erased.iter().filter_map(|one| one["reference"].as_str().map(str::to_owned)).collect();
    assert_eq!(ids, [&alice.0, &bob.0, &bob.1].map(|row| row.id.to_string()).into(), "{replayed}");

    house.scene.cluster.restart_gateway(&[])?;
    house.reconnect().await?;
    house.store = Store::open(house.scene.database().config()).await?;
    let found = house.there("alice").await?.context("what she came to is gone too")?;
    assert_eq!((found.reference.id, found.successor), (alice.1.id, None), "her successor is in its place");
    ensure!(house.there("bob").await?.is_none(), "Bob came back");
    assert_eq!(house.two("carol").await?, carol);
    for (user, commitment) in [("alice", alice.1.commitment), ("carol", carol.1.commitment)] {
        house.stranger(user).await?;
        let answer = house.owner(user).await?;
        house.authorized(&answer, commitment)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_pack_before_its_users_are_told_to_enroll_again() -> Result<()> {
    let Some(mut house) = House::open("succession/without").await? else { return Ok(()) };
    house.enroll("alice").await?;
    house.change_recogniser()?;
    house.scene.cluster.forget_previous_pack()?;
    let answer = house.scene.bank.verify_user("alice", house.faces.owner.clone()).await;
    assert_eq!(refused(answer)?, (Code::FailedPrecondition, "FEATURE_SPACE".into()));
    Ok(())
}
