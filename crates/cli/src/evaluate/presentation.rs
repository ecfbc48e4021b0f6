//! `countersign evaluate presentation`: error rates under attack (ISO/IEC 30107-3).
//!
//! With `--faces` the whole chain, gates 1 to 5, on captures that `simulator` renders of people whom nothing was trained or
//! tuned on; with `--pictures` gate 3 alone on real pictures. Simulated figures are engineering figures: they show that the
//! gates react to what they claim to react to, never how real attacks fare.

mod agreement;
mod detection;
mod labelled;
pub(super) mod report;
mod simulated;
#[cfg(test)]
mod tests;

use super::{crew::Crew, setup::Setup};
use anyhow::{Context, Result, bail, ensure};
use biometrics::CaptureMode;
use clap::{ArgGroup, builder::PossibleValuesParser, builder::TypedValueParser as _};
use detection::Detection;
use serde_json::Value;
use simulator::Species;
use std::{fs, path::PathBuf};
use vision::{ExamineOptions, Pack};

/// What to evaluate on what.
#[derive(Debug, Clone, clap::Args)]
#[command(group(ArgGroup::new("source").required(true).args(["faces", "pictures"])))]
pub(crate) struct Presentation {
    /// Simulate captures of the people of this folder (one folder with *.jpg per person), through all gates.
    #[arg(long, value_name = "DIR")]
    faces: Option<PathBuf>,
    /// Measure gate 3 alone on real pictures: one folder `bona_fide` and one per species, *.jpg or one folder per person in it.
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    #[command(flatten)]
    setup: Setup,
    /// Judge the same simulated captures with this pack too, and tell how often variants of one recogniser decide alike
    /// (TARGETS B8). May be given several times.
    #[arg(long, value_name = "PACK", requires = "faces")]
    beside: Vec<PathBuf>,
    /// Bona fide captures to simulate.
    #[arg(long, default_value_t = 1000)]
    bona_fide: usize,
    /// Captures of each species to simulate.
    #[arg(long, default_value_t = 300)]
    attacks: usize,
    /// Simulate these species only.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(Species::ALL.map(Species::name)).map(species))]
    species: Vec<Species>,
    /// What captures perform.
    #[arg(long, value_enum, default_value = "LIGHT_AND_MOTION")]
    mode: Mode,
    /// False match rate of gate 5's threshold, for all packs or, separated by commas, for each.
    #[arg(long, value_delimiter = ',', default_values_t = [1e-4])]
    fmr: Vec<f64>,
    /// Inter-eye distance that the quality gate asks for, in pixels: 60 for captures, 30 for pictures unless given.
    #[arg(long)]
    min_inter_eye: Option<u32>,
    /// Take the people that gates 1 and 4 were tuned on: for setting limits, never for figures.
    #[arg(long)]
    tuning: bool,
    /// Positive control: decide as if this gate always passed. May be given several times.
    #[arg(long, value_name = "GATE", value_parser = clap::value_parser!(u8).range(1..=5))]
    without: Vec<u8>,
    /// Positive control: every capture performs the same script, so that older recordings answer it.
    #[arg(long)]
    constant_script: bool,
    /// Write species.svg and .png, and where gate 3 ran det.svg and .png, into this folder.
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
}

/// What captures perform; a capture that performs nothing answers no challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Mode {
    Motion,
    Light,
    LightAndMotion,
}

impl From<Mode> for CaptureMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Motion => Self::Motion,
            Mode::Light => Self::Light,
            Mode::LightAndMotion => Self::LightAndMotion,
        }
    }
}

/// The species of a name that the parser let through.
fn species(name: String) -> Species {
    Species::ALL.into_iter().find(|s| s.name() == name).unwrap_or(Species::FlatPrint)
}

impl Presentation {
    /// The false match rate of a pack by its place in the command.
    fn fmr_of(&self, pack: usize) -> f64 {
        self.fmr.get(pack).or(self.fmr.first()).copied().unwrap_or(f64::NAN)
    }
}

/// Runs one evaluation and prints it.
pub(super) fn run(options: &Presentation) -> Result<()> {
    let rates = options.fmr.len();
    ensure!(
        rates == 1 || rates == 1 + options.beside.len(),
        "--fmr names {rates} rates for {} packs: give one for all, or one for each",
        1 + options.beside.len()
    );
    let ready = options.setup.ready()?;
    let crew = ready.crew(true);
    let (text, figures) = match (&options.faces, &options.pictures) {
        (Some(folder), _) => {
            let beside = options.beside.iter().map(|dir| Ok(Pack::open(dir)?)).collect::<Result<Vec<_>>>()?;
            simulated::run(&crew, &beside, (folder, options))?
        }
        (None, Some(folder)) => real(&crew, folder, options)?,
        (None, None) => bail!("neither --faces nor --pictures"),
    };
    options.setup.write(&figures)?;
    println!("{text}");
    Ok(())
}

fn real(crew: &Crew<'_>, folder: &std::path::Path, options: &Presentation) -> Result<(String, Value)> {
    ensure!(
        crew.pack.presentation_attack_threshold().is_some(),
        "pack {} has no operating point for gate 3, which is NOT_RUN: nothing to measure",
        crew.pack.name()
    );
    let asked = ExamineOptions {
        min_inter_eye_px: options.min_inter_eye.unwrap_or(vision::MIN_INTER_EYE_PX),
        presentation_attack: true,
        previous: false,
    };
    let measured = labelled::measure(crew, folder, asked)?;
    plot_detection(options, crew.pack.name(), &measured.detection)?;
    let text = format!("Gate 3 of pack {} on the pictures given\n{}", crew.pack.name(), measured.tables());
    let figures = serde_json::json!({
        "simulated": false,
        "pack": crew.pack.name(),
        "models": crew.pack.digests(),
        "threshold": crew.pack.presentation_attack_threshold(),
        "gate_3": measured,
    });
    Ok((text, figures))
}

/// The DET curves of gate 3, where there are any.
fn plot_detection(options: &Presentation, pack: &str, detections: &[Detection]) -> Result<()> {
    let Some(folder) = options.plots.as_deref().filter(|_| !detections.is_empty()) else { return Ok(()) };
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let curves: Vec<_> = detections.iter().map(|d| (d.species.as_str(), d.curve.as_slice())).collect();
    super::plots::det(folder, &format!("DET curves of gate 3, {pack}"), ["APCER", "BPCER"], &curves)
}
