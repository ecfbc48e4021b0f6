//! `countersign keys init|certificates`: everything that two processes need before they meet, made once.
//!
//! Owns the layout of a key directory. Invariants: no key is ever overwritten; the root's key signs the key sets here and
//! belongs to neither process; receipts, test receipts and ledger have each an issuer and a key of their own.

use crate::{certificates, outcome::Outcome};
use anyhow::{Context as _, ensure};
use custody::{FileKms, SecretFile, Signer};
use receipt::KeySet;
use service::Clock;
use std::{
    convert::Infallible,
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

/// Make keys, signed key sets and certificates.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Keys {
    /// Make root, receipt, test receipt and ledger keys, MAC secrets and the signed public key sets.
    ///
    /// DIR/root belongs offline; DIR/worker goes to workers alone, DIR/gateway to gateways alone, DIR/public to both.
    Init {
        /// Directory to make; must not exist or be empty.
        dir: PathBuf,
        /// Public base address of the deployment, such as `https://verify.example.com`; issuers are below it.
        #[arg(long, value_name = "URL")]
        public_url: String,
    },
    /// Make a private authority and certificates for the public port, the gateway and the workers.
    ///
    /// The authority's key is not kept: a further certificate needs a new authority.
    Certificates {
        /// Directory to write into.
        dir: PathBuf,
        /// DNS name or IP address under which callers reach the gateway; repeatable.
        #[arg(long, value_name = "NAME", default_values = ["localhost", "127.0.0.1"])]
        public_name: Vec<String>,
        /// Name of the gateway towards workers.
        #[arg(long, value_name = "NAME", default_value = GATEWAY)]
        gateway_name: String,
        /// Name that every worker's certificate carries.
        #[arg(long, value_name = "NAME", default_value = WORKER)]
        worker_name: String,
    },
}

/// Name of a gateway towards workers, unless stated.
pub(crate) const GATEWAY: &str = "gateway.countersign.internal";
/// Name that workers' certificates carry, unless stated.
pub(crate) const WORKER: &str = "worker.countersign.internal";

impl Keys {
    /// Makes what was asked for and prints what a relying party pins.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Self::Init { dir, public_url } => {
                let issuers = Issuers::below(&public_url)?;
                let root = init(&dir, &issuers, Clock::system().now_ms() / 1000)?;
                println!("root thumbprint  {root}");
                println!("receipts         {}", issuers.receipts);
                println!("test receipts    {}", issuers.test_receipts);
                println!("ledger           {}", issuers.ledger);
                println!("move {} offline; it signs key sets and nothing else", dir.join("root").display());
            }
            Self::Certificates { dir, public_name, gateway_name, worker_name } => {
                let public: Vec<&str> = public_name.iter().map(String::as_str).collect();
                let names = certificates::Names { public: &public, gateway: &gateway_name, worker: &worker_name };
                certificates::make(&dir, &names)?;
                println!("certificates     {}", dir.display());
            }
        }
        Ok(Outcome::Done)
    }
}

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
    pub(crate) fn below(public_url: &str) -> anyhow::Result<Self> {
        let host = public_url.strip_prefix("https://").unwrap_or_default();
        // The log is named after the ledger's issuer, and names in signed notes have no plus.
        let sound = !host.is_empty() && !host.ends_with('/') && host.chars().all(|c| c.is_ascii_graphic() && c != '+');
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
/// Where the directory holds something already, or a file cannot be written.
pub(crate) fn init(dir: &Path, issuers: &Issuers, now_s: i64) -> anyhow::Result<String> {
    if let Ok(mut entries) = fs::read_dir(dir) {
        ensure!(entries.next().is_none(), "{} holds something already; keys are never overwritten", dir.display());
    }
    for name in ["root", "worker", "gateway", "public"] {
        let path = dir.join(name);
        DirBuilder::new().recursive(true).mode(0o700).create(&path).with_context(|| cannot_write(&path))?;
    }
    let root = Signer::create(dir.join("root/root.pem"))?;
    let receipts = Signer::create(dir.join("worker/receipt.pem"))?;
    let test_receipts = Signer::create(dir.join("worker/test-receipt.pem"))?;
    FileKms::create(dir.join("worker/keks"))?;
    let ledger = Signer::create(dir.join("gateway/ledger.pem"))?;
    SecretFile::create(dir.join("gateway/pepper"))?;
    SecretFile::create(dir.join("gateway/capture.key"))?;
    let sets = [
        ("jwks.json", &issuers.receipts, &receipts),
        ("test-jwks.json", &issuers.test_receipts, &test_receipts),
        ("ledger-jwks.json", &issuers.ledger, &ledger),
    ];
    for (name, iss, signer) in sets {
        let set = KeySet { iss, iat: now_s, keys: &[signer.public()], root: root.public() };
        let document = receipt::jwks_document(&set, |message| Ok::<_, Infallible>(root.sign(message)))?;
        write_public(&dir.join("public").join(name), &document)?;
    }
    let thumbprint = receipt::thumbprint(&root.public());
    write_public(&dir.join("public/root.thumbprint"), &format!("{thumbprint}\n"))?;
    Ok(thumbprint)
}

fn write_public(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| cannot_write(path))
}

fn cannot_write(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use receipt::{Pin, TrustedKeys};

    #[test]
    fn key_sets_are_trusted_under_the_root_and_each_under_its_own_issuer() {
        let folder = tempfile::tempdir().unwrap();
        let issuers = Issuers::below("https://countersign.test").unwrap();
        let dir = folder.path().join("keys");
        let root = init(&dir, &issuers, 1_800_000_000).unwrap();
        let read = |name: &str| fs::read_to_string(dir.join("public").join(name)).unwrap();
        assert_eq!(read("root.thumbprint").trim(), root);
        let trusted = |name: &str, issuer: &str| {
            TrustedKeys::from_document(&read(name), Pin { issuer, root_thumbprint: &root }).is_ok()
        };
        assert!(trusted("jwks.json", &issuers.receipts));
        assert!(trusted("test-jwks.json", &issuers.test_receipts));
        assert!(trusted("ledger-jwks.json", &issuers.ledger));
        assert!(!trusted("ledger-jwks.json", &issuers.receipts), "the ledger cannot pass for receipts");
        assert!(!trusted("test-jwks.json", &issuers.receipts));
        assert!(FileKms::open(dir.join("worker/keks")).is_ok());
        assert!(init(&dir, &issuers, 1_800_000_000).is_err(), "keys are never overwritten");
    }

    #[test]
    fn issuers_stand_below_an_https_address_alone() {
        for bad in ["", "http://x", "https://", "https://x/", "https://x y"] {
            assert!(Issuers::below(bad).is_err(), "{bad}");
        }
        assert_eq!(Issuers::below("https://x").unwrap().ledger, "https://x/ledger");
    }
}
