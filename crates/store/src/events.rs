//! The outbox: what operators are told of, written with the audit entry that it follows from. Owns who is told what, and how far
//! each notification is. Must never know: where it is sent. Invariants: nothing is told of that did not commit; a verification is
//! never told of; a notification names no user.

use crate::{
    AuditBody, AuditEntry, Store, StoreError,
    conn::{Conn, Row, now_ms, query},
    door::make_id,
};
use biometrics::TenantId;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Kinds of audit entries that operators are told of: finished jobs, rotations among them, holds, a tenant's life, alarms.
const TOLD: [&str; 10] = [
    "job.done",
    "job.failed",
    "hold.placed",
    "hold.released",
    "kek.destroyed",
    "tenant.suspended",
    "tenant.resumed",
    "tenant.terminating",
    "tenant.terminated",
    "envelope.not_authentic",
];
/// What of an entry's body they are told.
const SHOWN: [&str; 7] = ["job", "kind", "reason", "hold", "notice_due_ms", "kek_version", "certificate"];
/// How long a notification is kept, whatever became of it.
const KEPT_MS: i64 = 30 * 86_400_000;
const BATCH: u32 = 1000;

/// Where a notification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// It is to be sent, perhaps again.
    Waiting,
    /// It was taken.
    Delivered,
    /// It was sent too often and is not sent again by itself.
    Dead,
}

impl EventState {
    /// As it lies in the column and as operators read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Delivered => "DELIVERED",
            Self::Dead => "DEAD",
        }
    }

    fn read(word: &str) -> Result<Self, StoreError> {
        let all = [Self::Waiting, Self::Delivered, Self::Dead];
        all.into_iter().find(|state| state.word() == word).ok_or(StoreError::Corrupt("events"))
    }
}

/// A stored notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id, the same however often it is sent.
    pub id: Uuid,
    /// Whom it is about.
    pub tenant: TenantId,
    /// Such as `job.done`.
    pub kind: String,
    /// What is sent, JSON.
    pub body: String,
    /// Where it stands.
    pub state: EventState,
    /// How often it was sent.
    pub tries: u32,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When what it tells of happened, database time.
    pub created_at_ms: i64,
}

/// A notification that is to be written.
pub(crate) struct NewEvent {
    kind: &'static str,
    data: Map<String, Value>,
}

/// What operators are told of an entry, if anything.
pub(crate) fn of(kind: &str, body: &AuditBody) -> Option<NewEvent> {
    let kind = TOLD.iter().find(|told| **told == kind)?;
    let shown = |name: &&str| Some(((*name).to_owned(), body.get(name)?.clone()));
    Some(NewEvent { kind, data: SHOWN.iter().filter_map(shown).collect() })
}

impl NewEvent {
    /// Writes it inside the transaction of the entry that it follows from.
    pub(crate) async fn write(
        mut self,
        conn: &mut Conn,
        tenant: TenantId,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        self.data.insert("tenant".to_owned(), tenant.to_string().into());
        self.data.insert("audit_seq".to_owned(), entry.seq.into());
        self.data.insert("at_ms".to_owned(), entry.at_ms.into());
        let body = json!({ "type": self.kind, "data": self.data }).to_string();
        let sql = "-- events.write
            INSERT INTO events (id, tenant, kind, body, state, tries, next_try_ms, created_at_ms)
            VALUES ($1, $2, $3, $4, 'WAITING', 0, $5, $5)";
        let query = query(sql).bind(make_id()?).bind(tenant.uuid()).bind(self.kind).bind(body).bind(entry.at_ms);
        query.execute(conn).await?;
        Ok(())
    }
}

impl Event {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get("id")?,
            tenant: TenantId::new(row.try_get::<Uuid>("tenant")?),
            kind: row.try_get("kind")?,
            body: row.try_get("body")?,
            state: EventState::read(row.try_get("state")?)?,
            tries: crate::codes::read_u32(row.try_get("tries")?)?,
            error: row.try_get("error")?,
            created_at_ms: row.try_get("created_at_ms")?,
        })
    }
}

macro_rules! select {
    ($name:literal, $rest:literal) => {
        concat!(
            "-- ",
            $name,
            "\n SELECT id, tenant, kind, body, state, tries, error, created_at_ms FROM events ",
            $rest
        )
    };
}

