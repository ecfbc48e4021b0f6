//! `countersign evaluate`: error rates of the comparison (ISO/IEC 19795-1) with a pack's calibration table, here; error rates of
//! the gates under attack (ISO/IEC 30107-3) in `presentation`; the challenge itself, and how firm decisions stand, in `challenge`.
//!
//! Engineering figures on the pictures given; never certification figures.

mod capture;
mod challenge;
mod crew;
mod decision;
mod draw;
#[cfg(test)]
mod ground;
mod hash;
mod jpeg;
mod measure;
mod people;
mod pictures;
mod plots;
mod presentation;
mod quality;
mod rates;
mod report;
mod setup;
mod tally;
mod unlinkability;

use anyhow::{Context, Result, ensure};
use biometrics::error_rates::{ImpostorTail, Rate, Resampling, Scores, fnmr_interval};
use crew::Crew;
use measure::Compared;
use std::{fs, path::PathBuf};
use vision::{Pack, Runtime};

/// False match rates that are reported, and calibrated where the pictures can show them.
const RATES: [f64; 7] = [1e-2, 5e-3, 1e-3, 5e-4, 1e-4, 5e-5, 1e-5];
/// Identities are drawn again this often; the seed makes bounds repeatable.
const RESAMPLING: Resampling = Resampling { draws: 1000, seed: 19795 };

/// Evaluations.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Evaluate {
    /// Error rates of the comparison alone, on a folder with one folder per person.
    Verification(Verification),
    /// Error rates of the gates under attack: the whole chain on simulated captures, or gate 3 alone on real pictures.
    Presentation(presentation::Presentation),
    /// Who answers the challenge, on simulated captures: gates 1 and 4, mode by mode; or how firm all decisions stand.
    Challenge(challenge::Challenge),
    /// Whether the quality gate names the defect that a simulated capture was given.
    Quality(quality::Quality),
    /// Whether protected templates can be linked between tenants, users and renewals, and whether protection changes decisions.
    Unlinkability(unlinkability::Unlinkability),
}

/// What to evaluate on what.
#[derive(Debug, clap::Args)]
pub(crate) struct Verification {
    /// A folder with one folder of *.jpg per person.
    #[arg(long)]
    images: PathBuf,
    /// Compare the pairs of this file (LFW's pairs.txt format) instead of all pairs.
    #[arg(long)]
    pairs: Option<PathBuf>,
    /// Take the first N pictures of each person in name order.
    #[arg(long, default_value_t = 4)]
    per_person: usize,
    /// Directory of the model pack.
    #[arg(long, env = "COUNTERSIGN_PACK")]
    pack: PathBuf,
    /// ONNX Runtime's shared library.
    #[arg(long, env = "COUNTERSIGN_ONNXRUNTIME")]
    onnxruntime: PathBuf,
    /// Add a second table: only pictures that pass the quality gate.
    #[arg(long)]
    gates: bool,
    /// Inter-eye distance that the quality gate asks for, in pixels; pictures in the wild are small.
    #[arg(long, default_value_t = 30)]
    min_inter_eye: u32,
    /// Threads, each with an engine of its own; 0 takes one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
    /// Write det.svg, det.png, scores.svg and scores.png into this folder.
    #[arg(long)]
    plots: Option<PathBuf>,
    /// Write the pack's calibration table to this file.
    #[arg(long)]
    write_calibration: Option<PathBuf>,
}

/// Runs one evaluation and prints it.
pub(crate) fn run(evaluate: &Evaluate) -> Result<()> {
    match evaluate {
        Evaluate::Verification(options) => verification(options),
        Evaluate::Presentation(options) => presentation::run(options),
        Evaluate::Challenge(options) => challenge::run(options),
        Evaluate::Quality(options) => quality::run(options),
        Evaluate::Unlinkability(options) => unlinkability::run(options),
    }
}

