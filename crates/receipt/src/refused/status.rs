//! Why a status list is not taken, or says something else than VALID.
//!
//! Must never know: receipts. Invariant: one condition, one code.

/// What is wrong with a status list, or with what it says of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusFault {
    /// The receipt names no place in a status list.
    Missing,
    /// The list is another one than the receipt names.
    OtherList,
    /// The list is not base64url of one zlib stream, or ends before its end.
    Encoding,
    /// The list unpacks to more than [`MAX_LIST_BYTES`](crate::MAX_LIST_BYTES).
    TooLarge,
    /// `bits` is not 1, 2, 4 or 8.
    Bits,
    /// The list was signed in the future, leeway included.
    NotYetValid,
    /// The list's `exp` is over.
    Expired,
    /// The list is older than its `ttl`, or than the caller takes: fetch a fresh one.
    Stale,
    /// The list has no such index.
    Index,
    /// INVALID: the receipt was revoked.
    Revoked,
    /// SUSPENDED.
    Suspended,
    /// A status value without a meaning here.
    Unknown,
}

impl StatusFault {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "STATUS_MISSING",
            Self::OtherList => "STATUS_OTHER_LIST",
            Self::Encoding => "STATUS_ENCODING",
            Self::TooLarge => "STATUS_TOO_LARGE",
            Self::Bits => "STATUS_BITS",
            Self::NotYetValid => "STATUS_NOT_YET_VALID",
            Self::Expired => "STATUS_EXPIRED",
            Self::Stale => "STATUS_STALE",
            Self::Index => "STATUS_INDEX",
            Self::Revoked => "REVOKED",
            Self::Suspended => "SUSPENDED",
            Self::Unknown => "STATUS_UNKNOWN",
        }
    }
}