impl Store {
    /// Takes notifications that are due, at most `limit`, each for so long: nobody else sends them meanwhile, and one whose sender
    /// died is due again afterwards.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn claim_events(&self, limit: u32, lease_ms: u32) -> Result<Vec<Event>, StoreError> {
        let now = self.now_ms().await?;
        let sql =
            select!("events.due", "WHERE state = 'WAITING' AND next_try_ms <= $1 ORDER BY next_try_ms, id LIMIT $2");
        let rows = query(sql).bind(now).bind(limit).fetch_all(&mut self.read_all_tenants().await?).await?;
        let mut claimed = Vec::new();
        for mut event in rows.iter().map(Event::read).collect::<Result<Vec<_>, _>>()? {
            let sql = "-- events.claim
                UPDATE events SET tries = tries + 1, next_try_ms = $3 WHERE id = $1 AND state = 'WAITING' AND tries = $2";
            if self.turn(sql, &event, now + i64::from(lease_ms)).await? {
                event.tries += 1;
                claimed.push(event);
            }
        }
        Ok(claimed)
    }

    /// Notes that a notification was taken.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn event_delivered(&self, event: &Event) -> Result<(), StoreError> {
        let now = self.now_ms().await?;
        let sql = "-- events.delivered
            UPDATE events SET state = 'DELIVERED', delivered_at_ms = $3, error = NULL WHERE id = $1 AND tries = $2";
        self.turn(sql, event, now).await.map(drop)
    }

    /// Notes that a notification was not taken and when it is sent again; `None`: no more.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn event_failed(&self, event: &Event, why: &str, again_ms: Option<u64>) -> Result<(), StoreError> {
        let now = self.now_ms().await?;
        let again = again_ms.map(|wait| now.saturating_add(i64::try_from(wait).unwrap_or(i64::MAX)));
        self.write_all_tenants("events.failed", |mut tx| async move {
            let sql = "-- events.failed
                UPDATE events SET state = $3, next_try_ms = COALESCE($4, next_try_ms), error = $5
                WHERE id = $1 AND tries = $2 AND state = 'WAITING'";
            let state = if again.is_some() { EventState::Waiting } else { EventState::Dead };
            let query = query(sql).bind(event.id).bind(event.tries).bind(state.word()).bind(again).bind(why);
            query.execute(&mut tx).await?;
            tx.commit().await
        })
        .await
    }

    /// Has a dead notification sent again from the beginning. False: it is not dead.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn revive_event(&self, id: Uuid) -> Result<bool, StoreError> {
        let now = self.now_ms().await?;
        self.write_all_tenants("events.revive", |mut tx| async move {
            let sql = "-- events.revive
                UPDATE events SET state = 'WAITING', tries = 0, next_try_ms = $2 WHERE id = $1 AND state = 'DEAD'";
            let revived = query(sql).bind(id).bind(now).execute(&mut tx).await?;
            tx.commit().await?;
            Ok(revived == 1)
        })
        .await
    }

    /// Notifications, newest first, at most `limit`; those of one state or all.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn events(&self, state: Option<EventState>, limit: u32) -> Result<Vec<Event>, StoreError> {
        let sql = select!("events.list", "WHERE ($1 IS NULL OR state = $1) ORDER BY created_at_ms DESC, id LIMIT $2");
        let mut conn = self.read_all_tenants().await?;
        let rows = query(sql).bind(state.map(EventState::word)).bind(limit).fetch_all(&mut conn).await?;
        rows.iter().map(Event::read).collect()
    }

    /// Drops notifications older than 30 days, one batch. Answers how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn drop_old_events(&self) -> Result<u64, StoreError> {
        self.write_all_tenants("events.old", |mut tx| async move {
            let now = now_ms(&mut tx).await?;
            let sql = "-- events.old
                DELETE FROM events WHERE id IN (SELECT id FROM events WHERE created_at_ms <= $1 ORDER BY created_at_ms LIMIT $2)";
            let dropped = query(sql).bind(now - KEPT_MS).bind(BATCH).execute(&mut tx).await?;
            tx.commit().await?;
            Ok(dropped)
        })
        .await
    }

    /// One statement on one notification that stands where we think: `$1` its id, `$2` its tries, `$3` the value. False: it does not.
    async fn turn(&self, sql: &'static str, event: &Event, value: i64) -> Result<bool, StoreError> {
        self.write_all_tenants("events.turn", |mut tx| async move {
            let changed = query(sql).bind(event.id).bind(event.tries).bind(value).execute(&mut tx).await?;
            tx.commit().await?;
            Ok(changed == 1)
        })
        .await
    }
}
