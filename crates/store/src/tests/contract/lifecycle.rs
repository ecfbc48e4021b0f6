//! The end of a tenant, and the end of its audit.

use super::*;
use crate::{
    Chain, Emptied, EndTenant, Job, JobKind, JobState, MoveTenant, NewHold, NewJob, Provable, ProveBatch, QueueResult,
    Step, TenantState, Terminate,
};
use biometrics::JobId;

async fn job(f: &Fixture, id: JobId) -> Job {
    f.store.job(id).await.unwrap().unwrap()
}

async fn terminating(f: &Fixture) -> JobId {
    match f.store.terminate_tenant(f.tenant, "test").await.unwrap() {
        Terminate::Queued(id) => id,
        other => panic!("{other:?}"),
    }
}

/// Takes the job to the step where every reference is to be gone.
async fn erased(f: &Fixture, id: JobId) {
    f.store.begin_job(&job(f, id).await).await.unwrap();
    while job(f, id).await.step == Step::Erase {
        f.store.erase_batch(&job(f, id).await, 10).await.unwrap();
    }
    assert_eq!(job(f, id).await.step, Step::Drain);
}

/// Takes the job from there to where only the record is missing; answers how many proofs there are.
async fn destroyed(f: &Fixture, id: JobId) -> u64 {
    assert_eq!(f.store.tenant_emptied(&job(f, id).await).await.unwrap(), Emptied::Through);
    let provable = Provable { checkpoint: f.store.checkpoint().await.unwrap(), journaled_only: false };
    while job(f, id).await.step == Step::Prove {
        f.store.prove_batch(&job(f, id).await, provable, 10).await.unwrap();
    }
    f.store.keks_counted(&job(f, id).await, 1).await.unwrap();
    for version in f.store.keks_to_destroy(f.tenant, 2).await.unwrap() {
        let gone = Store::destruction_of(&job(f, id).await, version, ("file", 1)).unwrap();
        f.store.kek_destroyed(gone).await.unwrap();
    }
    f.store.proved_deletions((f.tenant, None), None, 100).await.unwrap().len() as u64
}

/// Takes the job to its end.
async fn ended(f: &Fixture, id: JobId) {
    let proofs = destroyed(f, id).await;
    assert_eq!(f.store.tenant_terminated(&job(f, id).await, (proofs, [7; 32])).await.unwrap(), EndTenant::Ended);
}

#[tokio::test]
async fn a_tenant_ends_with_every_reference_proved_every_key_gone_and_a_record() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    f.enroll("bob", 2).await;
    let id = terminating(&f).await;
    assert_eq!(f.store.tenant(f.tenant).await.unwrap().unwrap().state, TenantState::Terminating);
    assert_eq!(f.store.terminate_tenant(f.tenant, "test").await.unwrap(), Terminate::RunsAlready(id));
    assert!(!f.store.cancel_job(&job(&f, id).await, "test").await.unwrap(), "there is no way back");
    assert!(matches!(f.store.resume_tenant(f.tenant, "test").await.unwrap(), MoveTenant::Stands(_)));
    let late = NewJob { tenant: f.tenant, kind: JobKind::RotateKek, cause: None, users: None, requested_by: "test" };
    assert_eq!(f.store.queue_job(late).await.unwrap(), QueueResult::UnknownTenant);
    erased(&f, id).await;
    ended(&f, id).await;

    assert_eq!(job(&f, id).await.state, JobState::Done);
    let end = f.store.termination(f.tenant).await.unwrap().unwrap();
    assert_eq!((end.job, end.proofs, end.proofs_sha256), (id, 2, [7; 32]));
    let gone = f.store.kek_destructions(f.tenant).await.unwrap();
    assert_eq!((gone.len(), gone[0].successor), (1, None));
    let proved = f.store.proved_deletions((f.tenant, Some(id)), None, 10).await.unwrap();
    assert_eq!(proved.iter().map(|(erased, ..)| &*erased.cause).collect::<Vec<_>>(), ["tenant-terminated"; 2]);
    assert_eq!(f.store.tenant(f.tenant).await.unwrap().unwrap().state, TenantState::Terminated);
    assert_eq!(f.store.terminate_tenant(f.tenant, "test").await.unwrap(), Terminate::Terminated);
    assert_eq!(
        f.store.verify_audit(f.tenant).await.map(|chain| matches!(chain, Chain::Intact { .. })).ok(),
        Some(true)
    );
}

