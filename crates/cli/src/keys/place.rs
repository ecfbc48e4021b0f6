//! A key directory: `keys.toml`, which says where the keys live, and `public/`, the key sets signed by the root.
//!
//! Must never know: key bytes. Invariant: a key set holds every version that is not destroyed, the signing one first.

use super::init::Issuers;
use anyhow::{Context as _, Result};
use custody::{KeyState, KeyUse, Kms, KmsConfig, Signer, SigningVersion, states};
use receipt::KeySet;
use serde::Deserialize;
use service::{Clock, config};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Name of the file.
pub(super) const SETTINGS: &str = "keys.toml";

/// Which providers keep the keys of the three parts; files below the directory where none is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Providers {
    root: Option<KmsConfig>,
    worker: Option<KmsConfig>,
    gateway: Option<KmsConfig>,
}

/// `keys.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    public_url: String,
    root: Option<KmsConfig>,
    worker: Option<KmsConfig>,
    gateway: Option<KmsConfig>,
}

/// See the module.
pub(super) struct Place {
    pub(super) dir: PathBuf,
    pub(super) clock: Clock,
    pub(super) issuers: Issuers,
    providers: Providers,
}

impl Place {
    /// Opens a directory that `keys init` made. Providers are opened when they are used.
    pub(super) fn open(dir: &Path, clock: Clock) -> Result<Self> {
        let Settings { public_url, root, worker, gateway } = config::load(dir.join(SETTINGS)).with_context(|| {
            format!(
                "{}: not a key directory; one of an earlier release needs a {SETTINGS} that states public_url",
                dir.display()
            )
        })?;
        let providers = Providers { root, worker, gateway };
        Ok(Self { dir: dir.to_owned(), clock, issuers: Issuers::below(&public_url)?, providers })
    }

    /// Where the keys of one use live; `None` for files below the directory.
    pub(super) const fn elsewhere(&self, used: KeyUse) -> Option<&KmsConfig> {
        match used {
            KeyUse::Receipt | KeyUse::TestReceipt => self.providers.worker.as_ref(),
            KeyUse::Ledger => self.providers.gateway.as_ref(),
            KeyUse::Root => self.providers.root.as_ref(),
        }
    }

    /// The provider of one use.
    pub(super) fn kms(&self, used: KeyUse) -> Result<Kms> {
        let part = part(used);
        let files = KmsConfig::File { directory: self.dir.join(part) };
        let config = self.elsewhere(used).unwrap_or(&files);
        Kms::open(config, self.clock.clone()).with_context(|| format!("the key provider of {part}"))
    }

    /// The versions of one use with their states, oldest first.
    pub(super) fn states(&self, used: KeyUse) -> Result<Vec<(SigningVersion, KeyState)>> {
        let keys = self.kms(used)?.signing_keys(used).with_context(|| format!("the {used} key"))?;
        Ok(states(used, &keys, self.now_s()))
    }

    /// Seconds since 1970.
    pub(super) fn now_s(&self) -> i64 {
        self.clock.now_ms().div_euclid(1000)
    }

    /// Signs the three key sets anew and returns the root's thumbprint.
    pub(super) fn publish(&self) -> Result<String> {
        let signer = Signer::new(self.kms(KeyUse::Root)?, KeyUse::Root);
        let root = signer.key().context("the root key signs key sets")?;
        let sets = [
            ("jwks.json", &self.issuers.receipts, KeyUse::Receipt),
            ("test-jwks.json", &self.issuers.test_receipts, KeyUse::TestReceipt),
            ("ledger-jwks.json", &self.issuers.ledger, KeyUse::Ledger),
        ];
        for (name, iss, used) in sets {
            let keys = in_order(self.states(used)?);
            let set = KeySet { iss, iat: self.now_s(), keys: &keys, root: root.public };
            let document = receipt::jwks_document(&set, |message| signer.sign(&root, message))
                .with_context(|| format!("the key set of {used}"))?;
            write_public(&self.dir.join("public").join(name), &document)?;
        }
        let thumbprint = receipt::thumbprint(&root.public);
        write_public(&self.dir.join("public/root.thumbprint"), &format!("{thumbprint}\n"))?;
        Ok(thumbprint)
    }
}

/// The directory of a part's keys, where they are files.
pub(super) const fn part(used: KeyUse) -> &'static str {
    match used {
        KeyUse::Receipt | KeyUse::TestReceipt => "worker",
        KeyUse::Ledger => "gateway",
        KeyUse::Root => "root",
    }
}

/// The signing key first, then newest to oldest.
fn in_order(mut states: Vec<(SigningVersion, KeyState)>) -> Vec<[u8; 32]> {
    states.sort_by_key(|(key, state)| (*state != KeyState::Signing, std::cmp::Reverse(key.version)));
    states.into_iter().map(|(key, _)| key.public).collect()
}

/// Whole or not at all: a gateway may read it at any moment.
pub(super) fn write_public(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text).and_then(|()| fs::rename(&new, path)).with_context(|| cannot_write(path))
}

/// Why a file is not there.
pub(super) fn cannot_write(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}
