//! Attempts at a challenge and their order. Owns the history's reading and which attempt may come next. Must never know:
//! strikes, references. Invariant: attempts follow one another without a gap, and none follows an ACCEPT.

use crate::{
    ChallengeRow, OpenRefused, Store, StoreError, challenges, codes,
    codes::read_u32,
    conn::{Conn, Row, query},
};
use biometrics::{ChallengeId, Jti, TenantId, Verdict};
use uuid::Uuid;

/// What an attempt is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptState {
    /// Being judged under a lease.
    Open,
    /// Given back; may be opened again.
    Released,
    /// Decided.
    Decided(Verdict),
    /// Spent without an outcome.
    Abandoned,
}

/// One attempt as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptRow {
    /// Its number, from 1.
    pub n: u32,
    /// What it is at.
    pub state: AttemptState,
    /// Receipt id of its last lease.
    pub jti: Jti,
    /// How often it was given back.
    pub releases: u32,
    /// When its last lease began, database time.
    pub opened_at_ms: i64,
}

impl AttemptRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let verdict: Option<&str> = row.try_get("verdict")?;
        let state = match (row.try_get("state")?, verdict) {
            ("OPEN", None) => AttemptState::Open,
            ("RELEASED", None) => AttemptState::Released,
            ("ABANDONED", None) => AttemptState::Abandoned,
            ("DECIDED", Some(verdict)) => AttemptState::Decided(codes::read_verdict(verdict)?),
            _ => return Err(StoreError::Corrupt("attempts")),
        };
        Ok(Self {
            n: read_u32(row.try_get("n")?)?,
            state,
            jti: Jti::new(row.try_get::<Uuid>("jti")?),
            releases: read_u32(row.try_get("releases")?)?,
            opened_at_ms: row.try_get("opened_at_ms")?,
        })
    }
}

/// The attempts of a challenge in their order.
pub(crate) async fn history(conn: &mut Conn, challenge: ChallengeId) -> Result<Vec<AttemptRow>, StoreError> {
    let sql = "-- attempts.history
        SELECT n, state, verdict, jti, releases, opened_at_ms FROM attempts WHERE challenge = $1 ORDER BY n";
    let rows = query(sql).bind(challenge.uuid()).fetch_all(conn).await?;
    rows.iter().map(AttemptRow::read).collect()
}

/// Which attempt may be opened, by what happened to the challenge so far.
pub(crate) fn next_attempt(asked: u32, challenge: &ChallengeRow, history: &[AttemptRow]) -> Result<u32, OpenRefused> {
    if let Some(row) = history.iter().find(|row| row.n == asked) {
        match row.state {
            AttemptState::Decided(verdict) => return Err(OpenRefused::AlreadyDecided { jti: row.jti, verdict }),
            AttemptState::Abandoned => return Err(OpenRefused::Spent),
            AttemptState::Open | AttemptState::Released => {}
        }
    }
    if let Some(accepted) = history.iter().find(|row| row.state == AttemptState::Decided(Verdict::Accept)) {
        let decided = OpenRefused::AlreadyDecided { jti: accepted.jti, verdict: Verdict::Accept };
        return Err(if asked == 0 { decided } else { OpenRefused::Spent });
    }
    if challenge.expired {
        return Err(OpenRefused::Expired);
    }
    let next = match history.last() {
        Some(AttemptRow { state: AttemptState::Open, .. }) => return Err(OpenRefused::AttemptOpen),
        Some(AttemptRow { state: AttemptState::Released, n, .. }) => *n,
        Some(last) => last.n + 1,
        None => 1,
    };
    if next > challenge.max_attempts {
        return Err(OpenRefused::NoAttemptsLeft);
    }
    if asked == 0 || asked == next { Ok(next) } else { Err(OpenRefused::OutOfOrder { next }) }
}

impl Store {
    /// The attempts of the tenant's challenge in their order.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn attempts(&self, tenant: TenantId, challenge: ChallengeId) -> Result<Vec<AttemptRow>, StoreError> {
        let mut conn = self.read(tenant).await?;
        match challenges::load(&mut conn, tenant, challenge, 0).await? {
            Some(_) => history(&mut conn, challenge).await,
            None => Ok(Vec::new()),
        }
    }
}
