//! Error rates of gate 3 (ISO/IEC 30107-3: APCER for each species, BPCER), on simulated captures.

use crate::{
    crew::Crew,
    jitter,
    people::{self, Part, Person},
    scenes::{self, Cast, Shown},
};
use anyhow::{Context, Result, ensure};
use biometrics::{GateResult, GateStatus, error_rates::clopper_pearson};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use vision::{Engine, ExamineOptions, Frame, Pack};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Pictures, one folder a person
    #[arg(long)]
    images: PathBuf,
    /// Whom to measure
    #[arg(long, value_enum, default_value = "test")]
    part: Part,
    /// Bona fide captures, one a person, at most
    #[arg(long, default_value_t = 300)]
    bona_fide: usize,
    /// Attacks of each species, one a person, at most
    #[arg(long, default_value_t = 100)]
    attacks: usize,
    /// Set the packs' operating points on these captures, for this share of refused bona fide captures, and write them
    /// here as `<pack>-pad.json`
    #[arg(long, value_name = "DIR")]
    calibrate: Option<PathBuf>,
    /// See --calibrate
    #[arg(long, default_value_t = 0.015)]
    bpcer: f64,
    /// Also judge every capture this often with every face's box moved and scaled by up to 5 %, and count changed decisions
    #[arg(long, default_value_t = 0)]
    jitter: u64,
    /// Also write what every detector said of every frame that it was shown, one line a capture and pack
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
}

/// What gate 3 of one pack said of one capture.
struct Outcome {
    shown: &'static str,
    gate: GateResult,
    score: Option<f32>,
    /// Of each frame that was looked at.
    answers: Vec<Vec<f32>>,
    /// Fused scores with moved boxes.
    moved: Vec<f32>,
}

pub(crate) fn run(crew: &Crew, options: &Options) -> Result<()> {
    let people = people::list(&options.images, &[options.part])?;
    ensure!(people.len() > 1, "no pictures of people of this part");
    let bona_fide = (0..options.bona_fide.min(people.len())).map(|person| (person, None));
    let attacks = options.attacks.min(people.len());
    let attacks = scenes::instruments().flat_map(|shown| (0..attacks).map(move |person| (person, Some(shown))));
    let scenes: Vec<(usize, Shown)> = bona_fide.chain(attacks).collect();
    let outcomes = crew.run(scenes.len(), |engines, index| {
        let (person, shown) = scenes[index];
        let cast = (&people[person], &people[(person + 7) % people.len()]);
        measure(engines, cast, shown, options.jitter).with_context(|| cast.0.path.display().to_string())
    })?;
    let outcomes: Vec<Vec<Outcome>> = outcomes.into_iter().flatten().collect();
    if let Some(table) = &options.table {
        let line = |o: &Outcome| format!("{}\t{:?}\t{:?}\n", o.shown, o.score, o.answers);
        fs::write(table, outcomes.iter().flatten().map(line).collect::<String>())?;
    }
    let mut reports = Vec::new();
    for (k, pack) in crew.packs.iter().enumerate() {
        let of_pack: Vec<&Outcome> = outcomes.iter().map(|of_capture| &of_capture[k]).collect();
        if let Some(folder) = &options.calibrate {
            let point = operating_point(pack, &of_pack, options)?;
            let family = pack.name().trim_end_matches("-fp32");
            fs::write(folder.join(format!("{family}-pad.json")), format!("{point:#}\n"))?;
        }
        reports.push(report(pack, &of_pack, options));
    }
    println!("{:#}", Value::Array(reports));
    Ok(())
}

/// One outcome for each engine; `None` where no portrait can be made of the person's picture.
fn measure(
    engines: &mut [Engine],
    (person, other): (&Person, &Person),
    shown: Shown,
    jitter: u64,
) -> Result<Option<Vec<Outcome>>> {
    let Some((victim, _)) = people::portrait(&mut engines[0], &fs::read(&person.path)?)? else { return Ok(None) };
    let attacker = match shown {
        None => None,
        Some(_) => people::portrait(&mut engines[0], &fs::read(&other.path)?)?.map(|(portrait, _)| portrait),
    };
    let scene = shown.map_or(100, |species| 101 + species as u64);
    let cast = Cast { victim: &victim, attacker: attacker.as_ref() };
    let capture = scenes::capture(shown, &cast, scenes::seed(person, scene), 0)?;
    let frames: Vec<_> = capture.frames.iter().map(|f| Frame { jpeg: &f.jpeg, offset_ms: f.offset_ms }).collect();
    let judge = |engine: &mut Engine| -> Result<Outcome> {
        let evidence = engine
            .examine(&frames, ExamineOptions { min_inter_eye_px: 30, presentation_attack: true, previous: false })?;
        let moved = (0..jitter)
            .filter_map(|k| jitter::again(engine, (&frames, &evidence.per_frame), person.seed ^ k).transpose())
            .collect::<Result<_>>()?;
        let answers = evidence.per_frame.into_iter().map(|f| f.bona_fide).filter(|a| !a.is_empty()).collect();
        let (gate, score) = (evidence.presentation_attack, evidence.presentation_attack_score);
        Ok(Outcome { shown: scenes::name(shown), gate, score, answers, moved })
    };
    engines.iter_mut().map(judge).collect::<Result<_>>().map(Some)
}