#[tokio::test]
async fn a_termination_proves_and_counts_what_was_erased_before_it_for_whatever_cause() {
    let f = fixture().await;
    for (name, mark) in [("alice", 1), ("bob", 2), ("dora", 4)] {
        f.enroll(name, mark).await;
    }
    let carol = f.enroll("carol", 3).await;
    let single = erase(&f, "alice").await;
    let (by, checkpoint) = (erase(&f, "bob").await, f.store.checkpoint().await.unwrap());
    f.store.deletion_proved(&by, checkpoint).await.unwrap();
    f.store.erase_restored(f.tenant, carol.id).await.unwrap().unwrap();
    let elsewhere = TenantId::new(uuid::Uuid::from_u128(77));
    f.store.create_tenant(new_tenant(elsewhere)).await.unwrap();
    f.sql_of(
        "INSERT INTO deletions (id, tenant, user_id, reference, epoch, commitment, cause, deleted_at_ms, proved_at_ms)
         SELECT randomblob(16), t.id, user_id, reference, epoch, commitment, cause, deleted_at_ms, 1
         FROM deletions d, tenants t WHERE t.id <> d.tenant AND user_id = 'alice'",
        "INSERT INTO deletions (id, tenant, user_id, reference, epoch, commitment, cause, deleted_at_ms, proved_at_ms)
         SELECT gen_random_uuid(), t.id, user_id, reference, epoch, commitment, cause, deleted_at_ms, 1
         FROM deletions d, tenants t WHERE t.id <> d.tenant AND user_id = 'alice'",
    )
    .await;
    let id = terminating(&f).await;
    erased(&f, id).await;
    let all = || f.store.proved_deletions((f.tenant, None), None, 10);
    assert_eq!(all().await.unwrap().len(), 1, "control: one alone is proved before the end");
    assert_eq!(destroyed(&f, id).await, 4, "and not the other tenant's");
    let theirs = f.store.proved_deletions((elsewhere, None), None, 10).await.unwrap();
    assert_eq!(theirs.len(), 1, "control: it has one");
    assert_eq!(f.store.pending_deletions(10).await.unwrap(), []);
    let proved = all().await.unwrap();
    assert!(proved.is_sorted_by(|a, b| a.0.proof_id() < b.0.proof_id()), "the order of the certificate's hash");
    assert!(proved.iter().any(|(erased, ..)| erased.deletion_id == single.deletion_id));
    let paged = f.store.proved_deletions((f.tenant, None), Some(proved[1].0.deletion_id), 1).await.unwrap();
    assert_eq!(paged, proved[2..3], "page by page");
    assert_eq!(f.store.audit_count(f.tenant, "deletion.proved").await.unwrap(), 4, "each once");

    for wrong in [3, 5] {
        let asked = f.store.tenant_terminated(&job(&f, id).await, (wrong, [7; 32])).await.unwrap();
        assert_eq!((asked, job(&f, id).await.step), (EndTenant::Unproved, Step::Prove), "{wrong} of 4");
        assert_eq!(f.store.termination(f.tenant).await.unwrap(), None);
        let provable = Provable { checkpoint: f.store.checkpoint().await.unwrap(), journaled_only: false };
        assert_eq!(f.store.prove_batch(&job(&f, id).await, provable, 10).await.unwrap(), ProveBatch::Done);
    }
    let before = job(&f, id).await;
    assert_eq!(f.store.tenant_terminated(&before, (4, [7; 32])).await.unwrap(), EndTenant::Ended);
    assert_eq!(f.store.tenant_terminated(&before, (4, [7; 32])).await.unwrap(), EndTenant::Superseded, "once");
    assert_eq!(f.store.audit_count(f.tenant, "tenant.terminated").await.unwrap(), 1);
}

#[tokio::test]
async fn no_tenant_goes_on_to_its_keys_while_a_deletion_cannot_be_proved() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    erase(&f, "alice").await;
    let id = terminating(&f).await;
    erased(&f, id).await;
    assert_eq!(f.store.tenant_emptied(&job(&f, id).await).await.unwrap(), Emptied::Through);
    let provable = Provable { checkpoint: f.store.checkpoint().await.unwrap(), journaled_only: false };
    let prove = async || f.store.prove_batch(&job(&f, id).await, provable, 10).await.unwrap();
    let unjournaled = Provable { journaled_only: true, ..provable };
    let asked = f.store.prove_batch(&job(&f, id).await, unjournaled, 10).await.unwrap();
    assert_eq!(asked, ProveBatch::Uncovered, "its line in the journal is missing");
    f.sql("UPDATE deletions SET deleted_at_ms = deleted_at_ms + 3600000").await;
    assert_eq!((prove().await, job(&f, id).await.step), (ProveBatch::Uncovered, Step::Prove), "the clock went back");
    f.sql("UPDATE deletions SET deleted_at_ms = deleted_at_ms - 3600000").await;
    assert_eq!((prove().await, prove().await), (ProveBatch::Proved(1), ProveBatch::Done));
    assert_eq!(job(&f, id).await.step, Step::Destroy);
}

