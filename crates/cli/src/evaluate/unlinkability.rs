//! `countersign evaluate unlinkability`: whether protected templates tell who they are of (TARGETS B6), by D↔sys of
//! Gomez-Barrero et al., and whether the keyed transform changes a decision.
//!
//! Templates are taken as a thief of opened references sees them: sealing is not counted on. Invariant: every figure stands
//! beside its null control, and every way to link beside what it finds once the keys are known.

mod decisions;
mod linkage;
mod places;
mod report;
mod rows;
#[cfg(test)]
mod tests;

use super::{
    crew::Crew,
    people::{Drawn, Part, Person, Selection},
    setup::Setup,
};
use anyhow::Result;
use biometrics::Features;
use serde_json::json;
use std::path::PathBuf;

/// What to evaluate on what.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Unlinkability {
    /// Protect templates of the people of this folder (one folder with *.jpg per person).
    #[arg(long, value_name = "DIR")]
    faces: PathBuf,
    #[command(flatten)]
    setup: Setup,
    /// People to take, as far as there are so many.
    #[arg(long, default_value_t = 400)]
    people: usize,
    /// Mated pairs for each figure: keys are drawn again until there are as many. Fewer than 10,000 leave a bias.
    #[arg(long, default_value_t = 20_000)]
    pairs: usize,
    /// Write a plot of both distributions and D↔ for each figure, *.svg and *.png, into this folder.
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
}

/// One person's features as an enrollment would seal them.
struct Enrolled {
    /// Of the portrait.
    portrait: Features,
    /// Of another picture that gate 2 takes, where there is one.
    another: Option<Features>,
}

/// Runs one evaluation and prints it.
pub(super) fn run(options: &Unlinkability) -> Result<()> {
    let ready = options.setup.ready()?;
    let (crew, seed) = (ready.crew(false), options.setup.seed);
    let asked = Selection { part: Part::Measure, seed, enough: options.people.max(2) };
    let drawn = Drawn::new(&crew, &options.faces, asked)?;
    let people = enrolled(&crew, &drawn.people)?;
    let rows = rows::measure(&crew, &people, options)?;
    let decisions = decisions::measure(&crew, &people, seed)?;
    options.setup.write(&json!({
        "pack": ready.pack.name(),
        "models": ready.pack.digests(),
        "seed": seed,
        "split": drawn.value(),
        "omega": 1,
        "linkage": rows,
        "decisions": decisions,
    }))?;
    println!("Protected templates, pack {}, seed {seed}: engineering figures\n{}", ready.pack.name(), drawn.told());
    println!("{}", report::text(&rows, &decisions));
    Ok(())
}

fn enrolled(crew: &Crew<'_>, people: &[Person]) -> Result<Vec<Enrolled>> {
    let found = crew.each(("templates", people.len()), |engine, index| {
        let portrait = people[index].enrollment(engine)?;
        let another = people[index].another(engine)?;
        Ok(portrait.map(|portrait| Enrolled { portrait, another }))
    })?;
    Ok(found.into_iter().flatten().collect())
}
