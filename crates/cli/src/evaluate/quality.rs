//! `countersign evaluate quality`: whether gate 2 names the defect that a simulated frame was given (ISO/IEC 29794-5 components).
//!
//! Must never know: other gates. Invariant: a defect counts as named when the gate does not pass and its reason is among those
//! told; frames without a defect are the control.

mod defect;

use super::{
    crew::Crew,
    people::{Drawn, Part, Person, Selection},
    presentation::report,
    rates::{Clustered, Share},
    setup::Setup,
};
use anyhow::{Context, Result};
use biometrics::{GateReason, GateStatus};
use defect::Defect;
use serde::Serialize;
use serde_json::json;
use std::{collections::BTreeMap, path::PathBuf};
use vision::{Engine, ExamineOptions, Frame};

/// What to evaluate on what.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Quality {
    /// Simulate frames of the people of this folder (one folder with *.jpg per person).
    #[arg(long, value_name = "DIR")]
    faces: PathBuf,
    #[command(flatten)]
    setup: Setup,
    /// Frames with each defect.
    #[arg(long, default_value_t = 200)]
    frames: usize,
    /// Inter-eye distance that the quality gate asks for, in pixels.
    #[arg(long, default_value_t = 60)]
    min_inter_eye: u32,
    /// Take the people that gates 1 and 4 were tuned on: for setting limits, never for figures.
    #[arg(long)]
    tuning: bool,
}

/// What became of the frames with one defect.
#[derive(Debug, Serialize)]
struct Row {
    defect: Defect,
    /// The reason that names it; without a defect there is none, and the gate is to pass.
    expected: Option<GateReason>,
    /// Frames of which the gate said what it should.
    agreed: Option<Share>,
    /// What else was told, by reason.
    others: BTreeMap<String, u64>,
}

/// Runs one evaluation and prints it.
pub(super) fn run(options: &Quality) -> Result<()> {
    let ready = options.setup.ready()?;
    let (crew, name, seed) = (ready.crew(false), ready.pack.name(), options.setup.seed);
    let part = if options.tuning { Part::Tune } else { Part::Measure };
    let asked = Selection { part, seed, enough: options.frames.max(1) + 1 };
    let drawn = Drawn::new(&crew, &options.faces, asked)?;
    let rows = measure(&crew, &drawn.people, options)?;
    options.setup.write(&json!({
        "simulated": true,
        "pack": name,
        "seed": seed,
        "split": drawn.value(),
        "defects": rows,
    }))?;
    println!("Simulated frames, pack {name}, seed {seed}: engineering figures\n{}", drawn.told());
    println!("{}", table(&rows));
    Ok(())
}

fn measure(crew: &Crew<'_>, people: &[Person], options: &Quality) -> Result<Vec<Row>> {
    let asked = ExamineOptions { min_inter_eye_px: options.min_inter_eye, presentation_attack: false, previous: false };
    let jobs: Vec<(Defect, usize)> =
        Defect::ALL.into_iter().flat_map(|defect| (0..options.frames).map(move |number| (defect, number))).collect();
    let found = crew.each(("frames", jobs.len()), |engine, index| {
        let (defect, number) = jobs[index];
        let frame = frame(engine, people, (defect, number, options.setup.seed))?;
        let quality = engine.examine(&[Frame { jpeg: &frame, offset_ms: 0 }], asked)?.quality;
        Ok((quality.status, quality.reasons))
    })?;
    let row = |defect: Defect| {
        let (mut agreed, mut others) = (Clustered::default(), BTreeMap::new());
        for ((_, number), (status, reasons)) in jobs.iter().zip(&found).filter(|((d, _), _)| *d == defect) {
            let said = match defect.reason() {
                Some(reason) => *status != GateStatus::Pass && reasons.contains(&reason),
                None => *status == GateStatus::Pass,
            };
            agreed.count((number % people.len()) as u32, said);
            for other in reasons.iter().filter(|reason| Some(**reason) != defect.reason()) {
                *others.entry(code(*other)).or_default() += 1;
            }
        }
        Row { defect, expected: defect.reason(), agreed: agreed.share(), others }
    };
    Ok(Defect::ALL.map(row).into_iter().collect())
}

/// One frame with a defect.
fn frame(engine: &mut Engine, people: &[Person], (defect, number, seed): (Defect, usize, u64)) -> Result<Vec<u8>> {
    let at = |place: usize| &people[place % people.len()];
    let mut portrait = |place| at(place).portrait(engine)?.context("a portrait shows no face any more");
    let (first, second) = (portrait(number)?, portrait(number + 1)?);
    defect.frame(engine, [&first, &second], (seed, number))
}

fn table(rows: &[Row]) -> comfy_table::Table {
    let mut grid = report::grid(["defect", "reason that names it", "named", "95 %", "also told"]);
    for row in rows {
        let others: Vec<String> = row.others.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        let bounds = |s: Share| format!("{:.1} – {:.1} %", s.lower * 100.0, s.upper * 100.0);
        let named = |s: Share| format!("{:.1} %, {} of {}", s.share * 100.0, s.count, s.of);
        grid.add_row([
            row.defect.name().to_owned(),
            row.expected.map_or("none: PASS".to_owned(), code),
            row.agreed.map_or("absent".to_owned(), named),
            row.agreed.map_or("absent".to_owned(), bounds),
            if others.is_empty() { "-".to_owned() } else { others.join("; ") },
        ]);
    }
    grid
}

fn code(reason: GateReason) -> String {
    json!(reason).as_str().unwrap_or_default().to_owned()
}
