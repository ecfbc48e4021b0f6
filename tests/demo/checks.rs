//! The demonstration's checks: each is said as it is made, none stops the rest, the last line counts them.

use anyhow::{Result, bail};

/// Counts checks and prints one line for each.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    passed: usize,
    all: usize,
}

impl Checks {
    /// Makes one check; what went wrong stands behind it.
    pub(crate) fn check(&mut self, claim: &str, outcome: Result<()>) {
        self.all += 1;
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("  ok {:>2}  {claim}", self.all);
            }
            Err(error) => println!("  no {:>2}  {claim}\n         {error:#}", self.all),
        }
    }

    /// Says the count; an error unless all passed.
    pub(crate) fn close(&self) -> Result<()> {
        println!("demo: {} of {} checks passed", self.passed, self.all);
        if self.passed != self.all || self.all == 0 {
            bail!("{} checks did not pass", self.all - self.passed);
        }
        Ok(())
    }
}

/// An error unless both are equal; says what was expected and what was there.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<()> {
    if found != expected {
        bail!("{what}: expected {expected:?}, found {found:?}");
    }
    Ok(())
}
