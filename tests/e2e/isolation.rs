//! Isolation: what is another tenant's does not exist, and what is moved in the database does not open.

use anyhow::{Context, Result};
use support::{
    caller::{Caller, NONCE, challenge},
    captures,
    expect::{self, Decision, bytes, refused, undecided},
    scene::Scene,
    skips, surgery,
};
use tonic::{Code, Status};
use wire::v1::{self, Gate, GateStatus, Purpose};

/// One RPC with one id field.
#[derive(Debug, Clone, Copy)]
enum Call {
    Enroll,
    Verify,
    GetReference,
    DeleteReference,
    RevokeReceipt,
}

/// An id of each kind.
struct Ids {
    user: String,
    enroll: String,
    verify: String,
    jti: String,
}

impl Ids {
    fn unknown() -> Self {
        let zeros = "0".repeat(32);
        let challenge = format!("ch_{zeros}");
        Self { user: "nobody".into(), enroll: challenge.clone(), verify: challenge, jti: format!("rc_{zeros}") }
    }
}

/// The status of one call with one set of ids.
async fn ask(bank: &mut Caller, call: Call, ids: &Ids) -> Result<Status> {
    let frames = captures::portraits(&["obama2.jpg"])?;
    match call {
        Call::Enroll => undecided(bank.enroll(&ids.enroll, frames).await),
        Call::Verify => undecided(bank.verify(&ids.verify, frames).await),
        Call::GetReference => {
            let request = bank.request(v1::GetReferenceRequest { user_id: ids.user.clone() });
            undecided(bank.client.get_reference(request).await.map_err(Box::new))
        }
        Call::DeleteReference => undecided(bank.delete(&ids.user).await),
        Call::RevokeReceipt => {
            let request = bank.request(v1::RevokeReceiptRequest { jti: ids.jti.clone() });
            undecided(bank.client.revoke_receipt(request).await.map_err(Box::new))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_another_tenant_are_answered_byte_for_byte_as_unknown_ones() -> Result<()> {
    let Some(mut scene) = Scene::open("isolation_tenants").await? else { return Ok(()) };
    let own = scene.bank.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
    let commitment = own.reference.context("no reference")?.commitment;
    let (_, accepted) = scene.bank.verify_user("alice", captures::portraits(&["obama2.jpg"])?).await?;
    let jti = receipt::evidence(&accepted.receipt, &scene.receipt_keys()?)?.claims().jti.to_string();
    let enroll = scene.bank.create_challenge(challenge("bob", Purpose::Enroll)).await?.challenge_id;
    let verify = scene.bank.create_challenge(challenge("alice", Purpose::Verify)).await?.challenge_id;
    let ids = Ids { user: "alice".into(), enroll, verify: verify.clone(), jti: jti.clone() };
    let unknown = Ids { jti: jti[..3].to_owned() + &"0".repeat(32), ..Ids::unknown() };

    let (_, mut neighbour) = scene.neighbour()?;
    let calls = [
        (Call::Enroll, "UNKNOWN_CHALLENGE"),
        (Call::Verify, "UNKNOWN_CHALLENGE"),
        (Call::GetReference, "NO_REFERENCE"),
        (Call::DeleteReference, "NO_REFERENCE"),
        (Call::RevokeReceipt, "UNKNOWN_RECEIPT"),
    ];
    for (call, reason) in calls {
        let foreign = ask(&mut neighbour, call, &ids).await?;
        assert_eq!(refused::<()>(Err(Box::new(foreign.clone())))?, (Code::NotFound, reason.into()), "{call:?}");
        assert_eq!(bytes(&foreign), bytes(&ask(&mut neighbour, call, &unknown).await?), "{call:?}");
    }
    let same_name = neighbour.verify_user("alice", captures::portraits(&["obama2.jpg"])?).await;
    assert_eq!(refused(same_name)?, (Code::NotFound, "NO_REFERENCE".into()), "a user's name belongs to a tenant");

    let request = scene.bank.request(v1::GetReferenceRequest { user_id: "alice".into() });
    let still = scene.bank.client.get_reference(request).await?.into_inner().reference.context("gone")?;
    assert_eq!(still.commitment, commitment, "nothing of it touched the owner's reference");
    let answer = scene.bank.verify(&verify, captures::portraits(&["obama2.jpg"])?).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept, "nor the owner's challenge");
    let request = scene.bank.request(v1::RevokeReceiptRequest { jti });
    assert!(scene.bank.client.revoke_receipt(request).await.is_ok(), "nor the owner's receipt");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_a_user_name_and_a_pseudonym_mean_nothing_to_another_tenant() -> Result<()> {
    let Some(mut scene) = Scene::open("isolation_names").await? else { return Ok(()) };
    let (other, mut neighbour) = scene.neighbour()?;
    let keyed =
        || v1::CreateChallengeRequest { idempotency_key: "order-1".into(), ..challenge("alice", Purpose::Enroll) };
    let first = scene.bank.create_challenge(keyed()).await?.challenge_id;
    assert_eq!(
        scene.bank.create_challenge(keyed()).await?.challenge_id,
        first,
        "the same key and request, the same answer"
    );
    let changed = v1::CreateChallengeRequest { rp_nonce: NONCE[..16].to_vec(), ..keyed() };
    let changed = scene.bank.create_challenge(changed).await;
    assert_eq!(refused(changed)?, (Code::AlreadyExists, "IDEMPOTENCY_CONFLICT".into()));
    assert_ne!(neighbour.create_challenge(keyed()).await?.challenge_id, first);

    let frames = captures::portraits(&["obama.jpg"])?;
    let ours = scene.bank.enroll(&first, frames.clone()).await?;
    let theirs = neighbour.enroll_user("alice", frames).await?;
    assert_eq!(Decision::of_enroll(&theirs)?, Decision::Accept);
    let keys = scene.receipt_keys()?;
    let (ours, theirs) = (receipt::evidence(&ours.receipt, &keys)?, receipt::evidence(&theirs.receipt, &keys)?);
    assert_ne!(ours.claims().sub, theirs.claims().sub, "one user of two tenants has two pseudonyms");
    assert_eq!((&ours.claims().aud, &theirs.claims().aud), (&scene.tenant.id, &other.id));
    let action = expect::action()?;
    let taken = receipt::refusal(
        &answer_of(&mut scene).await?,
        &keys,
        &expect::expected(&other.id, &action),
        support::scene::now_s(),
    );
    assert_eq!(taken.err().map(receipt::Refused::reason), Some("AUDIENCE"));
    Ok(())
}

/// A signed refusal for the scene's tenant.
async fn answer_of(scene: &mut Scene) -> Result<String> {
    let (_, answer) = scene.bank.verify_user("alice", captures::portraits(&["biden.jpg"])?).await?;
    Ok(answer.receipt)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_moved_between_users_do_not_open_and_that_is_an_alarm() -> Result<()> {
    if skips::or_skip("isolation_surgery", surgery::possible()).is_none() {
        return Ok(());
    }
    let Some(mut scene) = Scene::open("isolation_surgery").await? else { return Ok(()) };
    let (owner, mallory) = (captures::portraits(&["obama2.jpg"])?, captures::portraits(&["biden.jpg"])?);
    for (user, frames) in [("alice", captures::portraits(&["obama.jpg"])?), ("mallory", mallory.clone())] {
        let answer = scene.bank.enroll_user(user, frames).await?;
        assert_eq!(Decision::of_enroll(&answer)?, Decision::Accept, "{user}");
    }
    let whole = ["id", "epoch", "kek_version", "wrapped_dek", "ciphertext", "commitment"];
    let moved: [&[&str]; 6] = [
        &["ciphertext"],
        &["wrapped_dek"],
        &["commitment"],
        &["ciphertext", "commitment"],
        &["ciphertext", "wrapped_dek", "commitment"],
        &whole[1..],
    ];
    for (round, columns) in moved.into_iter().enumerate() {
        scene.cluster.gateway.kill()?;
        surgery::exchange(scene.database(), columns, ("alice", "mallory"))?;
        scene.cluster.restart_gateway(&[])?;
        scene.bank = Caller::connect(&scene.cluster, &scene.tenant.api_key).await?;
        for (user, frames) in [("alice", &mallory), ("alice", &owner), ("mallory", &mallory)] {
            let answer = scene.bank.verify_user(user, frames.clone()).await;
            assert_eq!(refused(answer)?, (Code::DataLoss, "DATA_LOSS".into()), "{columns:?} {user}");
        }
        assert_eq!(scene.cluster.gateway.metric("countersign_data_loss_total")?, 3.0, "an alarm for each");
        assert_eq!(scene.audit("envelope.not_authentic").await?.len(), 3 * (round + 1), "and an entry");
        surgery::exchange(scene.database(), columns, ("alice", "mallory"))?;
    }
    let (_, answer) = scene.bank.verify_user("alice", owner).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept, "put back, the row opens: nothing else was wrong");
    let (_, answer) = scene.bank.verify_user("alice", mallory).await?;
    let non_match = Decision::refuse(Gate::Comparison, GateStatus::Fail, "COMPARISON_NON_MATCH");
    assert_eq!(Decision::of_verify(&answer)?, non_match);
    assert_eq!(scene.audit("attempt.decided").await?.len(), 4, "no surgery was ever decided on");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_altered_or_given_to_another_user_or_tenant_does_not_open() -> Result<()> {
    if skips::or_skip("isolation_altered", surgery::possible()).is_none() {
        return Ok(());
    }
    let Some(mut scene) = Scene::open("isolation_altered").await? else { return Ok(()) };
    let (other, neighbour) = scene.neighbour()?;
    let mallory = captures::portraits(&["biden.jpg"])?;
    scene.bank.enroll_user("mallory", mallory.clone()).await?;
    let (id, bytes) = (|digits: &str| scene.database().id(digits), |length| scene.database().bytes(length));
    let theirs = format!("tenant = {}", id(other.id.trim_start_matches("tn_")));
    let another = format!("id = {}", id("0123456789abcdef0123456789abcdef"));
    let (commitment, dek) = (format!("commitment = {}", bytes(32)), format!("wrapped_dek = {}", bytes(60)));
    let cases = [
        ("user_id = 'alice'", "alice", &scene.bank),
        (&theirs, "mallory", &neighbour),
        ("epoch = epoch + 1", "mallory", &scene.bank),
        (&another, "mallory", &scene.bank),
        (&commitment, "mallory", &scene.bank),
        (&dek, "mallory", &scene.bank),
        ("ciphertext = substr(ciphertext, 1, length(ciphertext) - 1)", "mallory", &scene.bank),
    ];
    surgery::keep(scene.database())?;
    for (change, user, bank) in cases {
        surgery::operate(scene.database(), &[&format!("UPDATE sealed_references SET {change}")])?;
        let answer = bank.clone().verify_user(user, mallory.clone()).await;
        assert_eq!(refused(answer)?, (Code::DataLoss, "DATA_LOSS".into()), "{change}");
        surgery::put_back(scene.database())?;
        let (_, answer) = scene.bank.clone().verify_user("mallory", mallory.clone()).await?;
        assert_eq!(Decision::of_verify(&answer)?, Decision::Accept, "{change}: put back, the row opens");
    }
    surgery::operate(scene.database(), &["UPDATE sealed_references SET feature_space = 'elsewhere'"])?;
    let answer = scene.bank.verify_user("mallory", mallory).await;
    assert_eq!(refused(answer)?, (Code::FailedPrecondition, "FEATURE_SPACE".into()), "that one says what to do");
    Ok(())
}
