//! Training data: what a detector would see of bona fide captures and of every instrument, cut by the engine itself.

use crate::{
    crew::Crew,
    people::{self, Part, Person},
    scenes::{self, Cast, Shown},
};
use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use simulator::Species;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};
use vision::{
    Engine, Face,
    pack::manifest::{Crop, CropBox, CropEdge, CropFilter, CropShape},
};

/// Views are stored larger than the network's input by this, for crops that move.
const SIDE: usize = 108;
/// The network's input.
const INPUT: usize = 96;
/// Frames of a bona fide capture and of an attack.
const FRAMES: [usize; 2] = [4, 3];
/// Instruments that each person is attacked with, in turn.
const INSTRUMENTS: usize = 3;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Pictures, one folder a person, in any arrangement: they are found by digest
    #[arg(long)]
    images: PathBuf,
    /// The list of pictures: a line `SHA-256 part` for each
    #[arg(long)]
    list: PathBuf,
    /// Where the views go
    #[arg(long)]
    out: PathBuf,
    /// Write the list instead of the views
    #[arg(long)]
    make_list: bool,
    /// With --make-list: people to train on, at most
    #[arg(long, default_value_t = 400)]
    train: usize,
    /// With --make-list: people to measure the views on, at most
    #[arg(long, default_value_t = 100)]
    test: usize,
}

/// The crops that the models are trained for.
fn crops() -> [(&'static str, Crop); 2] {
    let crop = |scale: f32, edge| Crop {
        rectangle: CropBox::Mesh,
        scale: scale * SIDE as f32 / INPUT as f32,
        shape: CropShape::Square,
        edge,
        filter: CropFilter::Linear,
    };
    [("skin", crop(0.75, CropEdge::Reflect)), ("wide", crop(2.7, CropEdge::Shift))]
}

/// One view in every crop, and what it shows.
struct View {
    pixels: Vec<Vec<u8>>,
    shown: &'static str,
}

pub(crate) fn run(crew: &Crew, options: &Options) -> Result<()> {
    let people = people::list(&options.images, &[Part::Train, Part::Test])?;
    if options.make_list {
        let of = |part, most| people.iter().filter(move |p| p.part == part).take(most);
        let all = of(Part::Train, options.train).chain(of(Part::Test, options.test));
        let mut lines: Vec<_> = all.map(|p| format!("{} {}\n", p.sha256, p.part.name())).collect();
        lines.sort();
        fs::write(&options.list, lines.concat())?;
        return Ok(());
    }
    let listed = fs::read_to_string(&options.list)?;
    let listed: BTreeMap<&str, &str> = listed.lines().filter_map(|line| line.split_once(' ')).collect();
    let people: Vec<_> = people.into_iter().filter(|p| listed.get(p.sha256.as_str()) == Some(&p.part.name())).collect();
    ensure!(people.len() == listed.len(), "{} of {} listed pictures found", people.len(), listed.len());
    let views = crew.run(people.len(), |engines, index| {
        let attacker = &people[(index + 7) % people.len()];
        render(&mut engines[0], (&people[index], attacker), index).with_context(|| people[index].sha256.clone())
    })?;
    write(&options.out, &people, &views)
}

/// Everything that is rendered of one person.
fn render(engine: &mut Engine, (person, other): (&Person, &Person), index: usize) -> Result<Vec<View>> {
    let jpeg = fs::read(&person.path)?;
    let Some((portrait, face)) = people::portrait(engine, &jpeg)? else { return Ok(Vec::new()) };
    let attacker = people::portrait(engine, &fs::read(&other.path)?)?;
    let cast = Cast { victim: &portrait, attacker: attacker.as_ref().map(|(portrait, _)| portrait) };
    let instruments: Vec<Species> = scenes::instruments().collect();
    let turn = |k: usize| Some(instruments[(INSTRUMENTS * index + k) % instruments.len()]);
    let mut views = Vec::new();
    // The photograph itself: a real camera's picture of a real person keeps the model honest about rendering.
    views.extend(cut(engine, &jpeg, &face, None)?);
    for (k, shown) in [None].into_iter().chain((0..INSTRUMENTS).map(turn)).enumerate() {
        let frames = FRAMES[usize::from(shown.is_some())];
        let capture = scenes::capture(shown, &cast, scenes::seed(person, k as u64), frames)?;
        for frame in &capture.frames {
            let Some(sample) = engine.sample(&frame.jpeg)? else { continue };
            views.extend(cut(engine, &frame.jpeg, &sample.face, shown)?);
        }
    }
    Ok(views)
}

fn cut(engine: &mut Engine, jpeg: &[u8], face: &Face, shown: Shown) -> Result<Option<View>> {
    let mut pixels = Vec::new();
    for (_, crop) in crops() {
        let Some(view) = engine.presentation_view(jpeg, face, (&crop, SIDE))? else { return Ok(None) };
        pixels.push(view);
    }
    Ok(Some(View { pixels, shown: scenes::name(shown) }))
}

/// Writes pixels and rows and prints the digest of everything.
fn write(out: &Path, people: &[Person], views: &[Vec<View>]) -> Result<()> {
    let mut digest = Sha256::new();
    for (k, (name, _)) in crops().into_iter().enumerate() {
        let folder = out.join(name);
        fs::create_dir_all(&folder)?;
        let mut pixels = BufWriter::new(File::create(folder.join("views.bin"))?);
        let mut rows = String::new();
        for (index, (person, views)) in people.iter().zip(views).enumerate() {
            for view in views {
                pixels.write_all(&view.pixels[k])?;
                digest.update(&view.pixels[k]);
                rows += &format!("{index}\t{}\t{}\n", view.shown, person.part.name());
            }
        }
        pixels.flush()?;
        digest.update(&rows);
        fs::write(folder.join("rows.tsv"), rows)?;
    }
    println!("{}", hex::encode(digest.finalize()));
    Ok(())
}
