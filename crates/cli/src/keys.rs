//! `countersign keys`: everything that two processes need before they meet, and what becomes of their keys afterwards.
//!
//! Owns the words of the command. Invariants: no key is ever overwritten; what destroys asks for `--yes`; the root's key signs
//! the key sets here and belongs to neither process.

mod change;
mod init;
mod list;
mod place;
mod told;

pub(crate) use init::{Issuers, init};

use crate::{certificates, outcome::Outcome};
use anyhow::ensure;
use change::Kek;
use custody::KeyUse;
use place::Place;
use service::Clock;
use std::path::PathBuf;
use told::Told;

/// Make, list and rotate keys, signed key sets and certificates.
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
        /// Providers: a TOML file with the tables `[root]`, `[worker]` and `[gateway]`, each as `[kms]` in the settings of a process.
        /// A part that is not named keeps its keys in files below DIR.
        #[arg(long, value_name = "FILE")]
        providers: Option<PathBuf>,
    },
    /// List every signing key: version, state, when it was made, key id.
    List {
        /// The key directory.
        dir: PathBuf,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Make the next version of a signing key and publish it. It signs by itself 24 hours later; a root, once its predecessor is retired.
    Rotate {
        /// The key directory.
        dir: PathBuf,
        /// receipt, test-receipt, ledger or root.
        used: KeyUse,
    },
    /// End signing by a version and all before it, at once and for good; what they signed still verifies. Where another root takes
    /// over, audit and log are told.
    Retire {
        /// The key directory.
        dir: PathBuf,
        /// receipt, test-receipt, ledger or root.
        used: KeyUse,
        /// The last version that signs no more.
        version: u32,
        /// Do it.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        told: Told,
    },
    /// Destroy a version and all before it, and publish key sets without them: nothing that they signed verifies any more. Audit and
    /// log are told.
    Destroy {
        /// The key directory.
        dir: PathBuf,
        /// receipt, test-receipt, ledger or root.
        used: KeyUse,
        /// The last version that goes.
        version: u32,
        /// Do it.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        told: Told,
    },
    /// Sign the public key sets anew.
    Publish {
        /// The key directory.
        dir: PathBuf,
    },
    /// Make a new pepper for API keys; the one before becomes `pepper.previous`.
    Pepper {
        /// The key directory.
        dir: PathBuf,
    },
    /// List, make or destroy a tenant's KEK versions.
    #[command(subcommand)]
    Kek(Kek),
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
    /// Does what was asked for and prints what a relying party pins.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let clock = Clock::system();
        match self {
            Self::Init { dir, public_url, providers } => {
                let issuers = Issuers::below(&public_url)?;
                let root = init(&dir, (&public_url, providers.as_deref()), clock)?;
                println!("root thumbprint  {root}");
                println!("receipts         {}", issuers.receipts);
                println!("test receipts    {}", issuers.test_receipts);
                println!("ledger           {}", issuers.ledger);
                if dir.join("root").exists() {
                    println!("move {} offline; it signs key sets and nothing else", dir.join("root").display());
                }
            }
            Self::List { dir, json } => list::print(&Place::open(&dir, clock)?, json)?,
            Self::Rotate { dir, used } => change::rotate(&Place::open(&dir, clock)?, used)?,
            Self::Retire { dir, used, version, yes, told } => {
                sure(yes, "a retired version signs no more")?;
                let place = Place::open(&dir, clock)?;
                let retire = || change::retire(&place, (used, version));
                if used == KeyUse::Root {
                    let statements = told::retirement(&place, version)?;
                    told.of((&place, used), &statements, retire)?;
                } else {
                    retire()?;
                }
            }
            Self::Destroy { dir, used, version, yes, told } => {
                sure(yes, "nothing that a destroyed version signed verifies any more")?;
                let place = Place::open(&dir, clock)?;
                let statements = told::destruction(&place, (used, version))?;
                told.of((&place, used), &statements, || change::destroy(&place, (used, version)))?;
            }
            Self::Publish { dir } => change::publish(&Place::open(&dir, clock)?)?,
            Self::Pepper { dir } => change::pepper(&dir)?,
            Self::Kek(kek) => kek.run(clock)?,
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

/// Refuses what cannot be undone unless it was asked for twice.
fn sure(yes: bool, consequence: &str) -> anyhow::Result<()> {
    ensure!(yes, "this cannot be undone: {consequence}; add --yes");
    Ok(())
}

#[cfg(test)]
mod tests;
