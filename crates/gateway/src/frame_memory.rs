//! What is remembered of a frame: a hash of its bytes under a key of its tenant's own, cut to 16 bytes.
//!
//! Must never know: pixels, what the hashes are compared with. Invariants: without the gateway's secret a hash says nothing of
//! a picture that somebody holds; hashes of two tenants cannot be linked; a changed bit makes another frame.

use crate::authenticate::MacKey;
use biometrics::TenantId;
use store::FrameHash;
use wire::v1;

/// Separates the derived keys from every other use of the secret.
const DOMAIN: &[u8] = b"countersign/frame-memory/v1\0";

/// The hashes of a tenant's frames, in their order.
pub(crate) fn hashes(secret: &MacKey, tenant: TenantId, frames: &[v1::Frame]) -> Vec<FrameHash> {
    let key = secret.derive(&[DOMAIN, tenant.uuid().as_bytes()].concat());
    let hash = |frame: &v1::Frame| {
        let mut cut = [0; 16];
        cut.copy_from_slice(&key.mac(&frame.image)[..16]);
        FrameHash(cut)
    };
    frames.iter().map(hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretBox;
    use uuid::Uuid;

    fn key(byte: u8) -> MacKey {
        MacKey::new(&SecretBox::new(Box::new([byte; 32])))
    }

    fn tenant(number: u128) -> TenantId {
        TenantId::new(Uuid::from_u128(number))
    }

    fn frame(image: &[u8], offset_ms: u32) -> v1::Frame {
        v1::Frame { image: image.to_vec(), offset_ms, ..Default::default() }
    }

    #[test]
    fn equal_bytes_are_one_frame_whenever_they_are_sent() {
        let [a, b, c] = [frame(b"one", 0), frame(b"two", 100), frame(b"one", 200)];
        let found = hashes(&key(1), tenant(1), &[a.clone(), b, c]);
        assert_eq!((found[0] == found[2], found[0] == found[1]), (true, false));
        assert_eq!(hashes(&key(1), tenant(1), &[a])[0], found[0], "and in another capture");
    }

    #[test]
    fn no_bit_of_a_frame_may_change() {
        let of = |image: &[u8]| hashes(&key(1), tenant(1), &[frame(image, 0)])[0];
        let image = *b"a frame of 27 bytes, say...";
        for bit in 0..image.len() * 8 {
            let mut changed = image;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(of(&changed), of(&image), "bit {bit}");
        }
    }

    #[test]
    fn another_tenant_and_another_secret_give_other_hashes() {
        let of = |byte, number| hashes(&key(byte), tenant(number), &[frame(b"one", 0)])[0];
        assert!(of(1, 1) != of(1, 2) && of(1, 1) != of(2, 1));
        let plain = key(1).mac(b"one");
        assert_ne!(of(1, 1).0, plain[..16], "nor is it the secret's own MAC of the frame");
    }
}
