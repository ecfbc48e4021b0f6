//! The contract on Postgres, and what only Postgres has: roles, row-level security, a network.

mod access;
#[path = "../contract/mod.rs"]
mod contract;
mod copying;
mod isolation;
mod network;
mod outages;

use crate::tests::fixture::*;

const ENGINE: Engine = Engine::Postgres;
