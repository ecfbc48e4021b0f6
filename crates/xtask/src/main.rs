//! `cargo xtask`: what a machine needs besides the compiler. Packs, the ONNX Runtime and the demo's portraits.
//!
//! Owns the command line; each command is a module of its own. Must never know any other crate of the workspace, so that
//! it builds in seconds on a bare machine. Invariant: everything it makes lies under `target/`.
#![allow(clippy::print_stdout, reason = "a command line tool reports on standard output")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod digest;
mod download;
mod licences;
mod manifest;
mod models;
mod pack;
mod places;
mod portraits;
mod progress;
mod python;
mod runtime;
mod sources;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Sets up and exercises the project")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build a model pack, and fetch what it needs to run
    Pack(pack::Arguments),
    /// Fetch the portraits of the demo
    Portraits,
    /// Fetch the ONNX Runtime
    Runtime,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Pack(arguments) => pack::run(&arguments),
        Command::Portraits => portraits::run(),
        Command::Runtime => runtime::run(),
    }
}
