//! What a test needs and may not find: it then says so in the words that `cargo xtask test` counts, and passes over.

use crate::{
    cluster::{Cluster, Options},
    places,
};
use anyhow::Result;

/// The value, or `None` after saying `skipped: <test>: <why>`.
#[expect(clippy::print_stdout, reason = "the runner counts this line")]
pub fn or_skip<T>(test: &str, found: Result<T>) -> Option<T> {
    found.map_err(|why| println!("skipped: {test}: {why}")).ok()
}

/// Options of a cluster on the named pack where programs, pack, ONNX Runtime and portraits are all there.
pub fn options(test: &str, pack: &str) -> Option<Options> {
    let all = || -> Result<Options> {
        for program in ["countersign", "countersign-gateway", "countersign-worker"] {
            places::program(program)?;
        }
        places::onnxruntime()?;
        for portrait in ["obama.jpg", "obama2.jpg", "biden.jpg"] {
            places::portrait(portrait)?;
        }
        Ok(Options::new(places::pack(pack)?))
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