/// Scores of a species, in rising order.
fn scores(outcomes: &[&Outcome], name: &str) -> Vec<f32> {
    let mut scores: Vec<_> = outcomes.iter().filter(|o| o.shown == name).filter_map(|o| o.score).collect();
    scores.sort_by(f32::total_cmp);
    scores
}

/// The highest threshold that refuses at most the wanted share, with what it was set on.
fn operating_point(pack: &Pack, outcomes: &[&Outcome], options: &Options) -> Result<Value> {
    let genuine = scores(outcomes, "bona_fide");
    let most = (genuine.len() as f64 * options.bpcer) as usize;
    let threshold = *genuine.get(most).context("no bona fide capture was judged")?;
    // Rounded down: the file must refuse no more than was counted.
    let threshold = (f64::from(threshold) * 1e4).floor() / 1e4;
    let refused = genuine.iter().filter(|&&s| f64::from(s) < threshold).count();
    let bounds = clopper_pearson(refused as u64, genuine.len() as u64);
    let detectors = pack.manifest().presentation_attack.iter();
    Ok(json!({
        "method": outcomes.first().map_or("", |o| &*o.gate.version),
        "detectors": detectors.map(|d| d.sha256.as_str()).collect::<Vec<_>>(),
        "threshold": threshold,
        "bpcer_wanted": options.bpcer,
        "bona_fide": genuine.len(),
        "bona_fide_refused": refused,
        "bpcer_upper_95": rounded(bounds.upper),
        "measured_on": format!("simulated captures of people of part `{}`, one a person", options.part.name()),
    }))
}

/// Captures that an earlier gate stopped are counted apart (non-response): this gate did not judge them.
fn report(pack: &Pack, outcomes: &[&Outcome], options: &Options) -> Value {
    let count =
        |name: &str, status: GateStatus| outcomes.iter().filter(|o| o.shown == name && o.gate.status == status).count();
    let all = |name: &str| outcomes.iter().filter(|o| o.shown == name).count();
    let with_rate = |part: usize, whole: usize| {
        let bounds = clopper_pearson(part as u64, whole as u64);
        let rate = rounded(part as f64 / whole.max(1) as f64);
        json!({"count": part, "rate": rate, "bounds_95": [rounded(bounds.lower), rounded(bounds.upper)]})
    };
    let genuine = scores(outcomes, "bona_fide");
    let species: Vec<Value> = scenes::instruments()
        .map(|species| {
            let attacks = scores(outcomes, species.name());
            json!({
                "species": species.name(), "captures": all(species.name()), "judged": attacks.len(),
                "auc": rounded(area(&genuine, &attacks)),
                "apcer": with_rate(count(species.name(), GateStatus::Pass), attacks.len()),
            })
        })
        .collect();
    let mut report = json!({
        "simulated": true,
        "part": options.part.name(),
        "pack": pack.name(),
        "threshold": pack.presentation_attack_threshold(),
        "bona_fide": {
            "captures": all("bona_fide"), "judged": genuine.len(),
            "bpcer": with_rate(count("bona_fide", GateStatus::Fail), genuine.len()),
        },
        "species": species,
    });
    if let Some(threshold) = pack.presentation_attack_threshold().filter(|_| options.jitter > 0) {
        report["changed_by_moved_boxes"] = changed(threshold, outcomes, with_rate);
    }
    report
}

/// How many decisions on bona fide captures another box would have turned.
fn changed(threshold: f32, outcomes: &[&Outcome], with_rate: impl Fn(usize, usize) -> Value) -> Value {
    let genuine = outcomes.iter().filter(|o| o.shown == "bona_fide");
    let trials = genuine.filter_map(|o| o.score.map(|score| (score, &o.moved)));
    let turned = trials.flat_map(|(score, moved)| moved.iter().map(move |&m| (m >= threshold) != (score >= threshold)));
    let turned: Vec<bool> = turned.collect();
    with_rate(turned.iter().filter(|&&t| t).count(), turned.len())
}

/// Area under the curve: how often a bona fide capture scores above an attack. Both sorted.
fn area(genuine: &[f32], attacks: &[f32]) -> f64 {
    let above = |attack: &f32| {
        let below = genuine.partition_point(|g| g < attack);
        let same = genuine[below..].partition_point(|g| g <= attack);
        (genuine.len() - below - same) as f64 + same as f64 / 2.0
    };
    attacks.iter().map(above).sum::<f64>() / (genuine.len() * attacks.len()).max(1) as f64
}

fn rounded(rate: f64) -> f64 {
    (rate * 1e4).round() / 1e4
}
