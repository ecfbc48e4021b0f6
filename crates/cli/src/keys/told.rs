//! What audit and log are told of an operator's change to a signing key.
//!
//! Must never know: key bytes. Invariant: where they are told, the change is noted as intended before the provider is asked; one
//! that came true and was not told, as its command died, is told by the next one about a key of that use.

use super::place::Place;
use crate::operator::CONFIG;
use anyhow::{Context as _, Result};
use custody::{KeyState, KeyUse};
use gateway::desk::Desk;
use service::config;
use std::path::PathBuf;
use store::KeyStatement;
use tokio::runtime::Runtime;

/// Where audit and log are.
#[derive(Debug, clap::Args)]
pub(crate) struct Told {
    /// Settings of the gateway, whose audit and log are told.
    #[arg(long, env = CONFIG, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Tell neither: the database is out of reach from here.
    #[arg(long)]
    untold: bool,
}

impl Told {
    /// Does `work`, and has audit and log told of what came true.
    pub(super) fn of(
        &self,
        (place, used): (&Place, KeyUse),
        statements: &[KeyStatement],
        work: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        if self.untold {
            work()?;
            println!("neither audit nor log are told");
            return Ok(());
        }
        let config = self.config.as_ref().context("--config names the gateway whose log is told; or say --untold")?;
        let (runtime, config) = (Runtime::new().context("async runtime")?, config::load(config)?);
        let desk = runtime.block_on(async {
            let desk = Desk::open(&config).await?;
            for statement in statements {
                desk.intend(statement).await?;
            }
            anyhow::Ok(desk)
        })?;
        // A provider may have a runtime of its own: it is asked outside of ours.
        work()?;
        for statement in runtime.block_on(desk.intended())? {
            if came_true(place, used, &statement)? && runtime.block_on(desk.state(&statement))? {
                println!("audit and log are told of {}", statement.subject());
            }
        }
        runtime.block_on(desk.close());
        Ok(())
    }
}

/// What the destruction of these versions would have told.
pub(super) fn destruction(place: &Place, (used, version): (KeyUse, u32)) -> Result<Vec<KeyStatement>> {
    let going = place.states(used)?.into_iter().filter(|(key, _)| key.version <= version);
    let statement = |kid| KeyStatement::Destroyed { r#use: named(used), kid };
    Ok(going.map(|(key, _)| statement(receipt::thumbprint(&key.public))).collect())
}

/// What the retirement of these roots would have told: something where another signs from then on.
pub(super) fn retirement(place: &Place, version: u32) -> Result<Vec<KeyStatement>> {
    let roots = place.states(KeyUse::Root)?;
    let ends = roots.iter().find(|(key, state)| *state == KeyState::Signing && key.version <= version);
    let next = roots.iter().find(|(key, state)| *state != KeyState::Retired && key.version > version);
    let (Some((from, _)), Some((to, _))) = (ends, next) else { return Ok(Vec::new()) };
    let (from, to) = (receipt::thumbprint(&from.public), receipt::thumbprint(&to.public));
    Ok(vec![KeyStatement::RootRotated { from, to }])
}

/// Whether a statement about a key of this use is true by now.
fn came_true(place: &Place, used: KeyUse, statement: &KeyStatement) -> Result<bool> {
    let keys = place.states(used)?;
    let kid = |(key, _): &(custody::SigningVersion, KeyState)| receipt::thumbprint(&key.public);
    Ok(match statement {
        KeyStatement::Destroyed { r#use, kid: gone } => {
            *r#use == named(used) && keys.iter().all(|key| kid(key) != *gone)
        }
        KeyStatement::RootRotated { to, .. } => {
            used == KeyUse::Root && keys.iter().any(|key| key.1 == KeyState::Signing && kid(key) == *to)
        }
    })
}

/// As the log names it.
const fn named(used: KeyUse) -> receipt::KeyUse {
    match used {
        KeyUse::Receipt => receipt::KeyUse::Receipts,
        KeyUse::TestReceipt => receipt::KeyUse::TestReceipts,
        KeyUse::Ledger => receipt::KeyUse::Ledger,
        KeyUse::Root => receipt::KeyUse::Root,
    }
}
