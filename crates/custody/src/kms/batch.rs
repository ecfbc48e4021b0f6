//! Many keys of one tenant wrapped anew, each open only in here and only for that moment.
//!
//! Where the provider keeps KEKs in files, each version is read once a batch instead of twice for each key. Must never know: what
//! the keys are for. Invariant: what is held ends with the batch, which lasts one call: a version that another process destroys
//! meanwhile is of use no longer than that.

use super::Kms;
use crate::{CustodyError, KekRef, file::wrapping, provider::Provider};
use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
};
use zeroize::Zeroizing;

/// By version; `None` where the provider gives no key out of its hands. Boxed, so that a map that grows leaves no copy behind.
type Held = HashMap<u32, Option<Box<Zeroizing<[u8; 32]>>>>;

/// See the module.
pub struct Batch<'k> {
    kms: &'k Kms,
    tenant: &'k str,
    held: Held,
}

/// The KEK version that wraps a key, and the associated data.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The version.
    pub version: u32,
    /// What the wrap binds.
    pub aad: &'a [u8],
}

impl<'k> Batch<'k> {
    pub(super) fn new(kms: &'k Kms, tenant: &'k str) -> Self {
        Self { kms, tenant, held: HashMap::new() }
    }

    /// Opens what [`Kms::wrap`] wrapped for one place and wraps it for another.
    ///
    /// # Errors
    /// As [`Kms::unwrap`] and [`Kms::wrap`].
    pub fn rewrap(&mut self, from: Place<'_>, wrapped: &[u8], to: Place<'_>) -> Result<Vec<u8>, CustodyError> {
        let kek = |version| KekRef { tenant: self.tenant, version };
        let (old, new, held) = (kek(from.version), kek(to.version), &mut self.held);
        let opened = self.kms.unwrap_by(old, (wrapped, from.aad), |provider, wrapped, aad| {
            match hold(held, provider, old)? {
                Some(key) => wrapping::unwrap(key, wrapped, aad),
                None => provider.unwrap(old, wrapped, aad),
            }
        })?;
        self.kms.wrap_by(new, to.aad, |provider, aad| match hold(held, provider, new)? {
            Some(key) => wrapping::wrap(key, &opened, aad),
            None => provider.wrap(new, &opened, aad),
        })
    }
}

/// The key of a version, read with its first use.
fn hold<'h>(
    held: &'h mut Held,
    provider: &dyn Provider,
    kek: KekRef<'_>,
) -> Result<Option<&'h [u8; 32]>, CustodyError> {
    let held = match held.entry(kek.version) {
        Entry::Occupied(held) => held.into_mut(),
        Entry::Vacant(place) => place.insert(provider.held(kek)?.map(Box::new)),
    };
    Ok(held.as_ref().map(|key| &***key))
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({})", self.tenant)
    }
}
