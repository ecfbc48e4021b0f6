//! `cargo xtask train-pad`: trains the presentation attack detectors of our own again, from the listed pictures to the
//! committed bytes.
//!
//! Must never know: layers, crops. Invariant: committed weights change only when asked for with `--accept`.

use crate::{
    command::{self, Tool},
    digest,
    pack::{self, Arguments, Name},
    places,
    python::Python,
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

/// The detectors, each named after the view it sees.
const VIEWS: [&str; 2] = ["skin", "wide"];

/// Where the pictures are and what becomes of the result.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Pictures, one folder a person; those of deploy/pad/data.txt are found by name and digest
    #[arg(long, default_value = "../shared/faces/lfw-dev")]
    images: PathBuf,
    /// Use views that were rendered before
    #[arg(long)]
    rendered: bool,
    /// Replace the committed weights and record with what was trained
    #[arg(long)]
    accept: bool,
}

/// Renders, trains and compares.
pub(crate) fn run(options: &Options) -> Result<()> {
    let images = places::root().join(&options.images);
    if !options.rendered && !images.is_dir() {
        let missing = options.images.display();
        println!("skipped: train-pad: no pictures in {missing} (--images names another folder); nothing was trained");
        return Ok(());
    }
    let python = Python::find()?;
    python.install_tools()?;
    let place = places::target().join("pad");
    let data = match options.rendered {
        true => fs::read_to_string(place.join("data.sha256")).context("nothing was rendered before")?,
        false => render(&images, &place)?,
    };
    command::say(&format!("rendered views: {data}"));
    let mut record = Map::new();
    record.insert("data_sha256".to_owned(), json!(data));
    let figures = thread::scope(|scope| {
        let threads = VIEWS.map(|view| scope.spawn(|| train(&place, view)));
        let join = |t: thread::ScopedJoinHandle<'_, _>| t.join().unwrap_or_else(|_| bail!("training died"));
        threads.into_iter().map(join).collect::<Result<Vec<Value>>>()
    })?;
    for (view, figures) in VIEWS.into_iter().zip(figures) {
        let sha256 = digest::of(&place.join(file(view)))?;
        command::say(&format!("{}: {sha256}", file(view)));
        record.insert(view.to_owned(), json!({"sha256": sha256, "figures": figures}));
    }
    conclude(&place, &Value::Object(record), options.accept)
}

/// Renders all views and returns the digest of all of them.
fn render(images: &Path, place: &Path) -> Result<String> {
    pack::run(&Arguments::new(Name::Base, false))?;
    command::say("rendering views of the listed pictures (several minutes)");
    let said = Tool::new("cargo")
        .args(["run", "--locked", "--quiet", "-p", "countersign-simulator", "--example", "presentation", "--", "views"])
        .arg("--images")
        .arg(images)
        .arg("--list")
        .arg(recipes().join("data.txt"))
        .arg("--out")
        .arg(place)
        .output()?;
    let data = said.trim().to_owned();
    fs::write(place.join("data.sha256"), &data)?;
    Ok(data)
}

/// Trains one detector and returns its figures on people it was not trained on.
fn train(place: &Path, view: &str) -> Result<Value> {
    command::say(&format!("training on {view} (several minutes)"));
    let said = Tool::new("python3")
        .arg(recipes().join("train.py"))
        .arg(place.join(view))
        .arg(place.join(file(view)))
        .env("PYTHONPATH", places::target().join("python/pack"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()?;
    serde_json::from_str(&said).context("train.py printed no figures")
}

/// Compares with what is committed, or commits.
fn conclude(place: &Path, record: &Value, accept: bool) -> Result<()> {
    let committed = recipes().join("record.json");
    if accept {
        for view in VIEWS {
            fs::copy(place.join(file(view)), recipes().join(file(view)))?;
        }
        fs::write(committed, format!("{record:#}\n"))?;
        command::say("weights and record replaced; now put the digests into the manifests and calibrate the packs");
        return Ok(());
    }
    let before: Value = serde_json::from_str(&fs::read_to_string(committed)?)?;
    let same = |key: &str| before[key] == record[key];
    if !same("data_sha256") {
        command::say("the views differ from the committed record's: this processor or compiler rounds differently");
    }
    let different: Vec<_> = VIEWS.into_iter().filter(|view| before[view]["sha256"] != record[view]["sha256"]).collect();
    if different.is_empty() {
        command::say("the weights are the committed ones, bit by bit");
        return Ok(());
    }
    println!("{record:#}");
    ensure!(!same("data_sha256"), "equal views gave other weights: {different:?}; is numpy or the processor another?");
    bail!("other views gave other weights: {different:?}; compare the figures above with deploy/pad/record.json")
}

fn recipes() -> PathBuf {
    places::root().join("deploy/pad")
}

fn file(view: &str) -> String {
    format!("countersign_pad_{view}.onnx")
}