#[tokio::test]
async fn nobody_ends_under_a_hold_or_with_keys_that_a_law_keeps() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    let alice = user("alice");
    let place = || f.store.place_hold(NewHold { tenant: f.tenant, user: &alice, matter: "case 7", placed_by: "test" });
    let hold = place().await.unwrap();
    assert_eq!(f.store.terminate_tenant(f.tenant, "test").await.unwrap(), Terminate::Held);
    assert!(f.store.tenant_is_active(f.tenant).await.unwrap(), "nothing was begun");
    f.store.release_hold(f.tenant, hold.id, "test").await.unwrap();
    f.put_policy(Policy { keep_old_keys: true, ..Policy::testing() }).await;
    assert_eq!(f.store.terminate_tenant(f.tenant, "test").await.unwrap(), Terminate::OldKeysKept);
    f.put_policy(Policy::testing()).await;

    let id = terminating(&f).await;
    let hold = place().await.unwrap();
    erased(&f, id).await;
    assert_eq!(f.store.tenant_emptied(&job(&f, id).await).await.unwrap(), Emptied::Held, "a hold that came meanwhile");
    assert!(f.store.reference(f.tenant, &alice).await.unwrap().is_some());
    f.store.release_hold(f.tenant, hold.id, "test").await.unwrap();
    assert!(f.store.reference(f.tenant, &alice).await.unwrap().is_none(), "its release does what waited");
    ended(&f, id).await;
}

#[tokio::test]
async fn an_attempt_that_began_before_keeps_a_tenant_from_ending_over_its_reference() {
    let f = fixture().await;
    let opened = f.open(&f.challenge("alice", Purpose::Enroll).await).await;
    let id = terminating(&f).await;
    erased(&f, id).await;
    assert_eq!(f.store.tenant_emptied(&job(&f, id).await).await.unwrap(), Emptied::AttemptsOpen);
    f.record(RecordOutcome { reference: Some(sealed(1)), ..outcome(&opened, Settlement::Reset) }).await;
    assert_eq!(f.store.tenant_emptied(&job(&f, id).await).await.unwrap(), Emptied::Again);
    assert_eq!(job(&f, id).await.step, Step::Erase);
}

/// Makes the tenant's first entries look as if they were written long ago.
async fn age(f: &Fixture, upto: &'static str) {
    f.unlock_audit().await;
    f.sql(upto).await;
}

#[tokio::test]
async fn entries_past_their_window_go_and_the_chain_holds_from_the_floor_on() {
    let f = fixture().await;
    for i in 0..10 {
        f.store.audit(f.tenant, "test.entry", AuditBody::default().with("i", i)).await.unwrap();
    }
    assert_eq!(f.store.drop_old_audit().await.unwrap(), crate::AuditWindow::default(), "nothing is old");
    age(&f, "UPDATE audit SET at_ms = 1 WHERE seq <= 4").await;
    assert_eq!(f.store.drop_old_audit().await.unwrap().entries, 4);
    assert!(matches!(f.store.verify_audit(f.tenant).await.unwrap(), Chain::Intact { entries: 8, .. }));
    assert_eq!(f.store.audit_entries(f.tenant, 0, 1).await.unwrap()[0].seq, 5);
    assert_eq!(f.store.audit_count(f.tenant, "audit.cut").await.unwrap(), 1);
    f.sql("DELETE FROM audit WHERE seq = 5").await;
    assert_eq!(
        f.store.verify_audit(f.tenant).await.unwrap(),
        Chain::Broken { seq: 5 },
        "control: a further cut is seen"
    );
}

#[tokio::test]
async fn nothing_younger_than_twenty_days_is_cut_even_below_the_floor() {
    let f = fixture().await;
    f.sql("UPDATE tenants SET audit_floor = 1").await;
    let cut = "DELETE FROM audit WHERE seq = 1";
    assert!(f.try_sql(cut).await.unwrap_err().to_string().contains("append-only"));
}

#[tokio::test]
async fn of_a_tenant_that_ended_nothing_is_left_that_names_a_user_once_its_audit_is_gone() {
    let f = fixture().await;
    f.enroll("alice", 1).await;
    f.enroll("bob", 2).await;
    let id = terminating(&f).await;
    erased(&f, id).await;
    ended(&f, id).await;
    f.store.drop_old_audit().await.unwrap();
    assert!(f.number("SELECT count(*) FROM deletions").await == 2, "control: its time has not come");
    age(&f, "UPDATE audit SET at_ms = 1").await;
    f.sql("UPDATE terminations SET ended_at_ms = 1").await;
    assert!(f.store.drop_old_audit().await.unwrap().entries > 0);
    for table in [
        "SELECT count(*) FROM audit",
        "SELECT count(*) FROM deletions",
        "SELECT count(*) FROM challenges",
        "SELECT count(*) FROM attempts",
        "SELECT count(*) FROM live_receipts",
    ] {
        assert_eq!(f.number(table).await, 0, "{table}");
    }
    assert!(f.store.termination(f.tenant).await.unwrap().is_some(), "the certificate stays");
    assert!(matches!(f.store.verify_audit(f.tenant).await.unwrap(), Chain::Intact { entries: 0, .. }));
}
