//! What the builder needs to know of a pack's manifest: its files and their digests.
//!
//! Must never know what the models mean; that is for the crate that runs them. Invariant: the manifest is copied into the
//! pack byte for byte, so what was reviewed is what is loaded.

use crate::places;
use anyhow::{Context, bail};
use std::{fs, path::PathBuf};
use toml::{Table, Value};

/// A committed manifest.
pub(crate) struct Manifest {
    pub(crate) name: String,
    /// The file as committed.
    pub(crate) text: String,
    /// Every model file, each once.
    pub(crate) files: Vec<Entry>,
    /// The calibration tables.
    pub(crate) tables: Vec<CalibrationTable>,
}

/// A calibration table of a pack.
pub(crate) struct CalibrationTable {
    /// File name inside the pack.
    pub(crate) file: String,
    /// The committed table.
    pub(crate) source: PathBuf,
}

/// A model file of a pack.
pub(crate) struct Entry {
    pub(crate) file: String,
    pub(crate) sha256: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "compared with the sources by a test"))]
    pub(crate) source_sha256: String,
    pub(crate) note: String,
}

impl Manifest {
    /// Reads `deploy/pack/<name>.toml`.
    pub(crate) fn read(name: &str) -> anyhow::Result<Self> {
        let path = places::recipes().join(format!("{name}.toml"));
        let text = fs::read_to_string(&path).with_context(|| format!("there is no pack {name}"))?;
        let table: Table = toml::from_str(&text).with_context(|| format!("deploy/pack/{name}.toml"))?;
        let recogniser = table.get("recogniser").and_then(Value::as_table).context("a manifest without recogniser")?;
        let precision = string(recogniser, "precision")?;
        let own_name = string(&table, "name")?;
        // `standard-fp32` and `standard` differ in precision only, and so do their calibration tables.
        let family = own_name.trim_end_matches("-fp32");
        let table_for = |role: &Table, suffix: &str| -> anyhow::Result<CalibrationTable> {
            let source = places::recipes().join(format!("calibration/{family}-{suffix}.json"));
            Ok(CalibrationTable { file: plain_name(string(role, "calibration")?)?, source })
        };
        let mut tables = vec![table_for(recogniser, &precision)?];
        if let Some(role) = table.get("presentation_attack_calibration").and_then(Value::as_table) {
            tables.push(table_for(role, "pad")?);
        }
        let roles = table.values().flat_map(|value| match value {
            Value::Array(list) => list.iter().collect(),
            other => vec![other],
        });
        let mut files = Vec::new();
        for role in roles.filter_map(Value::as_table).filter(|role| role.contains_key("file")) {
            let entry = entry(role)?;
            // One model may be used for several crops.
            if files.iter().all(|before: &Entry| before.file != entry.file) {
                files.push(entry);
            }
        }
        Ok(Self { files, tables, name: own_name, text })
    }
}

fn entry(role: &Table) -> anyhow::Result<Entry> {
    let provenance = role.get("provenance").and_then(Value::as_table).context("a model without provenance")?;
    Ok(Entry {
        file: plain_name(string(role, "file")?)?,
        sha256: string(role, "sha256")?,
        source_sha256: string(provenance, "source_sha256")?,
        note: string(provenance, "note")?,
    })
}

fn string(table: &Table, key: &str) -> anyhow::Result<String> {
    let value = table.get(key).and_then(Value::as_str);
    Ok(value.with_context(|| format!("a manifest without {key}"))?.to_owned())
}

fn plain_name(file: String) -> anyhow::Result<String> {
    if file.contains(['/', '\\']) || file.starts_with('.') {
        bail!("{file:?} is not a plain file name");
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;

    #[test]
    fn every_pack_has_its_calibration_table() {
        for (pack, files) in [("base", 5), ("standard", 8), ("standard-fp32", 8)] {
            let manifest = Manifest::read(pack).unwrap();
            assert_eq!(manifest.name, pack);
            assert_eq!(manifest.files.len(), files);
            for table in &manifest.tables {
                let digest = digest::of(&table.source).unwrap();
                assert!(manifest.text.contains(&digest), "{pack}: names {} by digest {digest}", table.file);
                let text = fs::read_to_string(&table.source).unwrap();
                let bound = manifest.files.iter().any(|entry| text.contains(&entry.sha256));
                assert!(bound, "{pack}: {} is bound to its models", table.file);
            }
        }
    }

    #[test]
    fn file_outside_the_pack_is_refused() {
        assert!(plain_name("../model.onnx".to_owned()).is_err());
        assert!(plain_name("model.onnx".to_owned()).is_ok());
    }
}
