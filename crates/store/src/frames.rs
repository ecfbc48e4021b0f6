//! Frames that captures have shown: hashes alone, so that no second capture shows one again. Owns who was first. Must never
//! know: a frame, the key of its hash. Invariant: within a tenant's window a frame belongs to the one attempt that showed it
//! first, and never to two.

use crate::{
    StoreError,
    conn::{Conn, query},
    tenants::Tenant,
};
use biometrics::ChallengeId;
use std::fmt;

/// A frame's bytes under a keyed hash, cut to 16 bytes. Never printed: who holds a picture and the key could tell whether it
/// was shown here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FrameHash(pub [u8; 16]);

impl fmt::Debug for FrameHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrameHash(..)")
    }
}

/// Who shows frames, and when.
pub(crate) struct Shown<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) challenge: ChallengeId,
    pub(crate) n: u32,
    pub(crate) now: i64,
}

/// Remembers the frames of an attempt for the policy's window and answers the positions of those that another attempt showed
/// within its own. A frame that was forgotten is new; one that this attempt has shown before, twice in one capture or again
/// after its lease was given back, is its own. Nothing is remembered, and nothing found, under a window of 0.
pub(crate) async fn show(conn: &mut Conn, shown: Shown<'_>, frames: &[FrameHash]) -> Result<Vec<u32>, StoreError> {
    let window_ms = i64::from(shown.tenant.policy.frame_memory_seconds) * 1000;
    let mut replayed = Vec::new();
    if window_ms == 0 {
        return Ok(replayed);
    }
    let sql = "-- frames.show
        INSERT INTO seen_frames (tenant, hash, challenge, n, expires_at_ms) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant, hash) DO UPDATE SET
            challenge = excluded.challenge, n = excluded.n, expires_at_ms = excluded.expires_at_ms
        WHERE seen_frames.expires_at_ms <= $6
           OR (seen_frames.challenge = excluded.challenge AND seen_frames.n = excluded.n)";
    for (position, hash) in (0..).zip(frames) {
        let written = query(sql)
            .bind(shown.tenant.id.uuid())
            .bind(&hash.0[..])
            .bind(shown.challenge.uuid())
            .bind(shown.n)
            .bind(shown.now + window_ms)
            .bind(shown.now)
            .execute(conn)
            .await?;
        if written == 0 {
            replayed.push(position);
        }
    }
    Ok(replayed)
}
