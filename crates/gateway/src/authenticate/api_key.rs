//! API keys of a tenant's backend: `cs_live_<id>_<secret>`, `cs_test_<id>_<secret>`.
//!
//! Owns their form and their MAC. Must never know: the database. Invariant: what is stored of a key, its id and its MAC
//! under the pepper, does not give the key back.

use super::mac::{MAC_BYTES, MacKey, Peppers};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;

const LIVE: &str = "cs_live_";
const TEST: &str = "cs_test_";
/// Hexadecimal digits of a key id.
const ID_CHARS: usize = 16;
/// Characters of 32 random bytes in base64url.
const SECRET_CHARS: usize = 43;

/// An API key as a caller presents it, well formed and not yet believed.
pub(crate) struct Presented<'a> {
    /// The public part, 16 hexadecimal digits.
    pub(crate) key_id: &'a str,
    whole: &'a str,
}

impl<'a> Presented<'a> {
    /// Reads a key; `None` where it has not the form of one.
    pub(crate) fn read(whole: &'a str) -> Option<Self> {
        let rest = whole.strip_prefix(LIVE).or_else(|| whole.strip_prefix(TEST))?;
        let (key_id, secret) = (rest.get(..ID_CHARS)?, rest.get(ID_CHARS..)?.strip_prefix('_')?);
        let hexadecimal = key_id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (hexadecimal && secret.len() == SECRET_CHARS).then_some(Self { key_id, whole })
    }

    /// Whether the stored `mac` is this key's. Without one the same work is done and the answer is no.
    pub(crate) fn proves(&self, peppers: &Peppers, mac: Option<&[u8; MAC_BYTES]>) -> bool {
        let genuine = peppers.verify(self.whole.as_bytes(), mac.unwrap_or(&[0; MAC_BYTES]));
        genuine && mac.is_some()
    }
}

/// A new API key. The text is shown once; the rest is stored.
pub(crate) struct Made {
    /// The public part, 16 hexadecimal digits.
    pub(crate) key_id: String,
    /// MAC of the whole key under the pepper.
    pub(crate) mac: [u8; MAC_BYTES],
    /// The key itself.
    pub(crate) text: SecretString,
}

/// Makes a key for a production or test tenant; `None` when the system gives no randomness.
pub(crate) fn make(test: bool, pepper: &MacKey) -> Option<Made> {
    let (mut id, mut secret) = ([0; ID_CHARS / 2], [0; 32]);
    let random = SystemRandom::new();
    random.fill(&mut id).and_then(|()| random.fill(&mut secret)).ok()?;
    let key_id = hex::encode(id);
    let whole = format!("{}{key_id}_{}", if test { TEST } else { LIVE }, URL_SAFE_NO_PAD.encode(secret));
    Some(Made { mac: pepper.mac(whole.as_bytes()), key_id, text: whole.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::{ExposeSecret as _, SecretBox};

    fn key(byte: u8) -> MacKey {
        MacKey::new(&SecretBox::new(Box::new([byte; 32])))
    }

    fn pepper(byte: u8) -> Peppers {
        Peppers::of(key(byte))
    }

    #[test]
    fn a_made_key_reads_back_and_proves_itself() {
        for test in [true, false] {
            let made = make(test, &key(1)).unwrap();
            let presented = Presented::read(made.text.expose_secret()).unwrap();
            assert_eq!(presented.key_id, made.key_id);
            assert_eq!(made.text.expose_secret().starts_with(TEST), test);
            assert!(presented.proves(&pepper(1), Some(&made.mac)));
            assert!(!presented.proves(&pepper(2), Some(&made.mac)), "another pepper");
            assert!(!presented.proves(&pepper(1), None), "an unknown id");
        }
    }

    #[test]
    fn one_changed_character_is_not_the_key() {
        let made = make(false, &key(1)).unwrap();
        let whole = made.text.expose_secret();
        for at in 0..whole.len() {
            let mut changed = whole.to_owned().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            let proves = Presented::read(&changed).is_some_and(|key| key.proves(&pepper(1), Some(&made.mac)));
            assert!(!proves, "character {at}");
        }
    }

    #[test]
    fn what_has_not_the_form_of_a_key_is_not_looked_up() {
        for bad in ["", "cs_live_", "cs_prod_0123456789abcdef_", "cs_live_0123456789ABCDEF_", "cs_live_é"] {
            let padded = format!("{bad}{}", "A".repeat(43));
            assert!(Presented::read(bad).is_none() && Presented::read(&padded).is_none(), "{bad}");
        }
    }
}
