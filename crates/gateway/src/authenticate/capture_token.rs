//! Capture tokens: what a capture device holds for one challenge, and for nothing else.
//!
//! A token is `cst_` and the base64url form of tenant, challenge, purpose, expiry and their MAC. It is made again from the
//! challenge's row at any time, so none is stored. Must never know: the database, users. Invariant: one token names one
//! challenge of one tenant, for one purpose, until one instant.

use super::mac::{MAC_BYTES, MacKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use biometrics::{ChallengeId, Purpose, TenantId};
use uuid::Uuid;

const PREFIX: &str = "cst_";
/// Separates this MAC from every other use of its key.
const DOMAIN: &[u8] = b"countersign/capture-token/v1\0";
/// Tenant, challenge, purpose, expiry.
const CLAIM_BYTES: usize = 16 + 16 + 1 + 8;

/// What a capture token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CaptureScope {
    /// The challenge's tenant.
    pub(crate) tenant: TenantId,
    /// The one challenge.
    pub(crate) challenge: ChallengeId,
    /// The one purpose.
    pub(crate) purpose: Purpose,
    /// End of the token, the challenge's own, in unix milliseconds.
    pub(crate) expires_at_ms: i64,
}

impl CaptureScope {
    /// The token of this scope.
    pub(crate) fn token(&self, key: &MacKey) -> String {
        let claims = self.bytes();
        let mut token = Vec::with_capacity(CLAIM_BYTES + MAC_BYTES);
        token.extend_from_slice(&claims);
        token.extend_from_slice(&key.mac(&authenticated(&claims)));
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(token))
    }

    /// The scope of a token whose MAC is genuine and whose time has not passed at `now_ms`.
    pub(crate) fn read(token: &str, key: &MacKey, now_ms: i64) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (claims, mac) = bytes.split_at_checked(CLAIM_BYTES)?;
        if !key.verify(&authenticated(claims), mac) {
            return None;
        }
        let (tenant, rest) = claims.split_first_chunk::<16>()?;
        let (challenge, rest) = rest.split_first_chunk::<16>()?;
        let (purpose, expiry) = rest.split_first_chunk::<1>()?;
        let scope = Self {
            tenant: TenantId::new(Uuid::from_bytes(*tenant)),
            challenge: ChallengeId::new(Uuid::from_bytes(*challenge)),
            purpose: if purpose == b"E" { Purpose::Enroll } else { Purpose::Verify },
            expires_at_ms: i64::from_be_bytes(expiry.try_into().ok()?),
        };
        (now_ms < scope.expires_at_ms).then_some(scope)
    }

    fn bytes(&self) -> [u8; CLAIM_BYTES] {
        let mut out = [0; CLAIM_BYTES];
        out[..16].copy_from_slice(self.tenant.uuid().as_bytes());
        out[16..32].copy_from_slice(self.challenge.uuid().as_bytes());
        out[32] = match self.purpose {
            Purpose::Enroll => b'E',
            Purpose::Verify => b'V',
        };
        out[33..].copy_from_slice(&self.expires_at_ms.to_be_bytes());
        out
    }
}

fn authenticated(claims: &[u8]) -> Vec<u8> {
    [DOMAIN, claims].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretBox;

    fn key(byte: u8) -> MacKey {
        MacKey::new(&SecretBox::new(Box::new([byte; 32])))
    }

    fn scope(purpose: Purpose) -> CaptureScope {
        CaptureScope {
            tenant: TenantId::new(Uuid::from_u128(1)),
            challenge: ChallengeId::new(Uuid::from_u128(2)),
            purpose,
            expires_at_ms: 1_000,
        }
    }

    #[test]
    fn a_token_reads_back_until_it_expires() {
        for purpose in [Purpose::Enroll, Purpose::Verify] {
            let token = scope(purpose).token(&key(1));
            assert_eq!(CaptureScope::read(&token, &key(1), 999), Some(scope(purpose)));
            assert_eq!(CaptureScope::read(&token, &key(1), 1_000), None, "its time has passed");
            assert_eq!(CaptureScope::read(&token, &key(2), 999), None, "another key");
        }
    }

    #[test]
    fn no_bit_of_a_token_may_change() {
        let token = scope(Purpose::Verify).token(&key(1));
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX).unwrap()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(changed));
            assert_eq!(CaptureScope::read(&changed, &key(1), 0), None, "bit {bit}");
        }
        for cut in ["", "cst_", "cst_AA", &token[..token.len() - 1]] {
            assert_eq!(CaptureScope::read(cut, &key(1), 0), None, "{cut}");
        }
    }
}
