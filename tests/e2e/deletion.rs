//! Deletion: the proof, what is gone with it, and what is answered while the bytes may still lie somewhere.

use anyhow::{Context, Result};
use receipt::{ExpectedDeletion, verify_deletion_proof};
use store::Store;
use support::{
    captures, cluster,
    expect::{Decision, refused},
    scan::{self, Needles},
    scene::Scene,
    skips, surgery,
};
use tonic::Code;
use wire::v1;

/// A scene in which alice is enrolled, with the commitment that her deletion proof has to name.
async fn enrolled(test: &str) -> Result<Option<(Scene, [u8; 32])>> {
    let Some(mut scene) = Scene::open(test).await? else { return Ok(None) };
    let answer = scene.bank.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
    let commitment = answer.reference.context("no reference")?.commitment;
    Ok(Some((scene, commitment.try_into().ok().context("not 32 bytes")?)))
}

async fn described(scene: &mut Scene) -> Result<v1::GetReferenceResponse, Box<tonic::Status>> {
    let request = scene.bank.request(v1::GetReferenceRequest { user_id: "alice".into() });
    Ok(scene.bank.client.get_reference(request).await.map_err(Box::new)?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_proved_offline_and_nothing_is_left_to_verify_with() -> Result<()> {
    let Some((mut scene, commitment)) = enrolled("deletion").await? else { return Ok(()) };
    let no_reference = (Code::NotFound, "NO_REFERENCE".to_owned());
    let again = captures::portraits(&["obama2.jpg"])?;
    let open = scene.bank.create_challenge(support::caller::challenge("alice", v1::Purpose::Verify)).await?;
    let proof = scene.bank.delete("alice").await?.deletion_proof;

    let (keys, aud) = (scene.ledger_keys()?, scene.tenant.id.clone());
    let expected = ExpectedDeletion { aud: &aud, commitment };
    let proved = verify_deletion_proof(&proof, &keys, &expected)?;
    assert_eq!((proved.claims().cause.as_str(), proved.claims().reference.epoch), ("user-request", 1));
    let other = verify_deletion_proof(&proof, &keys, &ExpectedDeletion { aud: &aud, commitment: [9; 32] });
    assert_eq!(other.err().map(receipt::Refused::reason), Some("REFERENCE"));
    let other = verify_deletion_proof(&proof, &scene.receipt_keys()?, &ExpectedDeletion { aud: &aud, commitment });
    assert!(other.is_err(), "receipt keys sign no deletion");

    let path = scene.lay("proof.jws", &proof)?;
    let (jwks, root) = (scene.public().join("ledger-jwks.json"), scene.public().join("root.thumbprint"));
    let (jwks, root, issuer) =
        (jwks.to_string_lossy(), root.to_string_lossy(), format!("{}/ledger", cluster::PUBLIC_URL));
    let pinned = receipt::base64url(&commitment);
    let arguments = ["receipt", "verify-proof", &path, "--jwks", &jwks, "--root", &root, "--issuer", &issuer];
    let said = cluster::cli(&[&arguments[..], &["--aud", &aud, "--commitment", &pinned]].concat())?;
    assert!(said.contains(&pinned), "{said}");
    assert!(cluster::cli(&[&arguments[..], &["--aud", "tn_0", "--commitment", &pinned]].concat()).is_err());

    assert_eq!(refused(described(&mut scene).await)?, no_reference);
    assert_eq!(refused(scene.bank.verify(&open.challenge_id, again.clone()).await)?, no_reference);
    assert_eq!(refused(scene.bank.verify_user("alice", again.clone()).await)?, no_reference);
    let lost = scene.bank.delete("alice").await?.deletion_proof;
    let again_proved = verify_deletion_proof(&lost, &keys, &expected)?;
    assert_eq!(
        again_proved.claims().deleted_at,
        proved.claims().deleted_at,
        "a lost proof is given again, of the same deletion"
    );
    assert_eq!(scene.audit("deletion.proved").await?.len(), 1);

    let anew = scene.bank.enroll_user("alice", captures::portraits(&["obama.jpg"])?).await?;
    let anew = anew.reference.context("no reference")?;
    assert_ne!(anew.commitment, commitment, "a new reference, a new commitment");
    let (_, answer) = scene.bank.verify_user("alice", again).await?;
    assert_eq!(Decision::of_verify(&answer)?, Decision::Accept);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sealed_bytes_are_in_the_files_before_a_deletion_and_in_none_after_it() -> Result<()> {
    let Some((mut scene, _)) = enrolled("deletion_bytes").await? else { return Ok(()) };
    let store = Store::open(scene.database().config()).await?;
    let row = store.reference(scene.tenant.id.parse()?, &"alice".parse()?).await?.context("no row")?;
    store.close().await;
    let needles = [Needles::of(&row.ciphertext, 12)?, Needles::of(&row.wrapped_dek, 4)?];
    let folder = scene.cluster.folder().join("data");
    for needles in &needles {
        assert!(!scan::files(&[&folder], needles)?.is_empty(), "the search finds what is there");
    }
    scene.bank.delete("alice").await?;
    for needles in &needles {
        assert_eq!(scan::files(&[&folder], needles)?, Vec::<std::path::PathBuf>::new());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_somebody_reads_the_database_a_deletion_is_pending_and_unproved() -> Result<()> {
    if skips::or_skip("deletion_reader", surgery::possible()).is_none() {
        return Ok(());
    }
    let Some((mut scene, commitment)) = enrolled("deletion_reader").await? else { return Ok(()) };
    let reader = surgery::Reader::begin(scene.database().file().context("a file")?)?;
    for _ in 0..2 {
        let pending = scene.bank.delete("alice").await;
        assert_eq!(refused(pending)?, (Code::Unavailable, "UNAVAILABLE_DATABASE".into()));
        assert_eq!(
            refused(described(&mut scene).await)?,
            (Code::NotFound, "NO_REFERENCE".into()),
            "it is gone at once"
        );
    }
    let counts = (scene.audit("reference.erased").await?.len(), scene.audit("deletion.proved").await?.len());
    assert_eq!(counts, (1, 0), "erased once, proved not yet");
    reader.end()?;
    let proof = scene.bank.delete("alice").await?.deletion_proof;
    let expected = ExpectedDeletion { aud: &scene.tenant.id, commitment };
    verify_deletion_proof(&proof, &scene.ledger_keys()?, &expected)?;
    assert_eq!(scene.audit("deletion.proved").await?.len(), 1);
    Ok(())
}
