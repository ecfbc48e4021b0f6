//! The whole chain on simulated captures: who is taken, what is made, what is told.
//!
//! Must never know: pixels. Invariant: equal options on an equal folder give equal figures, whatever the number of threads.

use super::{Presentation, agreement::Agreement, detection::Detection, plot_detection, report};
use crate::evaluate::{
    capture::{Scene, Setting},
    crew::Crew,
    decision::Found,
    draw::{Kind, Wanted},
    people::{Drawn, Part, Person, Selection},
    plots,
    tally::{Hearing, Tally},
};
use anyhow::{Context, Result};
use biometrics::CaptureMode;
use serde_json::{Value, json};
use service::Clock;
use simulator::{Conditions, Species};
use std::{fs, path::Path};
use vision::Pack;

/// TARGETS B3.
const APCER_LIMIT: f64 = 0.05;

/// What the options ask for, complete.
fn wanted<'a>(options: &Presentation, species: &'a [Species]) -> Wanted<'a> {
    Wanted { bona_fide: options.bona_fide, attacks: options.attacks, species, seed: options.setup.seed }
}

/// Makes all captures and judges them with the crew's pack and with those beside it: the report and the figures.
pub(super) fn run(
    crew: &Crew<'_>,
    beside: &[Pack],
    (folder, options): (&Path, &Presentation),
) -> Result<(String, Value)> {
    // As many people as there are captures of the most frequent kind, and one more to attack.
    let enough = options.bona_fide.max(options.attacks).max(1) + 1;
    let part = if options.tuning { Part::Tune } else { Part::Measure };
    let drawn = Drawn::new(crew, folder, Selection { part, seed: options.setup.seed, enough })?;
    let found = captures(crew, beside, (&drawn.people, options))?;
    let packs = std::iter::once(crew.pack).chain(beside);
    let judged: Vec<(&Pack, &[Found])> = packs.zip(found.iter().map(Vec::as_slice)).collect();
    let (mut text, mut figures) = (Vec::new(), Vec::new());
    for (at, one) in judged.iter().enumerate() {
        let (told, pack) = told((*one, options.fmr_of(at)), &drawn, options)?;
        text.push(told);
        figures.push(pack);
    }
    let pairs =
        judged.iter().enumerate().flat_map(|(at, one)| judged[at + 1..].iter().map(move |other| (*one, *other)));
    let agreements: Vec<Agreement> = pairs.filter_map(|(one, other)| Agreement::new(one, other)).collect();
    text.extend(agreements.iter().map(Agreement::told));
    let mut all = figures.remove(0);
    all["beside"] = figures.into();
    all["agreement"] = json!(agreements);
    Ok((text.join("\n\n\n"), all))
}

/// One pack's report and figures.
fn told(
    ((pack, found), fmr): ((&Pack, &[Found]), f64),
    drawn: &Drawn,
    options: &Presentation,
) -> Result<(String, Value)> {
    let tally = Tally::new(found, &Hearing::without(&options.without));
    let detections = detections(found);
    let name = pack.name();
    plot_detection(options, name, &detections)?;
    plot_species(options, name, &tally)?;
    let text = [head((pack, fmr), options, drawn), report::chain(&tally), report::detections(&detections), cost(found)];
    let figures = json!({
        "simulated": true,
        "pack": name,
        "models": pack.digests(),
        "mode": CaptureMode::from(options.mode),
        "attempt": 1,
        "seed": options.setup.seed,
        "constant_script": options.constant_script,
        "without": options.without,
        "split": drawn.value(),
        "fmr": fmr,
        "gate_3_ran": pack.presentation_attack_threshold().is_some(),
        "captures": found.len(),
        "figures": tally,
        "gate_3": detections,
        "seconds_per_capture": { "render": seconds(found, 0), "examine": seconds(found, 1) },
    });
    Ok((text.join("\n\n"), figures))
}

