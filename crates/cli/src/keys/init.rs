//! `countersign keys init`: a key directory, made once.
//!
//! Invariants: receipts, test receipts and ledger have each an issuer and a key of their own; a provider that holds a key of a
//! use already is refused.

use super::place::{Place, Providers, SETTINGS, cannot_write, part};
use anyhow::{Context as _, Result, ensure};
use custody::{KeyUse, Kms, SecretFile};
use service::{Clock, config};
use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

/// The three issuers of a deployment.
#[derive(Debug, Clone)]
pub(crate) struct Issuers {
    /// Receipts of production tenants.
    pub(crate) receipts: String,
    /// Receipts of test tenants.
    pub(crate) test_receipts: String,
    /// Deletion proofs.
    pub(crate) ledger: String,
}

impl Issuers {
    /// The issuers below a public base address.
    ///
    /// # Errors
    /// Where the address is not `https://` with a host, or ends in a slash.
    pub(crate) fn below(public_url: &str) -> Result<Self> {
        let host = public_url.strip_prefix("https://").unwrap_or_default();
        // The log is named after the ledger's issuer, and names in signed notes have no plus.
        let is_allowed = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '+');
        let sound = !host.is_empty() && !host.ends_with('/') && host.chars().all(is_allowed);
        ensure!(sound, "{public_url}: not an https address without a trailing slash and without a plus");
        Ok(Self {
            receipts: format!("{public_url}/receipts"),
            test_receipts: format!("{public_url}/test-receipts"),
            ledger: format!("{public_url}/ledger"),
        })
    }
}

/// Fills a new key directory and returns the root's thumbprint.
///
/// # Errors
/// Where the directory or a provider holds something already, or a file cannot be written.
pub(crate) fn init(dir: &Path, (public_url, providers): (&str, Option<&Path>), clock: Clock) -> Result<String> {
    Issuers::below(public_url)?;
    if let Ok(mut entries) = fs::read_dir(dir) {
        ensure!(entries.next().is_none(), "{} holds something already; keys are never overwritten", dir.display());
    }
    let mut settings = format!(
        "# Where the keys of this deployment live; read by `countersign keys`.\npublic_url = \"{public_url}\"\n"
    );
    if let Some(path) = providers {
        config::load::<Providers>(path)?;
        settings.push_str(&fs::read_to_string(path)?);
    }
    make_dir(dir)?;
    make_dir(&dir.join("public"))?;
    make_dir(&dir.join("gateway"))?;
    fs::write(dir.join(SETTINGS), settings).with_context(|| cannot_write(&dir.join(SETTINGS)))?;
    let place = Place::open(dir, clock)?;
    for used in [KeyUse::Root, KeyUse::Receipt, KeyUse::TestReceipt, KeyUse::Ledger] {
        make_key(&place, used)?;
    }
    SecretFile::create(dir.join("gateway/pepper"))?;
    SecretFile::create(dir.join("gateway/capture.key"))?;
    place.publish()
}

fn make_key(place: &Place, used: KeyUse) -> Result<()> {
    let path = place.dir.join(part(used));
    if place.elsewhere(used).is_none() && !path.exists() {
        make_dir(&path)?;
    }
    if place.elsewhere(used).is_none() && used == KeyUse::Receipt {
        Kms::make_room_for_keks(&path)?;
    }
    let kms = place.kms(used)?;
    let found = kms.signing_keys(used).with_context(|| format!("the {used} key"))?;
    ensure!(
        found.is_empty(),
        "the provider of {} holds a {used} key already; `keys rotate` makes the next version",
        part(used)
    );
    kms.make_signing_key(used).with_context(|| format!("the {used} key"))?;
    Ok(())
}

fn make_dir(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| cannot_write(path))
}
