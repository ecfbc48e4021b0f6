//! Two references of one user: a new recogniser puts a successor beside the reference, and the first verification that both match
//! gives it the reference's place. Owns both steps, inside T2. Must never know: features, thresholds. Invariants: a step is taken
//! only where the rows still are those that the attempt was opened with; under a legal hold nothing is erased.

use crate::{
    AuditBody, SealedRow, StoreError, audit,
    conn::Conn,
    erasure::{self, Erase, SUCCEEDED, UNCONFIRMED},
    failpoint, holds,
    leases::OpenLease,
    references::{self, Place, UserReferences},
};
use biometrics::ReferenceId;

/// What an accepted verification does to the user's references.
#[derive(Debug, Clone)]
pub enum Succession {
    /// The reference matched, and from the same capture a successor was made.
    Begins {
        /// The reference that the attempt was opened with.
        reference: ReferenceId,
        /// The successor that it was opened with, which the capture did not match: this one takes its place.
        over: Option<ReferenceId>,
        /// The new successor.
        successor: Box<SealedRow>,
    },
    /// Both matched: the successor is the reference from now on, and the former one is erased.
    Ends {
        /// The reference that the attempt was opened with.
        reference: ReferenceId,
        /// The successor that it was opened with.
        successor: ReferenceId,
    },
}

/// Takes the step, or none: another outcome came first, a legal hold stands in the way, or the new row's keys are retired. What the
/// verification decided stands in any case, and the next one tries again.
pub(crate) async fn record(
    conn: &mut Conn,
    (lease, now): (&OpenLease, i64),
    change: &Succession,
) -> Result<(), StoreError> {
    let Some(found) = references::load(conn, lease.tenant, &lease.user).await? else { return Ok(()) };
    let held = holds::is_held(conn, lease.of()).await?;
    let there = found.successor.as_ref().map(|row| row.id);
    match change {
        Succession::Begins { reference, over, successor } => {
            let free = there.is_none() || !held;
            if found.reference.id != *reference || there != *over || !free {
                return Ok(());
            }
            begin(conn, (lease, now), (&found, successor)).await
        }
        Succession::Ends { reference, successor } => {
            if found.reference.id != *reference || there != Some(*successor) || held {
                return Ok(());
            }
            end(conn, (lease, now), &found).await
        }
    }
}

/// Audited as `successor.made`.
async fn begin(
    conn: &mut Conn,
    (lease, now): (&OpenLease, i64),
    (found, new): (&UserReferences, &SealedRow),
) -> Result<(), StoreError> {
    if new.feature_space == found.reference.feature_space {
        return Err(StoreError::Misuse("a successor is of another feature space"));
    }
    if let Some(unconfirmed) = &found.successor {
        erasure::retire(conn, erase(lease, now, UNCONFIRMED), unconfirmed).await?;
    }
    let place = Place { tenant: lease.tenant, user: &lease.user, now, successor: true };
    if !references::insert(conn, place, new).await? {
        return Ok(());
    }
    audit::append(conn, lease.tenant, "successor.made", told(lease, (&found.reference, new))).await?;
    failpoint("succession.begun");
    Ok(())
}

/// Audited as `reference.succeeded`, after `reference.erased`.
async fn end(conn: &mut Conn, (lease, now): (&OpenLease, i64), found: &UserReferences) -> Result<(), StoreError> {
    let Some(successor) = &found.successor else { return Ok(()) };
    erasure::retire(conn, erase(lease, now, SUCCEEDED), &found.reference).await?;
    references::promote(conn, successor.id).await?;
    audit::append(conn, lease.tenant, "reference.succeeded", told(lease, (&found.reference, successor))).await?;
    failpoint("succession.ended");
    Ok(())
}

const fn erase<'a>(lease: &'a OpenLease, now: i64, cause: &'a str) -> Erase<'a> {
    Erase { tenant: lease.tenant, user: &lease.user, cause, job: None, now }
}

/// Both commitments, so that whoever pinned the one finds the other.
fn told(lease: &OpenLease, (former, new): (&SealedRow, &SealedRow)) -> AuditBody {
    lease
        .body(AuditBody::default())
        .with("reference", new.id.to_string())
        .with("epoch", new.epoch)
        .with("feature_space", new.feature_space.as_str())
        .with("commitment", hex::encode(new.commitment))
        .with("former_reference", former.id.to_string())
        .with("former_commitment", hex::encode(former.commitment))
}