/// Everything that was found, pack by pack, each in the order of the jobs.
pub(super) fn captures(
    crew: &Crew<'_>,
    beside: &[Pack],
    (people, options): (&[Person], &Presentation),
) -> Result<Vec<Vec<Found>>> {
    let species = if options.species.is_empty() { Species::ALL.to_vec() } else { options.species.clone() };
    let jobs = wanted(options, &species).jobs(people.len());
    let mode = options.mode.into();
    let scene = Scene { people, mode, constant_script: options.constant_script, clock: Clock::system() };
    let setting = |pack, fmr| Setting::new(pack, scene.clone(), fmr, options.min_inter_eye);
    let own = setting(crew.pack, options.fmr_of(0))?;
    let others = (1..).zip(beside).map(|(at, pack)| setting(pack, options.fmr_of(at))).collect::<Result<Vec<_>>>()?;
    let found = crew.each_beside(beside, ("captures", jobs.len()), |engine, engines, index| {
        let job = &jobs[index];
        let made = scene.made(engine, job, &Conditions::typical(job.seed));
        let judged = made.and_then(|made| {
            let first = own.judged(engine, job, &made);
            let rest = others.iter().zip(engines).map(|(setting, engine)| setting.judged(engine, job, &made));
            std::iter::once(first).chain(rest).collect::<Result<Vec<Found>>>()
        });
        judged.with_context(|| format!("capture {index}, {}", job.kind.name()))
    })?;
    let mut by_pack: Vec<Vec<Found>> = (0..=beside.len()).map(|_| Vec::with_capacity(found.len())).collect();
    for captured in found {
        by_pack.iter_mut().zip(captured).for_each(|(pack, found)| pack.push(found));
    }
    Ok(by_pack)
}

fn detections(found: &[Found]) -> Vec<Detection> {
    let scores = |kind: Kind| -> Vec<f32> {
        found.iter().filter(|f| f.kind == kind).filter_map(|f| f.presentation_score).collect()
    };
    let bona_fide = scores(Kind::BonaFide);
    let one = |&species: &Species| Detection::new(species.name(), &bona_fide, &scores(Kind::Attack(species)));
    Species::ALL.iter().filter_map(one).collect()
}

fn plot_species(options: &Presentation, pack: &str, tally: &Tally) -> Result<()> {
    let Some(folder) = options.plots.as_deref().filter(|_| !tally.species.is_empty()) else { return Ok(()) };
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let bars: Vec<plots::Bar> =
        tally.species.iter().filter_map(|row| row.passed_3_and_4.map(|s| (row.name, s.share, s.upper))).collect();
    plots::bars((folder, "species"), &format!("APCER of gates 3 and 4, simulated, {pack}"), &bars, APCER_LIMIT)
}

fn head((pack, fmr): (&Pack, f64), options: &Presentation, drawn: &Drawn) -> String {
    let gate_3 = match pack.presentation_attack_threshold() {
        Some(threshold) => format!("threshold {threshold:.3}"),
        None => "NOT_RUN (the pack has no operating point for it); gates 1, 2, 4 and 5 decide".to_owned(),
    };
    let mut lines = vec![
        format!("Simulated captures, pack {}, seed {}: engineering figures", pack.name(), options.setup.seed),
        drawn.told(),
        format!("Mode {}, attempt 1; gate 3: {gate_3}", mode(options)),
        format!(
            "Gate 5: FMR {:.0e}; its threshold was measured on all people of the calibration, these included. Reference: another picture of the person where there is one, else the portrait that captures are rendered from",
            fmr
        ),
    ];
    if !options.without.is_empty() {
        lines.push(format!("POSITIVE CONTROL: as if these gates always passed: {:?}", options.without));
    }
    if options.constant_script {
        lines.push("POSITIVE CONTROL: one script for all captures, older recordings included".to_owned());
    }
    lines.join("\n")
}

fn mode(options: &Presentation) -> String {
    json!(CaptureMode::from(options.mode)).as_str().unwrap_or_default().to_owned()
}

fn cost(found: &[Found]) -> String {
    let told = |at| seconds(found, at).map_or("absent".to_owned(), |s| format!("{s:.2} s"));
    format!("A capture on one thread: {} to load and render, {} to examine", told(0), told(1))
}

/// Mean seconds a capture.
fn seconds(found: &[Found], at: usize) -> Option<f64> {
    let total: f64 = found.iter().map(|f| f.took[at].as_secs_f64()).sum();
    (!found.is_empty()).then(|| total / found.len() as f64)
}
