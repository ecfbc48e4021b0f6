//! Deletions in numbers: each proof verifies offline, and with the proof in hand no old byte is left in the database's files
//! (TARGETS R12).

use anyhow::{Context, Result, bail, ensure};
use biometrics::UserId;
use receipt::{ExpectedDeletion, TrustedKeys, verify_deletion_proof};
use std::path::PathBuf;
use store::SealedRow;
use support::{
    expect::refused,
    hoard::Hoard,
    scan::{self, Needles},
    scene::Scene,
    skips, surgery,
    torture::{self, Report},
};
use tonic::Code;

/// Width of a piece that is looked for, in bytes.
const WIDTH: usize = 24;
/// Pieces of a ciphertext.
const PIECES: usize = 8;
/// One deletion in so many meets somebody who reads the database.
const READ_EVERY: usize = 10;

/// What was stored of somebody.
struct Kept {
    user: UserId,
    commitment: [u8; 32],
    pieces: Vec<Vec<u8>>,
}

impl Kept {
    fn of(user: &UserId, row: &SealedRow) -> Self {
        let step = (row.ciphertext.len() / PIECES).max(WIDTH);
        let pieces = row.ciphertext.chunks(step).chain(row.wrapped_dek.chunks(WIDTH));
        let pieces = pieces.filter(|piece| piece.len() >= WIDTH).map(|piece| piece[..WIDTH].to_vec()).collect();
        Self { user: user.clone(), commitment: row.commitment, pieces }
    }
}

/// A cluster whose tenant's references are known to the byte.
struct Archive {
    scene: Scene,
    hoard: Hoard,
    ledger: TrustedKeys,
}

impl Archive {
    async fn open(test: &str, references: usize) -> Result<Option<Self>> {
        if skips::or_skip(test, surgery::possible()).is_none() {
            return Ok(None);
        }
        let Some(scene) = Scene::on_files(test).await? else { return Ok(None) };
        let mut hoard = Hoard::open(&scene.cluster, &scene.tenant).await?;
        for _ in 0..references {
            hoard.add().await?;
        }
        let ledger = scene.ledger_keys()?;
        Ok(Some(Self { scene, hoard, ledger }))
    }

    async fn kept(&self, user: &UserId) -> Result<Kept> {
        let row = self.hoard.store.reference(self.hoard.tenant, user).await?.context("no row")?;
        Ok(Kept::of(user, &row))
    }

    /// Files of the database that hold a piece of what was stored.
    fn found(&self, kept: &[Kept]) -> Result<Vec<PathBuf>> {
        let pieces = kept.iter().flat_map(|kept| kept.pieces.clone()).collect();
        scan::files(&[&self.scene.cluster.folder().join("data")], &Needles::these(pieces))
    }

    /// Deletes as a tenant does; the proof must verify offline.
    async fn delete(&mut self, kept: &Kept, while_read: bool) -> Result<()> {
        let reader = while_read.then(|| surgery::Reader::begin(&self.scene.file()?)).transpose()?;
        if let Some(reader) = reader {
            let pending = refused(self.scene.bank.delete(kept.user.as_str()).await)?;
            ensure!(
                pending == (Code::Unavailable, "UNAVAILABLE_DATABASE".to_owned()),
                "a proof too early: {pending:?}"
            );
            reader.end()?;
        }
        let proof = self.scene.bank.delete(kept.user.as_str()).await?.deletion_proof;
        let expected = ExpectedDeletion { aud: &self.scene.tenant.id, commitment: kept.commitment };
        verify_deletion_proof(&proof, &self.ledger, &expected).context("the proof does not verify")?;
        Ok(())
    }

    /// A row that is only unlinked: neither overwritten nor checkpointed.
    fn unlink(&self, kept: &Kept) -> Result<()> {
        let delete = format!("DELETE FROM sealed_references WHERE user_id = '{}'", kept.user);
        surgery::operate_carelessly(&self.scene.file()?, &[&delete])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r12_with_the_proof_in_hand_no_old_byte_is_in_the_file_or_its_log() -> Result<()> {
    let trials = torture::trials(200, 10_000);
    let Some(mut archive) = Archive::open("erasure/bytes", trials + 2).await? else { return Ok(()) };
    let users: Vec<UserId> = archive.hoard.users().cloned().collect();
    let (control, victims) = users.split_last().context("nobody")?;
    let mut report = Report::of("R12");
    // At full size a look over the files for each of them would take days.
    for batch in victims[..trials].chunks((trials / 200).max(1)) {
        let mut gone = Vec::new();
        for user in batch {
            let kept = archive.kept(user).await?;
            ensure!(!archive.found(std::slice::from_ref(&kept))?.is_empty(), "the search does not find what is there");
            let while_read = (report.trials + gone.len()).is_multiple_of(READ_EVERY);
            gone.push((archive.delete(&kept, while_read).await, kept));
        }
        let (outcomes, gone): (Vec<_>, Vec<_>) = gone.into_iter().unzip();
        let left = archive.found(&gone)?;
        for outcome in outcomes {
            let clean = || if left.is_empty() { Ok(()) } else { bail!("bytes are left in {left:?}") };
            report.count(outcome.and_then(|()| clean()));
        }
        report.progress(trials);
    }
    let control = archive.kept(control).await?;
    archive.unlink(&control)?;
    report.control_triggered = !archive.found(&[control])?.is_empty();
    report.close()
}
