//! What a test needs and may not find: it then says so in the words that `cargo xtask test` counts, and passes over.

use crate::{
    cluster::{Cluster, Options},
    database, places, softhsm,
};
use anyhow::{Result, bail};
use std::env;

/// The value, or `None` after saying `skipped: <test>: <why>`.
#[expect(clippy::print_stdout, reason = "the runner counts this line")]
pub fn or_skip<T>(test: &str, found: Result<T>) -> Option<T> {
    found.map_err(|why| println!("skipped: {test}: {why}")).ok()
}

/// Set to [`SERVERS`], clusters keep their database on a Postgres server and their keys on SoftHSM tokens.
pub const ON: &str = "COUNTERSIGN_E2E_ON";
/// See [`ON`].
pub const SERVERS: &str = "postgres+softhsm";

/// Options of a cluster on the named pack where programs, pack, ONNX Runtime and portraits are all there, and what
/// [`ON`] asks for.
pub fn options(test: &str, pack: &str) -> Option<Options> {
    let all = || -> Result<Options> {
        for program in ["countersign", "countersign-gateway", "countersign-worker"] {
            places::program(program)?;
        }
        places::onnxruntime()?;
        for portrait in ["obama.jpg", "obama2.jpg", "biden.jpg"] {
            places::portrait(portrait)?;
        }
        let options = Options::new(places::pack(pack)?);
        match env::var(ON).as_deref() {
            Err(_) => Ok(options),
            Ok(SERVERS) => {
                database::possible()?;
                softhsm::module()?;
                Ok(Options { on_tokens: true, on_server: true, ..options })
            }
            Ok(_) => bail!("{ON} is {SERVERS} or not set"),
        }
    };
    or_skip(test, all())
}

/// A running cluster of one worker on the named pack.
///
/// # Errors
/// Where all is there and the cluster does not start: that is a failure and no skip.
pub fn cluster(test: &str, pack: &str) -> Result<Option<Cluster>> {
    options(test, pack).map(Cluster::start).transpose()
}
