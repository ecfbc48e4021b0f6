//! Identifiers that cross every boundary. Parsing is the only way in, so an id in hand is well formed.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// A text that is not an identifier of the asked kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct InvalidId(pub &'static str);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID made elsewhere (randomness lives at the edge).
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }
            /// The UUID behind the prefix.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            /// Accepts exactly what `Display` writes: the prefix and 32 lower-case hexadecimal digits.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let hex = text.strip_prefix($prefix).ok_or(InvalidId($what))?;
                let canonical = hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if !canonical {
                    return Err(InvalidId($what));
                }
                Uuid::try_parse(hex).map(Self).map_err(|_| InvalidId($what))
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

uuid_id!(
    /// A relying party: `tn_` and 32 hexadecimal digits.
    TenantId, "tenant id", "tn_"
);
uuid_id!(
    /// One challenge: `ch_` and 32 hexadecimal digits.
    ChallengeId, "challenge id", "ch_"
);
uuid_id!(
    /// One biometric reference (ISO/IEC 2382-37 37.03.16): `rf_` and 32 hexadecimal digits.
    ReferenceId, "reference id", "rf_"
);
uuid_id!(
    /// One receipt (RFC 7519 §4.1.7): `rc_` and 32 hexadecimal digits.
    Jti, "receipt id", "rc_"
);

uuid_id!(
    /// One piece of long-running work: `jb_` and 32 hexadecimal digits.
    JobId, "job id", "jb_"
);
uuid_id!(
    /// One legal hold: `hd_` and 32 hexadecimal digits.
    HoldId, "hold id", "hd_"
);

/// The tenant's own name of a user: 1 to 128 characters of `[A-Za-z0-9._:@-]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

impl UserId {
    /// The name as the tenant wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl FromStr for UserId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'@' | b'-');
        if text.is_empty() || text.len() > 128 || !text.bytes().all(allowed) {
            return Err(InvalidId("user id"));
        }
        Ok(Self(text.to_owned()))
    }
}
impl TryFrom<String> for UserId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}
impl From<UserId> for String {
    fn from(id: UserId) -> String {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_write_and_nothing_else() {
        let id = TenantId::new(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in [
            "",
            "tn_",
            "ch_00000000000000000000000000000007",
            "tn_0000000000000000000000000000000G",
            "tn_00000000-0000-0000-0000-000000000007",
        ] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn user_ids_are_bounded_ascii() {
        assert!("alice@example.com".parse::<UserId>().is_ok());
        for bad in [String::new(), "a b".into(), "ä".into(), "x".repeat(129)] {
            assert!(bad.parse::<UserId>().is_err(), "{bad}");
        }
    }
}
