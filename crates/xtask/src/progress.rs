//! One bar per command, and the lines that stay above it.
//!
//! Invariant: what was done is told even where no terminal shows a bar.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A command's progress in steps.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over `steps` steps.
    pub(crate) fn new(steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        let style = ProgressStyle::with_template("{spinner} [{bar:24}] {pos}/{len} {elapsed:>4}  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar }
    }

    /// What is being done now.
    pub(crate) fn doing(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// A line that stays.
    pub(crate) fn note(&self, line: impl AsRef<str>) {
        if self.bar.is_hidden() {
            println!("{}", line.as_ref());
        } else {
            self.bar.println(line);
        }
    }

    /// A step is over; its line stays.
    pub(crate) fn done(&self, line: impl AsRef<str>) {
        self.note(line);
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
