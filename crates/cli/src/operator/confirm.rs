//! What cannot be undone is asked for twice.
//!
//! Invariant: nobody at a terminal, and no `--yes`: nothing is done.

use anyhow::{bail, ensure};
use std::io::{self, IsTerminal as _, Write as _};

/// Asks for it.
#[derive(Debug, clap::Args)]
pub(crate) struct Meant {
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

impl Meant {
    /// Goes on only where `--yes` was given or `word` is typed at a terminal.
    pub(super) fn or_typed(&self, consequence: &str, word: &str) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            bail!("{consequence} It cannot be undone: add --yes, as nobody is here to be asked");
        }
        write!(io::stderr(), "{consequence} It cannot be undone.\nType {word} to go on: ")?;
        io::stderr().flush()?;
        let mut typed = String::new();
        io::stdin().read_line(&mut typed)?;
        ensure!(typed.trim() == word, "nothing was done");
        Ok(())
    }
}
