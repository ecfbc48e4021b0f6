//! Token Status Lists (draft-ietf-oauth-status-list-17): which receipts were revoked, one bit for each index.
//!
//! Owns the list's claims, its packing and its checking. Must never know: how a list is fetched, whose an index is.
//! Invariant: a [`StatusList`] in hand was signed by a trusted ledger key for the address asked for, and unpacked within
//! its bound; it answers only while it is fresh.

mod pack;

pub use pack::{MAX_LIST_BYTES, StatusListClaims, StatusListPlace};

use crate::{
    jws::Typ,
    refused::{Malformed, Refused, StatusFault},
    trusted::TrustedKeys,
    verify::LEEWAY_SECONDS,
};

/// How old a list may be where it can be fetched, in seconds: the caller's own limit, whatever `ttl` the list names.
pub const ONLINE_SECONDS: i64 = 15;
/// How far the clocks of a list's signer and its reader may differ without shortening the list's life, in seconds: as far
/// as a worker lets a gateway's clock differ from its own.
pub const STATUS_LEEWAY_SECONDS: i64 = 5;

/// A status value (draft §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// 0: nothing was said against it.
    Valid,
    /// 1: revoked for good.
    Invalid,
    /// 2: revoked for the time being; never written by this project.
    Suspended,
    /// Any other value, which has no meaning here.
    Other(u8),
}

/// A status list whose signature, type, key, issuer, address and age were checked.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusList {
    uri: String,
    issued_at: i64,
    expires_at: i64,
    /// Seconds.
    ttl: i64,
    bits: u8,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for StatusList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (uri, issued_at, ttl, entries) = (&self.uri, self.issued_at, self.ttl, self.entries());
        write!(f, "StatusList {{ uri: {uri:?}, issued_at: {issued_at}, ttl: {ttl}, entries: {entries} }}")
    }
}

impl StatusList {
    /// Checks a list token; `keys` are the ledger's, `uri` is the address that the receipt names, `now_s` the reader's time
    /// in seconds since 1970.
    ///
    /// # Errors
    /// [`Refused`] where it is malformed, not signed by the ledger, about another address, too large, or not fresh.
    pub fn verify(token: &str, keys: &TrustedKeys, uri: &str, now_s: i64) -> Result<Self, Refused> {
        let (_, claims): (Typ, StatusListClaims) = keys.open(token, &[Typ::StatusList])?;
        if claims.iat < 0 || claims.exp <= claims.iat || claims.ttl <= 0 {
            return Err(Malformed::Claims.into());
        }
        if claims.sub != uri {
            return Err(StatusFault::OtherList.into());
        }
        let (bits, bytes) = claims.status_list.unpack()?;
        let (issued_at, expires_at, ttl) = (claims.iat, claims.exp, claims.ttl);
        let list = Self { uri: claims.sub, issued_at, expires_at, ttl, bits, bytes };
        list.check_age(now_s)?;
        Ok(list)
    }

    /// The same list for a reader who takes none older than `seconds`. It never makes a list live longer.
    #[must_use]
    pub fn at_most(self, seconds: i64) -> Self {
        Self { ttl: self.ttl.min(seconds), ..self }
    }

    /// The address that the list is about.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// When it was signed, in seconds since 1970. Of what was revoked later it knows nothing.
    #[must_use]
    pub const fn issued_at(&self) -> i64 {
        self.issued_at
    }

    /// Until when it may be used from a cache, in seconds since 1970, without leeway.
    #[must_use]
    pub fn fresh_until(&self) -> i64 {
        self.expires_at.min(self.issued_at.saturating_add(self.ttl))
    }

    /// How many indexes the list has.
    #[must_use]
    pub const fn entries(&self) -> usize {
        self.bytes.len() * (8 / self.bits as usize)
    }

    /// Whether the list may be used at `now_s`.
    ///
    /// # Errors
    /// [`StatusFault::NotYetValid`], [`StatusFault::Expired`], [`StatusFault::Stale`].
    pub fn check_age(&self, now_s: i64) -> Result<(), StatusFault> {
        if self.issued_at > now_s.saturating_add(LEEWAY_SECONDS) {
            return Err(StatusFault::NotYetValid);
        }
        let over = |end: i64| now_s >= end.saturating_add(STATUS_LEEWAY_SECONDS);
        if over(self.expires_at) {
            return Err(StatusFault::Expired);
        }
        if over(self.issued_at.saturating_add(self.ttl)) {
            return Err(StatusFault::Stale);
        }
        Ok(())
    }

    /// What the list says of an index.
    ///
    /// # Errors
    /// [`StatusFault::Index`] where the list has no such index.
    pub fn status_of(&self, index: u32) -> Result<Status, StatusFault> {
        let per_byte = 8 / u32::from(self.bits);
        let byte = usize::try_from(index / per_byte).ok().and_then(|at| self.bytes.get(at));
        let shifted = byte.ok_or(StatusFault::Index)? >> (index % per_byte * u32::from(self.bits));
        let value = if self.bits == 8 { shifted } else { shifted & ((1 << self.bits) - 1) };
        Ok(match value {
            0 => Status::Valid,
            1 => Status::Invalid,
            2 => Status::Suspended,
            other => Status::Other(other),
        })
    }

    /// Refuses every index that is not VALID.
    pub(crate) fn check_valid(&self, index: u32, now_s: i64) -> Result<(), StatusFault> {
        self.check_age(now_s)?;
        match self.status_of(index)? {
            Status::Valid => Ok(()),
            Status::Invalid => Err(StatusFault::Revoked),
            Status::Suspended => Err(StatusFault::Suspended),
            Status::Other(_) => Err(StatusFault::Unknown),
        }
    }
}
