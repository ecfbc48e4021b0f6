//! `countersign pack verify|describe`: what a worker would check before it makes a session, and what a pack holds.

use crate::outcome::Outcome;
use comfy_table::{Table, presets};
use serde_json::json;
use std::path::PathBuf;

/// Check or describe a model pack.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Pack {
    /// Check every file against the manifest; with ONNX Runtime also load the models and run the known-answer test.
    Verify {
        /// Directory of the pack.
        pack: PathBuf,
        /// ONNX Runtime's shared library.
        #[arg(long, env = "COUNTERSIGN_ONNXRUNTIME", value_name = "FILE")]
        onnxruntime: Option<PathBuf>,
    },
    /// Show models, digests, feature space and operating points.
    Describe {
        /// Directory of the pack.
        pack: PathBuf,
        /// One JSON object instead of tables.
        #[arg(long)]
        json: bool,
    },
}

impl Pack {
    /// Opens the pack and does what was asked. A pack that does not open is refused, naming file and reason.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let (Self::Verify { pack: directory, .. } | Self::Describe { pack: directory, .. }) = &self;
        let pack = match vision::Pack::open(directory) {
            Ok(pack) => pack,
            Err(refused) => {
                eprintln!("refused: {refused}");
                return Ok(Outcome::Refused);
            }
        };
        match self {
            Self::Verify { onnxruntime, .. } => verify(&pack, onnxruntime),
            Self::Describe { json, .. } => describe(&pack, json),
        }
    }
}

fn verify(pack: &vision::Pack, onnxruntime: Option<PathBuf>) -> anyhow::Result<Outcome> {
    println!("{}: every file is what the manifest says", pack.name());
    let Some(library) = onnxruntime else {
        println!("{}: the known-answer test needs --onnxruntime; not run", pack.name());
        return Ok(Outcome::Done);
    };
    let runtime = vision::Runtime::load(&library)?;
    let options = vision::EngineOptions::default();
    let made = vision::Engine::new(&runtime, pack, options)
        .and_then(|engine| engine.with_presentation_attack(&runtime, pack, options));
    let mut engine = match made {
        Ok(engine) => engine,
        Err(refused) => {
            eprintln!("refused: {:#}", anyhow::Error::from(refused));
            return Ok(Outcome::Refused);
        }
    };
    if let Err(refused) = engine.self_test() {
        eprintln!("refused: {:#}", anyhow::Error::from(refused));
        return Ok(Outcome::Refused);
    }
    println!("{}: the models load and give the known answer", pack.name());
    Ok(Outcome::Done)
}

fn describe(pack: &vision::Pack, as_json: bool) -> anyhow::Result<Outcome> {
    let manifest = pack.manifest();
    let points = &pack.calibration().operating_points;
    if as_json {
        let whole = json!({
            "name": pack.name(),
            "version": manifest.version,
            "feature_space": pack.feature_space(),
            "calibration": pack.calibration_id(),
            "models": pack.digests(),
            "operating_points": points,
            "presentation_attack_threshold": pack.presentation_attack_threshold(),
        });
        println!("{}", serde_json::to_string_pretty(&whole)?);
        return Ok(Outcome::Done);
    }
    println!("pack           {} {}", pack.name(), manifest.version);
    println!("feature space  {}", pack.feature_space());
    println!("calibration    {}", pack.calibration_id());
    match pack.presentation_attack_threshold() {
        Some(threshold) => println!("gate 3         from {threshold:.3} log-odds of a bona fide presentation on"),
        None => println!("gate 3         no operating point: NOT_RUN, and no production policy is taken"),
    }
    let mut models = Table::new();
    models.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header(["model", "licence", "from", "SHA-256"]);
    let (detector, landmarks, recogniser) = (&manifest.detector, &manifest.landmarks, &manifest.recogniser);
    models.add_row(["detector", &detector.licence, &detector.provenance.source, &detector.sha256]);
    models.add_row(["landmarks", &landmarks.licence, &landmarks.provenance.source, &landmarks.sha256]);
    models.add_row(["recogniser", &recogniser.licence, &recogniser.provenance.source, &recogniser.sha256]);
    for pad in &manifest.presentation_attack {
        models.add_row([&format!("PAD {}", pad.name), &pad.licence, &pad.provenance.source, &pad.sha256]);
    }
    println!("{models}");
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header(["FMR", "threshold", "FNMR"]);
    for point in points {
        table.add_row([
            format!("{:e}", point.fmr),
            format!("{:.4}", point.threshold),
            format!("{:.2} %", point.fnmr * 100.0),
        ]);
    }
    println!("{table}");
    Ok(Outcome::Done)
}
