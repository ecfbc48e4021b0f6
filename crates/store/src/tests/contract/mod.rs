//! What every engine keeps. Compiled once for each: `super::ENGINE` says which.

mod audit;
mod bulk;
mod challenges;
mod deaths;
mod erasure;
mod events;
mod faults;
mod frames;
mod journal;
mod lifecycle;
mod log;
mod opening;
mod outcomes;
mod renewal;
mod rotation;
mod status;
mod strikes;
mod succession;
mod sweep;
mod tenants;

use super::ENGINE;
use crate::tests::fixture::*;

/// A store of its own with one tenant.
async fn fixture() -> Fixture {
    Fixture::on(ENGINE).await
}
