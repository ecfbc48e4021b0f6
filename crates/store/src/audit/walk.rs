//! A walk along a tenant's chain, in the database or along an export. Must never know: where entries come from. Invariant: what
//! does not follow from the entry before is named by its position.

use super::{
    AuditEntry,
    search::{AuditQuery, search},
    window::floor,
};
use crate::{Store, StoreError, conn::Conn};
use biometrics::TenantId;

/// Entries of one look.
const PAGE: u32 = 1000;

/// What a walk along a tenant's chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// Every entry follows from the one before. A cut tail is seen only against a `head` kept elsewhere.
    Intact {
        /// How many entries.
        entries: i64,
        /// Hash of the last one, zeros for none.
        head: [u8; 32],
    },
    /// The first place where it does not.
    Broken {
        /// The position that should have followed.
        seq: i64,
    },
}

/// A walk in progress.
#[derive(Debug, Clone)]
pub struct Walk {
    tenant: TenantId,
    seq: i64,
    head: [u8; 32],
    entries: i64,
}

impl Walk {
    /// A walk that goes on after entry `seq` with hash `head`; 0 and zeros: from the beginning.
    #[must_use]
    pub const fn after(tenant: TenantId, (seq, head): (i64, [u8; 32])) -> Self {
        Self { tenant, seq, head, entries: 0 }
    }

    /// A walk that begins at this entry, on its word for what came before.
    #[must_use]
    pub const fn from(tenant: TenantId, first: &AuditEntry) -> Self {
        Self::after(tenant, (first.seq - 1, first.prev))
    }

    /// Takes the next entry. False: it does not follow.
    pub fn step(&mut self, entry: &AuditEntry) -> bool {
        let follows = entry.seq == self.seq + 1 && entry.prev == self.head && entry.hash == entry.digest(self.tenant);
        if follows {
            (self.seq, self.head, self.entries) = (entry.seq, entry.hash, self.entries + 1);
        }
        follows
    }

    /// The position that should follow.
    #[must_use]
    pub const fn next(&self) -> i64 {
        self.seq + 1
    }

    /// What was found so far.
    #[must_use]
    pub const fn intact(&self) -> Chain {
        Chain::Intact { entries: self.entries, head: self.head }
    }
}

impl Store {
    /// Walks the tenant's chain from where its window begins.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`; a broken chain is a value.
    pub async fn verify_audit(&self, tenant: TenantId) -> Result<Chain, StoreError> {
        self.verify_audit_through(tenant, &[]).await
    }

    /// The same through what the chain was at some positions, as the log was told (base64url): a chain that was cut before
    /// one, or is another there, is broken there. What lies under the floor is gone and says nothing.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`; a broken chain is a value.
    pub async fn verify_audit_through(&self, tenant: TenantId, anchors: &[(i64, String)]) -> Result<Chain, StoreError> {
        verify(&mut self.read(tenant).await?, tenant, anchors).await
    }
}

/// Walks the tenant's chain as a connection sees it, through `anchors`.
pub(crate) async fn verify(conn: &mut Conn, tenant: TenantId, anchors: &[(i64, String)]) -> Result<Chain, StoreError> {
    let was = |entry: &AuditEntry| {
        let told = anchors.iter().filter(|(seq, _)| *seq == entry.seq);
        told.map(|(_, head)| head).all(|head| *head == receipt::base64url(&entry.hash))
    };
    let last = anchors.iter().map(|(seq, _)| *seq).max().unwrap_or(0);
    let mut walk = Walk::after(tenant, floor(conn, tenant).await?);
    let all = AuditQuery::everything(tenant);
    loop {
        let page = search(conn, &all, (walk.seq, PAGE)).await?;
        if !page.iter().all(|entry| was(entry) && walk.step(entry)) {
            return Ok(Chain::Broken { seq: walk.next() });
        }
        if page.len() < PAGE as usize {
            return Ok(if walk.seq >= last { walk.intact() } else { Chain::Broken { seq: walk.next() } });
        }
    }
}
