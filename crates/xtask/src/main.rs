//! `cargo xtask`: what a machine needs besides the compiler. Packs, the ONNX Runtime and the demo's portraits.
//!
//! Owns the command line; each command is a module of its own. Must never know any other crate of the workspace, so that
//! it builds in seconds on a bare machine. Invariant: everything it makes lies under `target/`.
#![allow(clippy::print_stdout, reason = "a command line tool reports on standard output")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod bench;
mod command;
mod demo;
mod digest;
mod download;
mod figures;
mod interop;
mod laws;
mod licences;
mod manifest;
mod models;
mod pack;
mod places;
mod portraits;
mod prepare;
mod progress;
mod python;
mod runtime;
mod sources;
mod tally;
mod test;
mod torture;
mod train_pad;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Sets up and exercises the project")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a real cluster, enroll and verify real faces, check receipts offline
    Demo(demo::Options),
    /// Run everything that proves the project
    Test,
    /// Try what must never happen, thousands of times: R1 R4 R5 R11 R12
    Torture(torture::Options),
    /// Check what the compiler does not: dependencies, licences, protocol, migrations
    Laws,
    /// Measure everything and write docs/EVALUATION.md
    Figures(figures::Options),
    /// Measure ratios against the bare loop and against what a Python team would run
    Bench(bench::Options),
    /// Build a model pack, and fetch what it needs to run
    Pack(pack::Arguments),
    /// Fetch the portraits of the demo
    Portraits,
    /// Fetch the ONNX Runtime
    Runtime,
    /// Train the presentation attack detectors of our own again and compare the weights with the committed ones
    TrainPad(train_pad::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Test => test::run(),
        Command::Torture(options) => torture::run(&options),
        Command::Laws => laws::run(),
        Command::Figures(options) => figures::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Pack(arguments) => pack::run(&arguments),
        Command::Portraits => portraits::run(),
        Command::Runtime => runtime::run(),
        Command::TrainPad(options) => train_pad::run(&options),
    }
}
