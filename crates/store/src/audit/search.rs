//! Questions to a tenant's audit. Owns what can be asked for. Must never know: who asks. Invariant: an answer is in the order of
//! the chain and bounded by its limit, so an export of any length needs the memory of one page.

use super::AuditEntry;
use crate::{
    Store, StoreError,
    conn::{Conn, query},
};
use biometrics::{ChallengeId, TenantId, UserId};

/// What entries are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Anything.
    Everything,
    /// A user.
    User(UserId),
    /// A challenge.
    Challenge(ChallengeId),
}

/// Which entries are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// Whose.
    pub tenant: TenantId,
    /// About what.
    pub about: About,
    /// Of this kind, such as `attempt.decided`; `None` for every kind.
    pub kind: Option<String>,
    /// Not before this time, Unix milliseconds.
    pub from_ms: Option<i64>,
    /// Before this time, Unix milliseconds.
    pub until_ms: Option<i64>,
}

impl AuditQuery {
    /// All of a tenant's entries.
    #[must_use]
    pub const fn everything(tenant: TenantId) -> Self {
        Self { tenant, about: About::Everything, kind: None, from_ms: None, until_ms: None }
    }
}

macro_rules! select {
    ($name:literal, $about:literal) => {
        concat!(
            "-- ",
            $name,
            "
            SELECT seq, kind, at_ms, body, prev, hash FROM audit
            WHERE tenant = $1 AND seq > $2 AND ",
            $about,
            " AND ($4 IS NULL OR kind = $4) AND ($5 IS NULL OR at_ms >= $5) AND ($6 IS NULL OR at_ms < $6)
            ORDER BY seq LIMIT $7"
        )
    };
}

impl Store {
    /// Entries that answer the question, after position `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn audit_search(
        &self,
        asked: &AuditQuery,
        after: i64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        search(&mut self.read(asked.tenant).await?, asked, (after, limit)).await
    }
}

/// The same by the caller's connection.
pub(super) async fn search(
    conn: &mut Conn,
    asked: &AuditQuery,
    (after, limit): (i64, u32),
) -> Result<Vec<AuditEntry>, StoreError> {
    let (sql, about) = match &asked.about {
        About::Everything => (select!("audit.list", "($3 IS NULL OR user_id = $3)"), None),
        About::User(user) => (select!("audit.of_user", "user_id = $3"), Some(user.to_string())),
        About::Challenge(id) => (select!("audit.of_challenge", "challenge = $3"), Some(id.to_string())),
    };
    let query = query(sql).bind(asked.tenant.uuid()).bind(after).bind(about).bind(asked.kind.clone());
    let query = query.bind(asked.from_ms).bind(asked.until_ms).bind(limit);
    query.fetch_all(conn).await?.iter().map(AuditEntry::read).collect()
}