fn verification(options: &Verification) -> Result<()> {
    let pack = Pack::open(&options.pack)?;
    let runtime = Runtime::load(&options.onnxruntime)?;
    let mut tables = vec![table(options, (&pack, &runtime), None)?];
    if options.gates {
        tables.push(table(options, (&pack, &runtime), Some(options.min_inter_eye))?);
    }
    if let Some(path) = &options.write_calibration {
        ensure!(options.pairs.is_none(), "a calibration table needs all pairs; leave --pairs out");
        let text = report::calibration(&pack, &tables[0]);
        fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    report::print(&pack, &tables, options.json)
}

fn table(options: &Verification, (pack, runtime): (&Pack, &Runtime), gates: Option<u32>) -> Result<report::Table> {
    let (pictures, pairs) = match &options.pairs {
        Some(file) => pictures::by_pairs(&options.images, file).map(|(pictures, pairs)| (pictures, Some(pairs)))?,
        None => (pictures::by_person(&options.images, options.per_person)?, None),
    };
    let crew = Crew { pack, runtime, threads: crew::threads(options.threads), detectors: false };
    let samples = measure::samples(crew, &pictures, gates)?;
    let mut compared = match &pairs {
        None => Compared::all(&pictures, &samples),
        Some(pairs) => Compared::listed(&pictures, &samples, pairs),
    };
    let scores = Scores::new(compared.genuine.clone(), std::mem::take(&mut compared.impostor))
        .context("these pictures give no comparisons of both kinds")?;
    let title = format!("{}{}", pack.name(), if gates.is_some() { ", quality gate on" } else { "" });
    let measured = scores.table(&RATES).operating_points;
    if let Some(folder) = options.plots.as_deref().filter(|_| gates.is_none()) {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let points: Vec<(f64, f64)> = scores.det(20).iter().map(|p| (p.fmr, p.fnmr)).collect();
        plots::det(folder, &format!("DET curve, {title}"), ["FMR", "FNMR"], &[(&title, &points)])?;
        let thresholds: Vec<f64> = measured.iter().map(|p| p.threshold).collect();
        plots::histogram(folder, &title, [scores.genuine(), scores.impostor()], &thresholds)?;
    }
    let lowest = measured.first().map_or(f64::INFINITY, |p| p.threshold);
    let mut tail = std::mem::take(&mut compared.impostor_pairs);
    tail.retain(|pair| f64::from(pair.score) >= lowest);
    let tail = if pairs.is_none() { Some(ImpostorTail::new(compared.samples.clone(), tail)?) } else { None };
    let rows = measured.into_iter().map(|point| report::Row {
        fnmr_bounds: fnmr_interval(&compared.per_identity(point.threshold), RESAMPLING),
        fmr_bounds: tail.as_ref().and_then(|tail| tail.fmr_interval(point.threshold, RESAMPLING)),
        calibrated: tail.as_ref().and_then(|tail| calibrated(&scores, tail, (&compared, point.fmr))),
        point,
    });
    Ok(report::Table {
        title,
        gates: gates.is_some(),
        pictures: pictures.all.len() as u64,
        people: pictures.identities,
        missed: samples.missed,
        eer: scores.equal_error_rate(),
        rows: rows.collect(),
    })
}

/// Where the upper 95 % bound of the false match rate meets the claim (TARGETS B1): what a pack's calibration table holds.
fn calibrated(scores: &Scores, tail: &ImpostorTail, (compared, fmr): (&Compared, f64)) -> Option<report::Calibrated> {
    let threshold = tail.threshold_for_upper(fmr, RESAMPLING)?;
    let mut point = scores.operating_point_at(fmr, threshold);
    point.fmr_upper = tail.fmr_interval(threshold, RESAMPLING)?.upper;
    let fnmr_bounds = fnmr_interval(&compared.per_identity(threshold), RESAMPLING);
    point.fnmr_upper = fnmr_bounds.map_or(1.0, |bounds| bounds.upper);
    let matched = compared.disjoint.iter().filter(|&&score| f64::from(score) >= threshold).count() as u64;
    let disjoint = Rate { errors: matched, trials: compared.disjoint.len() as u64 };
    Some(report::Calibrated { point, fnmr_bounds, disjoint })
}
