//! A deployment on an SQLite file moves to a Postgres server: its users verify there, its proofs and its audit go on.

use anyhow::{Context, Result, ensure};
use receipt::{ExpectedDeletion, verify_deletion_proof};
use support::{captures, cluster::Options, database, expect::Decision, scene::Scene, skips};

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_deployment_moves_to_postgres_and_its_users_verify_there() -> Result<()> {
    let test = "moving";
    let Some(options) = skips::options(test, "base") else { return Ok(()) };
    if skips::or_skip(test, database::possible()).is_none() {
        return Ok(());
    }
    let mut scene = Scene::with(Options { on_server: false, ..options }).await?;
    let answer = scene.bank.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
    let commitment = answer.reference.context("no reference")?.commitment.try_into().ok().context("not 32 bytes")?;
    let file = scene.database().file().context("a file")?.to_string_lossy().into_owned();
    let decided = scene.audit("attempt.decided").await?.len();

    let copy = ["store", "copy", "--json", "--from", &file];
    ensure!(scene.cluster.gateway_command(&copy).is_err(), "the settings name no server");
    scene.cluster.move_to_server()?;
    let used = scene.cluster.gateway_command(&copy).err().context("its gateway still runs")?;
    ensure!(format!("{used:?}").contains("in use"), "{used:?}");
    scene.cluster.gateway.kill()?;
    let said = scene.cluster.gateway_command(&copy)?;
    ensure!(said.contains("\"sealed_references\":1") && said.contains("\"audit_chains\":1"), "{said}");
    ensure!(!said.contains("alice"), "no row is said");
    let again = scene.cluster.gateway_command(&copy).err().context("it was copied before")?;
    ensure!(format!("{again:?}").contains("not empty"), "{again:?}");

    scene.cluster.restart_gateway(&[])?;
    let mut bank = support::caller::Caller::connect(&scene.cluster, &scene.tenant.api_key).await?;
    let (_, answer) = bank.verify_user("alice", captures::portraits(&["obama2.jpg"])?).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept);
    let (_, answer) = bank.verify_user("alice", captures::portraits(&["biden.jpg"])?).await?;
    ensure!(Decision::of_verify(&answer)? != Decision::Accept, "somebody else");
    assert_eq!(scene.audit("attempt.decided").await?.len(), decided + 2, "the audit goes on");
    let proof = bank.delete("alice").await?.deletion_proof;
    let expected = ExpectedDeletion { aud: &scene.tenant.id, commitment };
    verify_deletion_proof(&proof, &scene.ledger_keys()?, &expected)?;
    Ok(())
}
