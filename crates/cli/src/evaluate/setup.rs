//! What every evaluation on drawn people runs with: a pack, ONNX Runtime, a seed, threads, and where its figures go.
//!
//! Must never know: what is evaluated. Invariant: the seed alone decides what is drawn, never the number of threads.

use super::crew::{self, Crew};
use anyhow::{Context, Result};
use serde_json::Value;
use std::{fs, path::PathBuf};
use vision::{Pack, Runtime};

/// Options that such evaluations share.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Setup {
    /// Directory of the model pack.
    #[arg(long, env = "COUNTERSIGN_PACK")]
    pub(super) pack: PathBuf,
    /// ONNX Runtime's shared library.
    #[arg(long, env = "COUNTERSIGN_ONNXRUNTIME")]
    pub(super) onnxruntime: PathBuf,
    /// Draws people and everything else that is drawn.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Threads, each with an engine of its own; 0 takes one per core.
    #[arg(long, default_value_t = 0)]
    pub(super) threads: usize,
    /// Write the figures to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
}

/// Models and runtime as the options name them.
pub(super) struct Ready {
    /// The pack.
    pub(super) pack: Pack,
    runtime: Runtime,
    threads: usize,
}

impl Setup {
    /// Opens the pack and loads ONNX Runtime.
    pub(super) fn ready(&self) -> Result<Ready> {
        let (pack, runtime) = (Pack::open(&self.pack)?, Runtime::load(&self.onnxruntime)?);
        Ok(Ready { pack, runtime, threads: crew::threads(self.threads) })
    }

    /// Writes the figures where they were asked for.
    pub(super) fn write(&self, figures: &Value) -> Result<()> {
        let Some(path) = &self.json else { return Ok(()) };
        fs::write(path, format!("{figures:#}\n")).with_context(|| format!("{} cannot be written", path.display()))
    }
}

impl Ready {
    /// Threads with an engine each.
    pub(super) const fn crew(&self, detectors: bool) -> Crew<'_> {
        Crew { pack: &self.pack, runtime: &self.runtime, threads: self.threads, detectors }
    }
}

#[cfg(test)]
impl Setup {
    /// For tests that bring a pack and a runtime of their own.
    pub(super) const fn seeded(seed: u64) -> Self {
        Self { pack: PathBuf::new(), onnxruntime: PathBuf::new(), seed, threads: 1, json: None }
    }
}
