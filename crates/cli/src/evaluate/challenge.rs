//! `countersign evaluate challenge`: who answers a script, by gates 1 and 4 alone; with `--robustness` how firm the decisions of
//! all five gates stand when camera, light and frame change a little.
//!
//! Simulated captures of people whom nothing was trained or tuned on: engineering figures, as in `presentation`.

mod answers;
mod report;
mod robustness;
#[cfg(test)]
mod tests;
mod variation;

use super::{
    capture::{Scene, Setting},
    crew::Crew,
    draw::Wanted,
    people::{Drawn, Part, Selection},
    plots,
    presentation::Mode,
    setup::Setup,
    tally::code,
};
use anyhow::{Context, Result};
use biometrics::CaptureMode;
use serde_json::{Value, json};
use service::Clock;
use simulator::Species;
use std::{fs, path::PathBuf};
use variation::Variation;

/// TARGETS B3, where a plot of captures that answer another script draws its line.
const ACCEPTED_LIMIT: f64 = 0.05;
/// Decisions of compliant captures that may flip.
const FLIP_LIMIT: f64 = 0.03;

/// What to evaluate on what.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Challenge {
    /// Simulate captures of the people of this folder (one folder with *.jpg per person).
    #[arg(long, value_name = "DIR")]
    faces: PathBuf,
    #[command(flatten)]
    setup: Setup,
    /// What captures perform: all modes in turn unless given; of several, robustness takes the first, LIGHT_AND_MOTION if none.
    #[arg(long, value_enum, value_delimiter = ',')]
    mode: Vec<Mode>,
    /// Measure instead how often the decision of all five gates flips under small changes of camera, light and frame.
    #[arg(long)]
    robustness: bool,
    /// Bona fide captures to simulate, in each mode or with each change.
    #[arg(long, default_value_t = 60)]
    bona_fide: usize,
    /// Captures of each species to simulate, in each mode or with each change.
    #[arg(long, default_value_t = 20)]
    attacks: usize,
    /// Judge each bona fide capture against so many scripts that it was not made for.
    #[arg(long, default_value_t = 5000)]
    scripts: u64,
    /// False match rate of gate 5's threshold.
    #[arg(long, default_value_t = 1e-4)]
    fmr: f64,
    /// Inter-eye distance that the quality gate asks for, in pixels: 60 unless given.
    #[arg(long)]
    min_inter_eye: Option<u32>,
    /// Take the people that gates 1 and 4 were tuned on: for setting limits, never for figures.
    #[arg(long)]
    tuning: bool,
    /// Write answers.svg and .png, or flips.svg and .png, into this folder.
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
}

/// Runs one evaluation and prints it.
pub(super) fn run(options: &Challenge) -> Result<()> {
    let ready = options.setup.ready()?;
    let (crew, seed) = (ready.crew(options.robustness), options.setup.seed);
    let part = if options.tuning { Part::Tune } else { Part::Measure };
    let enough = options.bona_fide.max(options.attacks).max(1) + 1;
    let drawn = Drawn::new(&crew, &options.faces, Selection { part, seed, enough })?;
    let (text, mut figures) = match options.robustness {
        true => firm(&crew, &drawn, options)?,
        false => answered(&crew, &drawn, options)?,
    };
    figures["simulated"] = true.into();
    figures["pack"] = crew.pack.name().into();
    figures["models"] = json!(crew.pack.digests());
    figures["seed"] = seed.into();
    figures["split"] = drawn.value();
    options.setup.write(&figures)?;
    println!("Simulated captures, pack {}, seed {seed}: engineering figures\n{}", crew.pack.name(), drawn.told());
    println!("{text}");
    Ok(())
}

impl Challenge {
    fn wanted<'a>(&self, species: &'a [Species]) -> Wanted<'a> {
        Wanted { bona_fide: self.bona_fide, attacks: self.attacks, species, seed: self.setup.seed }
    }

    fn modes(&self) -> Vec<CaptureMode> {
        let all = [CaptureMode::Light, CaptureMode::Motion, CaptureMode::LightAndMotion];
        if self.mode.is_empty() { all.to_vec() } else { self.mode.iter().map(|&mode| mode.into()).collect() }
    }

    /// The scene of one mode; without a choice that of all that can be asked for.
    fn scene<'a>(&self, drawn: &'a Drawn, mode: Option<CaptureMode>) -> Scene<'a> {
        let chosen = || self.mode.first().map_or(CaptureMode::LightAndMotion, |&mode| mode.into());
        let mode = mode.unwrap_or_else(chosen);
        Scene { people: &drawn.people, mode, constant_script: false, clock: Clock::system() }
    }
}

/// Gates 1 and 4, mode by mode.
fn answered(crew: &Crew<'_>, drawn: &Drawn, options: &Challenge) -> Result<(String, Value)> {
    let measure = |mode| {
        answers::measure(crew, &options.scene(drawn, Some(mode)), &options.wanted(&answers::SPECIES), options.scripts)
    };
    let modes = options.modes().into_iter().map(measure).collect::<Result<Vec<_>>>()?;
    if let Some(folder) = &options.plots {
        let bars: Vec<(String, f64, f64)> = modes.iter().flat_map(report::bars).collect();
        plot(folder, "answers", (&format!("Accepted by gates 1 and 4, simulated, {}", crew.pack.name()), &bars))?;
    }
    Ok((report::answers(&modes), json!({ "attempt": 1, "modes": modes })))
}

/// All gates, change by change.
fn firm(crew: &Crew<'_>, drawn: &Drawn, options: &Challenge) -> Result<(String, Value)> {
    let setting = Setting::new(crew.pack, options.scene(drawn, None), options.fmr, options.min_inter_eye)?;
    let measured = robustness::measure(crew, &setting, &options.wanted(&robustness::SPECIES), &Variation::ALL)?;
    if let Some(folder) = &options.plots {
        let bar = |line: &robustness::Line| line.flips.map(|s| (line.variation.clone(), s.share, s.upper));
        let bars: Vec<_> = measured.lines.iter().filter(|line| line.counts()).filter_map(bar).collect();
        plot(folder, "flips", (&format!("Decisions that flip, simulated, {}", crew.pack.name()), &bars))?;
    }
    let text =
        format!("Mode {}, FMR {:.0e}\n\n{}", code(&setting.scene.mode), options.fmr, report::robustness(&measured));
    Ok((text, json!({ "mode": setting.scene.mode, "fmr": options.fmr, "robustness": measured })))
}

fn plot(folder: &PathBuf, name: &str, (title, bars): (&str, &[(String, f64, f64)])) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let bars: Vec<plots::Bar<'_>> = bars.iter().map(|(name, share, upper)| (name.as_str(), *share, *upper)).collect();
    let limit = if name == "flips" { FLIP_LIMIT } else { ACCEPTED_LIMIT };
    plots::bars((folder, name), title, &bars, limit)
}
