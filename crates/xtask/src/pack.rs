//! `cargo xtask pack`: builds a model pack under `target/packs` from its committed manifest.
//!
//! Invariant: the manifest is written last, so a folder that holds one holds a complete and verified pack.

use crate::{
    digest,
    download::Folder,
    licences,
    manifest::{CalibrationTable, Manifest},
    models::Workshop,
    places, portraits,
    progress::Progress,
    python::Python,
    runtime,
    sources::Sources,
};
use anyhow::Context;
use clap::ValueEnum;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

/// Which pack, and what of it the caller has already.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The pack
    #[arg(value_enum)]
    name: Name,
    /// A folder with files of the pack or with what they are converted from; found by digest, whatever their names
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// The recogniser in full precision (base always is): builds target/packs/standard-fp32
    #[arg(long)]
    fp32: bool,
}

impl Arguments {
    /// The named pack, from wherever its files are found.
    pub(crate) const fn new(name: Name, fp32: bool) -> Self {
        Self { name, source: None, fp32 }
    }

    /// Folder of the pack under `target/packs`.
    pub(crate) const fn pack(&self) -> &'static str {
        match (self.name, self.fp32) {
            (Name::Base, _) => "base",
            (Name::Standard, false) => "standard",
            (Name::Standard, true) => "standard-fp32",
        }
    }
}

/// The packs there are.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Name {
    /// Everything from two registry packages, free to use
    Base,
    /// A better recogniser and presentation attack detection, from public repositories
    Standard,
}

/// Builds the pack, then fetches the runtime and the portraits.
#[expect(clippy::disallowed_methods, reason = "tells the user how long it took; xtask knows no crate with a clock")]
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let started = Instant::now();
    let name = arguments.pack();
    let sources = Sources::read()?;
    let manifest = Manifest::read(name)?;
    let pack = places::target().join("packs").join(&manifest.name);
    if is_complete(&manifest, &sources, &pack)? {
        println!("pack {name}: complete, {} digests verified, left alone", manifest.files.len());
    } else {
        build(arguments, &manifest, &sources, &pack)?;
    }
    runtime::fetch(&sources)?;
    portraits::fetch(&sources)?;
    println!("{} in {:.1} s", relative(&pack), started.elapsed().as_secs_f32());
    Ok(())
}

/// Whether the finished pack is there, down to every digest.
fn is_complete(manifest: &Manifest, sources: &Sources, pack: &Path) -> anyhow::Result<bool> {
    let same = |file: &str, wanted: &[u8]| fs::read(pack.join(file)).is_ok_and(|found| found == wanted);
    let licences = licences::expected(manifest, sources)?;
    Ok(same("pack.toml", manifest.text.as_bytes())
        && tables(manifest)?.iter().all(|(file, table)| same(file, table))
        && manifest.files.iter().all(|entry| digest::matches(&pack.join(&entry.file), &entry.sha256))
        && licences.iter().all(|(file, sha256)| digest::matches(&pack.join("LICENSES").join(file), sha256)))
}

fn build(arguments: &Arguments, manifest: &Manifest, sources: &Sources, pack: &Path) -> anyhow::Result<()> {
    let progress = Progress::new(manifest.files.len() + 1);
    progress.note(format!("pack {}:", manifest.name));
    fs::create_dir_all(pack)?;
    // Present only in a complete pack.
    let _ = fs::remove_file(pack.join("pack.toml"));
    let workshop = Workshop {
        sources,
        given: given(arguments, &progress)?,
        python: Python::find()?,
        progress: &progress,
        scratch: tempfile::tempdir()?,
    };
    for entry in &manifest.files {
        let target = pack.join(&entry.file);
        let origin = if digest::matches(&target, &entry.sha256) {
            "there already".to_owned()
        } else {
            workshop.make(&entry.file, &entry.sha256, &target)?
        };
        progress.done(format!("  {}: {origin}; {:.16} verified\n    {}", entry.file, entry.sha256, entry.note));
    }
    progress.doing("licences, calibration and manifest");
    licences::collect(manifest, &workshop, pack)?;
    for (file, table) in tables(manifest)? {
        digest::write(&pack.join(file), &table)?;
    }
    digest::write(&pack.join("pack.toml"), manifest.text.as_bytes())?;
    progress.done("  pack.toml, calibration tables and licences: written");
    Ok(())
}

/// The folder named by the caller; for `standard` otherwise the one beside the repository, if there is one.
fn given(arguments: &Arguments, progress: &Progress) -> anyhow::Result<Folder> {
    if let Some(folder) = &arguments.source {
        progress.note(format!("  looking first in {}", folder.display()));
        return Folder::read(folder);
    }
    let beside = places::root().join("../shared/models");
    if matches!(arguments.name, Name::Standard) && beside.is_dir() {
        progress
            .note("  looking first in ../shared/models, which lies beside this repository (--source names another)");
        return Folder::read(&beside);
    }
    Ok(Folder::default())
}

/// File name and content of each calibration table.
fn tables(manifest: &Manifest) -> anyhow::Result<Vec<(&str, Vec<u8>)>> {
    let read = |table: &'_ CalibrationTable| {
        let missing = || format!("the pack's calibration table is missing: {}", relative(&table.source));
        fs::read(&table.source).with_context(missing)
    };
    manifest.tables.iter().map(|table| Ok((table.file.as_str(), read(table)?))).collect()
}

/// A path as seen from the workspace's root.
pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(places::root()).unwrap_or(path).display().to_string()
}
