//! `deploy/pack/sources.toml` as types: where every fetched file comes from.
//!
//! Must never know how a file is fetched. Invariant: each source carries the SHA-256 of what it must deliver.

use crate::places;
use anyhow::Context;
use serde::Deserialize;
use std::fs;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sources {
    #[serde(rename = "package")]
    pub(crate) packages: Vec<Package>,
    #[serde(rename = "repository")]
    pub(crate) repositories: Vec<Repository>,
    #[serde(rename = "model")]
    pub(crate) models: Vec<Model>,
    pub(crate) runtime: Runtime,
    pub(crate) portraits: Portraits,
}

/// A package of the Python registry, used as an archive only.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) archive: String,
    pub(crate) sha256: String,
    pub(crate) licence: Member,
}

/// A public repository at one commit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) commit: String,
    pub(crate) licence: Member,
}

/// A file inside a package or a repository.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    pub(crate) path: String,
    pub(crate) sha256: String,
}

/// A model of some pack and the one file it is made from.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    pub(crate) file: String,
    pub(crate) converter: String,
    pub(crate) package: Option<String>,
    pub(crate) repository: Option<String>,
    /// Committed in this repository as it is, at `path`.
    #[serde(default)]
    pub(crate) own: bool,
    pub(crate) path: String,
    pub(crate) sha256: String,
}

/// What a model is made from.
pub(crate) enum Origin<'a> {
    Package(&'a Package),
    Repository(&'a Repository),
    Model(&'a Model),
    Own,
}

/// The ONNX Runtime inside its wheel.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Runtime {
    pub(crate) package: String,
    pub(crate) path: String,
    pub(crate) sha256: String,
}

/// The demo's portraits inside their package.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Portraits {
    pub(crate) package: String,
    pub(crate) folder: String,
    #[serde(rename = "person")]
    pub(crate) people: Vec<Person>,
}

/// One person's pictures.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) files: Vec<Portrait>,
}

/// One picture.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Portrait {
    pub(crate) file: String,
    pub(crate) sha256: String,
}

impl Sources {
    /// Reads the committed file.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let path = places::recipes().join("sources.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).context("deploy/pack/sources.toml")
    }

    pub(crate) fn package(&self, name: &str) -> anyhow::Result<&Package> {
        self.packages.iter().find(|p| p.name == name).with_context(|| format!("sources.toml has no package {name}"))
    }

    fn repository(&self, name: &str) -> anyhow::Result<&Repository> {
        let found = self.repositories.iter().find(|r| r.name == name);
        found.with_context(|| format!("sources.toml has no repository {name}"))
    }

    pub(crate) fn model(&self, file: &str) -> anyhow::Result<&Model> {
        self.models.iter().find(|m| m.file == file).with_context(|| format!("sources.toml has no model {file}"))
    }

    /// What `model` is made from.
    pub(crate) fn origin<'a>(&'a self, model: &'a Model) -> anyhow::Result<Origin<'a>> {
        Ok(match (&model.package, &model.repository) {
            _ if model.own => Origin::Own,
            (Some(name), _) => Origin::Package(self.package(name)?),
            (None, Some(name)) => Origin::Repository(self.repository(name)?),
            (None, None) => Origin::Model(self.model(&model.path)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    const PACKS: [&str; 3] = ["base", "standard", "standard-fp32"];

    #[test]
    fn every_file_of_every_pack_has_an_origin() {
        let sources = Sources::read().unwrap();
        for pack in PACKS {
            for entry in Manifest::read(pack).unwrap().files {
                sources.origin(sources.model(&entry.file).unwrap()).unwrap();
            }
        }
    }

    #[test]
    fn provenance_in_the_manifests_agrees_with_the_sources() {
        let sources = Sources::read().unwrap();
        for pack in PACKS {
            for entry in Manifest::read(pack).unwrap().files {
                let mut model = sources.model(&entry.file).unwrap();
                while let Origin::Model(before) = sources.origin(model).unwrap() {
                    model = before;
                }
                assert_eq!(entry.source_sha256, model.sha256, "{pack}: {}", entry.file);
            }
        }
    }

    #[test]
    fn converted_models_have_the_digest_the_next_converter_expects() {
        let sources = Sources::read().unwrap();
        let float = Manifest::read("standard-fp32").unwrap();
        for model in &sources.models {
            if let Origin::Model(before) = sources.origin(model).unwrap() {
                let made = float.files.iter().find(|entry| entry.file == before.file).unwrap();
                assert_eq!(made.sha256, model.sha256);
            }
        }
    }
}
