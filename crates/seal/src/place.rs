//! Places: where an envelope belongs, as length-prefixed associated data.
//!
//! Must never know: how ids are written. Invariant: two different places never encode to the same bytes.

/// Where a wrapped data key belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DekPlace<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The reference.
    pub reference: &'a str,
    /// The reference's epoch.
    pub epoch: u32,
    /// Version of the tenant's key-encryption key.
    pub kek_version: u32,
}

/// Where a sealed reference belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferencePlace<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The user, as the tenant names them.
    pub user: &'a str,
    /// The reference.
    pub reference: &'a str,
    /// The reference's epoch.
    pub epoch: u32,
    /// What the content may be compared with.
    pub feature_space: &'a str,
    /// Version of the keyed transform.
    pub transform_version: u32,
    /// Version of the content's layout.
    pub schema: u32,
}

/// Associated data for wrapping a data key whose commitment is given. Rewrapping under another key-encryption key changes
/// only this, never the reference.
#[must_use]
pub fn dek_wrap_aad(place: &DekPlace<'_>, commitment: &[u8; 32]) -> Vec<u8> {
    encode(&[
        b"countersign/dek/v1",
        place.tenant.as_bytes(),
        place.reference.as_bytes(),
        &place.epoch.to_be_bytes(),
        &place.kek_version.to_be_bytes(),
        commitment,
    ])
}

impl ReferencePlace<'_> {
    /// Associated data of the reference's own envelope of the given version.
    pub(crate) fn aad(&self, envelope_version: u8) -> Vec<u8> {
        encode(&[
            b"countersign/reference/v1",
            &[envelope_version],
            self.tenant.as_bytes(),
            self.user.as_bytes(),
            self.reference.as_bytes(),
            &self.epoch.to_be_bytes(),
            self.feature_space.as_bytes(),
            &self.transform_version.to_be_bytes(),
            &self.schema.to_be_bytes(),
        ])
    }
}

/// Every part behind its length: eight bytes, big endian.
fn encode(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().fold(Vec::new(), |mut bytes, part| {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place<'a>(tenant: &'a str, reference: &'a str, numbers: (u32, u32)) -> DekPlace<'a> {
        DekPlace { tenant, reference, epoch: numbers.0, kek_version: numbers.1 }
    }

    proptest! {
        #[test]
        fn different_places_encode_differently(
            a in ("[ab]{0,3}", "[ab]{0,3}", (0u32..3, 0u32..3)),
            b in ("[ab]{0,3}", "[ab]{0,3}", (0u32..3, 0u32..3)),
        ) {
            let one = dek_wrap_aad(&place(&a.0, &a.1, a.2), &[7; 32]);
            let other = dek_wrap_aad(&place(&b.0, &b.1, b.2), &[7; 32]);
            prop_assert_eq!(a == b, one == other);
        }
    }

    #[test]
    fn the_commitment_is_part_of_the_place() {
        let place = place("t", "r", (1, 1));
        assert_ne!(dek_wrap_aad(&place, &[7; 32]), dek_wrap_aad(&place, &[8; 32]));
    }
}
