//! How many real photographs of living people gate 3 would let pass. A photograph is no capture: it is shown alone, without
//! the other gates; its score is the fusion over one frame.

use crate::{
    crew::Crew,
    people::{self, Part},
};
use anyhow::Result;
use biometrics::error_rates::clopper_pearson;
use image::{codecs::jpeg::JpegEncoder, imageops::FilterType};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use vision::{Engine, fuse_bona_fide};

/// Longer sides are shrunk to this, as a browser would.
const LONGEST: u32 = 1024;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Pictures, one folder a person; left out where there is none
    #[arg(long)]
    images: Option<PathBuf>,
    /// Whose pictures
    #[arg(long, value_enum, default_value = "test")]
    part: Part,
    /// People, one picture each, at most
    #[arg(long, default_value_t = 300)]
    people: usize,
    /// A folder of more portraits
    #[arg(long, default_value = "target/portraits")]
    portraits: PathBuf,
    /// Pictures are enlarged by this
    #[arg(long, default_value_t = 1.0)]
    enlarge: f32,
}

pub(crate) fn run(crew: &Crew, options: &Options) -> Result<()> {
    let mut pictures = Vec::new();
    if let Some(images) = &options.images {
        let people = people::list(images, &[options.part])?.into_iter().take(options.people);
        pictures.extend(people.map(|person| ("people", person.path)));
    }
    let portraits = fs::read_dir(&options.portraits)?.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    let jpegs = portraits.into_iter().filter(|path| path.extension().is_some_and(|e| e == "jpg"));
    pictures.extend(jpegs.map(|path| ("portraits", path)));
    let scores = crew.run(pictures.len(), |engines, index| {
        let jpeg = camera(&fs::read(&pictures[index].1)?, options.enlarge)?;
        engines.iter_mut().map(|engine| score(engine, &jpeg)).collect::<Result<Vec<_>>>()
    })?;
    let mut reports = Vec::new();
    for (k, pack) in crew.packs.iter().enumerate() {
        for group in ["people", "portraits"] {
            let of_group = || pictures.iter().zip(&scores).filter(|(picture, _)| picture.0 == group);
            let mut judged: Vec<f32> = of_group().filter_map(|(_, scores)| scores[k]).collect();
            judged.sort_by(f32::total_cmp);
            let threshold = pack.presentation_attack_threshold();
            let passed = threshold.map(|t| judged.iter().filter(|&&s| s >= t).count());
            let bounds = passed.map(|p| clopper_pearson(p as u64, judged.len() as u64)).map(|b| [b.lower, b.upper]);
            reports.push(json!({
                "pack": pack.name(), "pictures": group, "shown": of_group().count(), "judged": judged.len(),
                "threshold": threshold, "passed": passed, "bounds_95": bounds,
                "median_score": judged.get(judged.len() / 2),
            }));
        }
    }
    println!("{:#}", Value::Array(reports));
    Ok(())
}

/// The picture as it would be sent.
fn camera(file: &[u8], enlarge: f32) -> Result<Vec<u8>> {
    let picture = image::load_from_memory(file)?;
    let longest = picture.width().max(picture.height());
    let wanted = ((longest as f32 * enlarge) as u32).min(LONGEST);
    if wanted == longest {
        return Ok(file.to_vec());
    }
    let picture = picture.resize(wanted, wanted, FilterType::CatmullRom).to_rgb8();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 92).encode_image(&picture)?;
    Ok(jpeg)
}

fn score(engine: &mut Engine, jpeg: &[u8]) -> Result<Option<f32>> {
    let Some(sample) = engine.sample(jpeg)? else { return Ok(None) };
    Ok(engine.bona_fide(jpeg, &sample.face)?.and_then(|answers| fuse_bona_fide(&[answers])))
}
