//! The licences of a pack's models, copied beside them.
//!
//! Invariant: a pack is not finished before the licence of every source is in it.

use crate::{
    digest, download,
    manifest::Manifest,
    models::Workshop,
    places,
    sources::{Model, Origin, Sources},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The licence of what this repository itself brings, as it is called in a pack.
const OWN: &str = "countersign.txt";

fn own() -> PathBuf {
    places::root().join("LICENSE")
}

/// Name and digest of each licence file that the pack must hold.
pub(crate) fn expected(manifest: &Manifest, sources: &Sources) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for model in roots(manifest, sources)? {
        match sources.origin(model)? {
            Origin::Package(package) => files.insert(file_name(&package.name), package.licence.sha256.clone()),
            Origin::Repository(repository) => {
                files.insert(file_name(&repository.name), repository.licence.sha256.clone())
            }
            Origin::Own => files.insert(OWN.to_owned(), digest::of(&own())?),
            Origin::Model(_) => None,
        };
    }
    Ok(files)
}

/// Puts the licences into the folder `LICENSES` of the pack.
pub(crate) fn collect(manifest: &Manifest, workshop: &Workshop<'_>, pack: &Path) -> anyhow::Result<()> {
    let sources = workshop.sources;
    for model in roots(manifest, sources)? {
        let (name, licence, original) = match sources.origin(model)? {
            Origin::Package(package) => {
                let archive = download::package(package, &workshop.python, workshop.progress)?;
                let original = workshop.scratch.path().join("licence");
                workshop.python.extract(&archive, &[(package.licence.path.clone(), original.clone())])?;
                (&package.name, &package.licence, original)
            }
            Origin::Repository(repository) => {
                let licence = &repository.licence;
                let found = download::repository_file(repository, licence, &workshop.given, &workshop.python)?;
                (&repository.name, licence, found.0)
            }
            Origin::Own => {
                digest::place(&own(), &pack.join("LICENSES").join(OWN), &digest::of(&own())?)?;
                continue;
            }
            Origin::Model(_) => continue,
        };
        digest::place(&original, &pack.join("LICENSES").join(file_name(name)), &licence.sha256)?;
    }
    Ok(())
}

/// The models that come from outside: those of the manifest, or what they are made from.
fn roots<'a>(manifest: &Manifest, sources: &'a Sources) -> anyhow::Result<Vec<&'a Model>> {
    let mut roots: BTreeMap<&str, &Model> = BTreeMap::new();
    for entry in &manifest.files {
        let mut model = sources.model(&entry.file)?;
        while let Origin::Model(before) = sources.origin(model)? {
            model = before;
        }
        let origin = model.package.as_deref().or(model.repository.as_deref()).unwrap_or_default();
        roots.insert(origin, model);
    }
    Ok(roots.into_values().collect())
}

fn file_name(source: &str) -> String {
    format!("{}.txt", source.replace('/', "-"))
}
