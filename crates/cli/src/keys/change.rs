//! `countersign keys rotate|retire|destroy|publish|pepper|kek`: what becomes of keys after they were made.
//!
//! Invariant: a new version is published by the command that makes it; the root is asked first, so that none stays unpublished.

use super::{list, place::Place, sure};
use anyhow::{Context as _, Result, ensure};
use custody::{KekRef, KeyUse, PUBLISH_S, SecretFile};
use service::Clock;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// List, make or destroy a tenant's KEK versions.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Kek {
    /// List a tenant's versions with state, creation time and a bound of their uses.
    List {
        /// The key directory.
        dir: PathBuf,
        /// `tn_…`
        tenant: String,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Make a tenant's next version. What it wrapped before stays under the old one until it is wrapped anew.
    Make {
        /// The key directory.
        dir: PathBuf,
        /// `tn_…`
        tenant: String,
    },
    /// Destroy a version: what it wrapped never opens again.
    Destroy {
        /// The key directory.
        dir: PathBuf,
        /// `tn_…`
        tenant: String,
        /// The version.
        version: u32,
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
}

impl Kek {
    /// Does what was asked for at the workers' provider.
    pub(super) fn run(self, clock: Clock) -> Result<()> {
        let (Self::List { dir, .. } | Self::Make { dir, .. } | Self::Destroy { dir, .. }) = &self;
        let kms = Place::open(dir, clock)?.kms(KeyUse::Receipt)?;
        match self {
            Self::List { tenant, json, .. } => list::print_keks(&kms.keks(&tenant)?, json)?,
            Self::Make { tenant, .. } => println!("{}", kms.make_kek(&tenant)?),
            Self::Destroy { tenant, version, yes, .. } => {
                sure(yes, "what this version wrapped never opens again")?;
                let gone = kms.destroy_kek(KekRef { tenant: &tenant, version })?;
                println!(
                    "version {} of {} at {}, destroyed {}, read back as gone {}",
                    gone.version,
                    gone.tenant,
                    gone.provider,
                    crate::table::instant(gone.destroyed_at_s),
                    crate::table::instant(gone.confirmed_at_s)
                );
            }
        }
        Ok(())
    }
}

/// Makes and publishes the next version.
pub(super) fn rotate(place: &Place, used: KeyUse) -> Result<()> {
    let found = place.states(used)?;
    ensure!(!found.is_empty(), "there is no {used} key to rotate");
    place.publish().context("before a new version was made")?;
    let made = place.kms(used)?.make_signing_key(used)?;
    place.publish()?;
    println!("{used} version {}, kid {}", made.version, receipt::thumbprint(&made.public));
    match used {
        KeyUse::Root => {
            println!(
                "tell every relying party the new thumbprint; the new root signs key sets once version {} is retired",
                made.version - 1
            );
        }
        _ => {
            println!(
                "lay out {} now; it signs from {}",
                place.dir.join("public").display(),
                crate::table::instant(made.made_at_s + PUBLISH_S)
            );
        }
    }
    Ok(())
}

/// Retires versions and publishes the same keys in their new order.
pub(super) fn retire(place: &Place, (used, version): (KeyUse, u32)) -> Result<()> {
    place.kms(used)?.retire_signing_keys(used, version)?;
    println!("{used} version {version} and all before it sign no more");
    place.publish().map(drop)
}

/// Destroys versions and publishes key sets without them.
pub(super) fn destroy(place: &Place, (used, version): (KeyUse, u32)) -> Result<()> {
    place.kms(used)?.destroy_signing_keys(used, version)?;
    println!("{used} version {version} and all before it are destroyed");
    publish(place)
}

/// Signs the key sets anew.
pub(super) fn publish(place: &Place) -> Result<()> {
    let root = place.publish()?;
    println!("lay out {} on every gateway; root thumbprint {root}", place.dir.join("public").display());
    Ok(())
}

/// Makes a new pepper beside the old one.
pub(super) fn pepper(dir: &Path) -> Result<()> {
    let (current, previous) = (dir.join("gateway/pepper"), dir.join("gateway/pepper.previous"));
    ensure!(!previous.exists(), "{} is there: remove it once no API key stands under it any more", previous.display());
    let next = dir.join("gateway/pepper.next");
    if !next.exists() {
        SecretFile::create(&next)?;
    }
    SecretFile::open(&next)?;
    // A crash in between leaves `pepper.next`, and the same command goes on from there.
    fs::hard_link(&current, &previous)
        .and_then(|()| fs::rename(&next, &current))
        .with_context(|| current.display().to_string())?;
    println!("set previous_pepper = \"{}\" in [keys] of every gateway and restart them", previous.display());
    Ok(())
}
