//! `countersign completions SHELL`.

use crate::{Arguments, outcome::Outcome};
use clap::CommandFactory as _;
use std::io;

/// Print a shell's completions.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

impl Completions {
    /// Prints them.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        clap_complete::generate(self.shell, &mut Arguments::command(), "countersign", &mut io::stdout());
        Ok(Outcome::Done)
    }
}
