//! A credential that was refused, remembered so that it is not sent again: tokens lock after a few wrong PINs, key services after
//! a few wrong logins.
//!
//! Must never know: the credential itself; a MAC under a key of this process stands for it. Invariant: another credential is tried.

use crate::{CustodyError, file::files};
use ring::hmac;

/// See the module.
pub(crate) struct Refused {
    key: hmac::Key,
    print: Option<hmac::Tag>,
}

impl Refused {
    pub(crate) fn none() -> Result<Self, CustodyError> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*files::random::<32>()?);
        Ok(Self { key, print: None })
    }

    pub(crate) fn was(&self, credential: &[u8]) -> bool {
        self.print.is_some_and(|print| hmac::verify(&self.key, credential, print.as_ref()).is_ok())
    }

    pub(crate) fn remember(&mut self, credential: &[u8]) {
        self.print = Some(hmac::sign(&self.key, credential));
    }

    pub(crate) fn forget(&mut self) {
        self.print = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_known_until_another_is_taken() {
        let mut refused = Refused::none().unwrap();
        assert!(!refused.was(b"1234"));
        refused.remember(b"1234");
        assert!(refused.was(b"1234") && !refused.was(b"12345") && !refused.was(b""));
        refused.forget();
        assert!(!refused.was(b"1234"));
    }
}
