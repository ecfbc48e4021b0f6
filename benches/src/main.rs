//! Side-by-side benches: ratios measured in one run, in interleaved blocks, with the noise of A against A beside them.
//!
//! `cargo xtask bench` builds this in release and runs it. Absolute times on shared machines mean little; ratios of one run do.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its result, and how far it is")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod blocks;
mod books;
mod capture;
mod capture_peers;
mod captures;
mod commits;
mod cpu;
mod frame;
mod memory;
mod peers;
mod references;
mod rewraps;

use anyhow::Result;
use clap::Parser;
use std::path::PathBuf;

/// Benches of the engine, of what a Python team would run instead, and of the store.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

/// What to measure.
#[derive(Debug, clap::Subcommand)]
enum Bench {
    /// One frame, decode to features, against JPEG decode + bare model runs, on one thread.
    Frame(Common),
    /// All five gates over a capture of 8 frames, in CPU time on one core, step by step.
    Capture(Common),
    /// What ONNX Runtime's arena and memory pattern would gain, and what the memory settings cost.
    Memory(Common),
    /// Images per second per core against plain Python + onnxruntime and `face_recognition`.
    Peers(Peers),
    /// All five gates over captures of 8 frames against plain Python + onnxruntime with every model on every frame.
    CapturePeers(Peers),
    /// Durable rows a second of many callers over `fsync`s a second.
    Commits(books::Place),
    /// A verification's transactions beside many references over beside few.
    References(references::Many),
    /// References rewrapped a second by a KEK rotation.
    Rewraps(rewraps::Vault),
}

/// What the benches against Python need.
#[derive(Debug, clap::Args)]
struct Peers {
    #[command(flatten)]
    common: Common,
    /// Folder with the peer scripts (`peer_onnx_pipeline.py`, `peer_face_recognition.py`).
    #[arg(long)]
    reference: PathBuf,
    /// Folder with the peers' model files.
    #[arg(long)]
    models: PathBuf,
    /// Folder with the peers' Python packages.
    #[arg(long)]
    python: PathBuf,
}

impl Peers {
    fn split(self) -> (Common, peers::Places) {
        (self.common, peers::Places { reference: self.reference, models: self.models, python: self.python })
    }
}

/// What every bench needs.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Directory of the model pack.
    #[arg(long)]
    pack: PathBuf,
    /// ONNX Runtime's shared library.
    #[arg(long)]
    onnxruntime: PathBuf,
    /// JPEG files to run on.
    #[arg(long, required = true, num_args = 1..)]
    images: Vec<PathBuf>,
    /// Interleaved blocks.
    #[arg(long, default_value_t = 30)]
    blocks: usize,
}

fn main() -> Result<()> {
    match Arguments::parse().bench {
        Bench::Frame(common) => frame::run(&common),
        Bench::Capture(common) => capture::run(&common),
        Bench::Memory(common) => memory::run(&common),
        Bench::Peers(asked) => {
            let (common, places) = asked.split();
            peers::run(&common, &places)
        }
        Bench::CapturePeers(asked) => {
            let (common, places) = asked.split();
            capture_peers::run(&common, &places)
        }
        Bench::Commits(place) => tokio::runtime::Runtime::new()?.block_on(commits::run(&place)),
        Bench::References(many) => tokio::runtime::Runtime::new()?.block_on(references::run(&many)),
        Bench::Rewraps(vault) => tokio::runtime::Runtime::new()?.block_on(rewraps::run(&vault)),
    }
}
