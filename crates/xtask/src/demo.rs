//! `cargo xtask demo`: builds, makes the model pack, and runs the demonstration of the `tests` crate on a real cluster.

use crate::{command::Tool, places, prepare, tally::Tally};
use anyhow::Result;

/// What the demonstration may be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Leave the cluster running until Ctrl-C and print how to reach it.
    #[arg(long)]
    keep: bool,
    /// `base` or `standard`; the best one that can be made here when absent.
    #[arg(long)]
    pack: Option<String>,
}

/// Runs the demonstration; the last line is `demo: N of N checks passed`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let packs = prepare::packs(&mut Tally::default())?;
    prepare::programs()?;
    let best = packs.last().copied().unwrap_or("base");
    let pack = options.pack.as_deref().unwrap_or(best);
    let mut demo = Tool::new(places::target().join("debug/demo")).args(["--pack", pack]);
    if options.keep {
        demo = demo.arg("--keep");
    }
    demo.run()
}
