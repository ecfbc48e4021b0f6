//! Statements about signing keys, which operators change and no gateway sees: destroyed keys, a root that took over.
//!
//! Owns the order: intended, done elsewhere, told. Must never know: keys. Invariants: a statement is intended before the key service
//! is asked, so that one whose teller died is told by whoever comes next; it is told once, to the log and to the audit of every
//! tenant that it concerns.

use super::{About, append, seconds};
use crate::{
    AuditBody, Store, StoreError, audit,
    conn::{Conn, Row, now_ms, query},
    failpoint,
    tenants::{Tenant, TenantState},
};
use biometrics::TenantId;
use receipt::{KeyName, KeyUse, LogEvent};

/// What an intended statement is kept under in `log_seen`, before its leaf at time 0; the value is when, in milliseconds.
const INTENDED: &str = "intended ";

/// What became of a signing key. Keys are named by their thumbprints (RFC 7638).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyStatement {
    /// A version is destroyed.
    Destroyed {
        /// What it signed.
        r#use: KeyUse,
        /// Which.
        kid: String,
    },
    /// Key sets are signed by another root from now on.
    RootRotated {
        /// The root before.
        from: String,
        /// The root that signs now.
        to: String,
    },
}

impl KeyStatement {
    /// The name under which its leaf is looked up: the key that is gone, or the root that took over.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::Destroyed { kid, .. } => kid,
            Self::RootRotated { to, .. } => to,
        }
    }

    fn concerns(&self, tenant: &Tenant) -> bool {
        let relies = match self {
            Self::Destroyed { r#use: KeyUse::Receipts, .. } => !tenant.test,
            Self::Destroyed { r#use: KeyUse::TestReceipts, .. } => tenant.test,
            _ => true,
        };
        relies && tenant.state != TenantState::Terminated
    }

    fn entry(&self) -> (&'static str, AuditBody) {
        match self {
            Self::Destroyed { r#use, kid } => {
                let word = serde_json::to_value(r#use).unwrap_or_default();
                ("signing_key.destroyed", AuditBody::default().with("use", word).with("kid", kid.as_str()))
            }
            Self::RootRotated { from, to } => {
                ("root.rotated", AuditBody::default().with("from", from.as_str()).with("to", to.as_str()))
            }
        }
    }

    fn event(&self, at: i64) -> LogEvent {
        let key = |r#use| KeyName { r#use, aud: None };
        match self.clone() {
            Self::Destroyed { r#use, kid } => LogEvent::KeyDestruction { key: key(r#use), version: kid, at },
            Self::RootRotated { from, to } => {
                LogEvent::KeyRotation { key: key(KeyUse::Root), from: Some(from), to, at }
            }
        }
    }

    fn kept(&self) -> Result<String, StoreError> {
        let text = serde_json::to_string(&self.event(0));
        let text = text.map_err(|_| StoreError::Misuse("a statement that has no JSON form"))?;
        Ok(format!("{INTENDED}{text}"))
    }

    fn read(what: &str) -> Option<Self> {
        match serde_json::from_str(what.strip_prefix(INTENDED)?).ok()? {
            LogEvent::KeyDestruction { key, version, .. } => Some(Self::Destroyed { r#use: key.r#use, kid: version }),
            LogEvent::KeyRotation { from, to, .. } => Some(Self::RootRotated { from: from?, to }),
            _ => None,
        }
    }
}

impl Store {
    /// Notes what is about to be done to a key. Again is fine: the first time stands.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn intend(&self, statement: &KeyStatement) -> Result<(), StoreError> {
        let what = &statement.kept()?;
        self.write_all_tenants("statement.intend", |mut tx| async move {
            let now = now_ms(&mut tx).await?;
            let sql = "-- statement.intend
                INSERT INTO log_seen (what, value) VALUES ($1, $2) ON CONFLICT (what) DO NOTHING";
            query(sql).bind(what).bind(now.to_string()).execute(&mut tx).await?;
            tx.commit().await?;
            failpoint("statement.intended");
            Ok(())
        })
        .await
    }

    /// What was intended and is not told yet.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn intended(&self) -> Result<Vec<KeyStatement>, StoreError> {
        let sql = "-- statement.intended
            SELECT what FROM log_seen WHERE what LIKE 'intended %' ORDER BY what";
        let rows = query(sql).fetch_all(&mut self.read_all_tenants().await?).await?;
        let read =
            |row: &Row| KeyStatement::read(&row.try_get::<String>("what")?).ok_or(StoreError::Corrupt("log_seen"));
        rows.iter().map(read).collect()
    }

    /// Tells the audit of every tenant that an intended statement concerns, as `signing_key.destroyed` or `root.rotated`, then the
    /// log. False: it is not intended, or was told before.
    ///
    /// # Errors
    /// `Unavailable`, `AuditUnavailable`; tried again it goes on with the tenants that do not know yet.
    pub async fn state(&self, statement: &KeyStatement, by: &str) -> Result<bool, StoreError> {
        let what = &statement.kept()?;
        let Some(since) = intended_at(&mut self.read_all_tenants().await?, what).await? else { return Ok(false) };
        for tenant in self.tenants().await?.iter().filter(|tenant| statement.concerns(tenant)) {
            self.tell_tenant(tenant.id, statement, (since, by)).await?;
        }
        self.write_all_tenants("statement.tell", |mut tx| async move {
            let sql = "-- statement.told
                DELETE FROM log_seen WHERE what = $1";
            if query(sql).bind(what).execute(&mut tx).await? != 1 {
                return Ok(false);
            }
            let about = About { tenant: None, user: None, subject: statement.subject() };
            let at = seconds(now_ms(&mut tx).await?);
            append(&mut tx, about, &statement.event(at)).await?;
            failpoint("statement.told.before_commit");
            tx.commit().await?;
            failpoint("statement.told.after_commit");
            Ok(true)
        })
        .await
    }

    async fn tell_tenant(
        &self,
        tenant: TenantId,
        statement: &KeyStatement,
        (since, by): (i64, &str),
    ) -> Result<(), StoreError> {
        self.write("statement.audit", tenant, |mut tx| async move {
            let (kind, body) = statement.entry();
            let sql = "-- statement.known
                SELECT seq FROM audit WHERE tenant = $1 AND at_ms >= $2 AND kind = $3 AND body LIKE $4 LIMIT 1";
            let names = format!("%\"{}\"%", statement.subject());
            let known = query(sql).bind(tenant.uuid()).bind(since).bind(kind).bind(names);
            if known.fetch_optional(&mut tx).await?.is_some() {
                return Ok(());
            }
            audit::append(&mut tx, tenant, kind, body.with("by", by)).await?;
            tx.commit().await
        })
        .await
    }
}

async fn intended_at(conn: &mut Conn, what: &str) -> Result<Option<i64>, StoreError> {
    let sql = "-- statement.since
        SELECT value FROM log_seen WHERE what = $1";
    let Some(row) = query(sql).bind(what).fetch_optional(conn).await? else { return Ok(None) };
    row.try_get::<String>("value")?.parse().map(Some).map_err(|_| StoreError::Corrupt("log_seen"))
}
