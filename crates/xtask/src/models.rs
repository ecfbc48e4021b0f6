//! Making one model file of a pack: found ready in the caller's folder, or converted from the file it comes from.
//!
//! Invariant: what leaves here has the digest that the manifest, or the next converter, pins.

use crate::{
    digest,
    download::{self, Folder},
    places,
    progress::Progress,
    python::Python,
    sources::{Member, Model, Origin, Sources},
};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// What making models takes, for the length of one command.
pub(crate) struct Workshop<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) given: Folder,
    pub(crate) python: Python,
    pub(crate) progress: &'a Progress,
    pub(crate) scratch: tempfile::TempDir,
}

impl Workshop<'_> {
    /// Puts the model `file` with this digest at `target`, and tells where it came from.
    pub(crate) fn make(&self, file: &str, sha256: &str, target: &Path) -> anyhow::Result<String> {
        if let Some(ready) = self.given.find(sha256) {
            digest::place(ready, target, sha256)?;
            return Ok("from the given folder".to_owned());
        }
        let model = self.sources.model(file)?;
        if let Origin::Own = self.sources.origin(model)? {
            digest::place(&places::root().join(&model.path), target, sha256)?;
            return Ok(format!("from this repository, {}", model.path));
        }
        let (original, origin) = self.original(model)?;
        self.progress.doing(format!("converting {file}"));
        self.python.install_tools()?;
        let converted = self.scratch.path().join(file);
        let arguments = [model.converter.as_ref(), original.as_os_str(), converted.as_os_str()];
        self.python.script("convert.py", &arguments).with_context(|| format!("cannot convert {file}"))?;
        digest::place(&converted, target, sha256)?;
        Ok(format!("converted from {origin}"))
    }

    /// The file that `model` is made from, verified, and where it came from.
    fn original(&self, model: &Model) -> anyhow::Result<(PathBuf, String)> {
        let Model { path, sha256, .. } = model;
        match self.sources.origin(model)? {
            Origin::Package(package) => {
                let archive = download::package(package, &self.python, self.progress)?;
                let original = self.scratch.path().join(format!("{}.original", model.file));
                self.progress.doing(format!("unpacking {path}"));
                self.python.extract(&archive, &[(path.clone(), original.clone())])?;
                digest::require(&original, sha256, path)?;
                Ok((original, format!("{}=={}", package.name, package.version)))
            }
            Origin::Repository(repository) => {
                self.progress.doing(format!("fetching {path} of {}", repository.name));
                let member = Member { path: path.clone(), sha256: sha256.clone() };
                let (original, how) = download::repository_file(repository, &member, &self.given, &self.python)?;
                Ok((original, format!("{}@{:.8} {path} ({how})", repository.name, repository.commit)))
            }
            Origin::Own => Ok((places::root().join(path), path.clone())),
            Origin::Model(before) => {
                let original = self.scratch.path().join(format!("{}.original", model.file));
                let origin = self.make(&before.file, sha256, &original)?;
                Ok((original, format!("{} ({origin})", before.file)))
            }
        }
    }
}
