//! The contract on SQLite, and what only SQLite has: files, a write-ahead log, older releases.

mod backup;
mod checkpoint;
#[path = "../contract/mod.rs"]
mod contract;
mod files;
mod group;
mod plans;
mod power_cut;

use crate::tests::fixture::*;

const ENGINE: Engine = Engine::Sqlite;

/// The database and its write-ahead log.
fn files(f: &Fixture) -> [std::path::PathBuf; 2] {
    let Home::Sqlite(folder) = &f.home else { panic!("another engine") };
    folder.files()
}
