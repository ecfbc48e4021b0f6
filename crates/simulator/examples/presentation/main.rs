//! Presentation attack detection on simulated captures: renders training data, and measures the packs' detectors.
//!
//! `presentation views` is the first half of `cargo xtask train-pad`. `presentation figures` sets operating points and prints
//! error rates for people that nothing was trained or set on; these are **simulated**: engineering figures, never
//! certification figures. `presentation photographs` asks how many real photographs would pass.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod crew;
mod figures;
mod jitter;
mod people;
mod photographs;
mod scenes;
mod views;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[derive(Parser)]
struct Arguments {
    /// The packs; each capture is rendered once and shown to all of them
    #[arg(long, global = true, value_delimiter = ',', default_value = "target/packs/base")]
    pack: Vec<PathBuf>,
    /// ONNX Runtime; the one that `cargo xtask runtime` fetches by default
    #[arg(long, global = true)]
    onnxruntime: Option<PathBuf>,
    /// Threads, each with an engine of its own
    #[arg(long, global = true, default_value_t = 2)]
    threads: usize,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Render training data
    Views(views::Options),
    /// Measure the packs' detectors
    Figures(figures::Options),
    /// Show real photographs of living people to the packs' detectors, one at a time
    Photographs(photographs::Options),
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let crew = crew::Crew::new(&arguments.pack, arguments.onnxruntime, arguments.threads)?;
    match arguments.command {
        Command::Views(options) => views::run(&crew, &options),
        Command::Figures(options) => figures::run(&crew, &options),
        Command::Photographs(options) => photographs::run(&crew, &options),
    }
}
