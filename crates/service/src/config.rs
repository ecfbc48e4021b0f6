//! One TOML file per process. A refusal names file, line, column and field; unknown fields are refused where the type says
//! `#[serde(deny_unknown_fields)]`, which every config type does.
//!
//! Must never hold a secret: secrets are file paths.

#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Most bytes of a config file.
const MAX_BYTES: u64 = 1 << 20;

/// Why a config file was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than 1 MiB.
    #[error("{}: larger than 1 MiB", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML, or not the TOML of this process.
    #[error("{}:{line}:{column}: field `{field}`: {}", path.display(), source.message())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// Dotted path of the field as far as it is known; `?` where the file is not TOML.
        field: Box<str>,
        /// What the parser said.
        source: Box<toml::de::Error>,
    },
}

/// Reads a config file.
///
/// # Errors
/// See [`ConfigError`].
pub fn load<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<T, ConfigError> {
    let path = path.as_ref();
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(ConfigError::TooLarge { path: path.to_owned() });
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    toml::from_str(&text).map_err(|source| invalid(path, &text, source))
}

fn invalid(path: &Path, text: &str, source: toml::de::Error) -> ConfigError {
    let at = source.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    ConfigError::Invalid {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        field: field_at(text, line_start, source.message()).into(),
        source: Box::new(source),
    }
}

/// The field an error at this line is about: the table in force there, and the name the parser gives or the line's key.
fn field_at(text: &str, line_start: usize, message: &str) -> String {
    let line = text[line_start..].lines().next().unwrap_or_default().trim();
    let header = |line: &str| {
        let inner = line.trim().strip_prefix('[')?.split(']').next()?;
        Some(inner.trim_start_matches('[').trim().to_owned())
    };
    let table = header(line).or_else(|| text[..line_start].lines().rev().find_map(header));
    let named = ["unknown field `", "missing field `"]
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix)?.split('`').next());
    let key = named.or_else(|| line.split_once('=').map(|(key, _)| key.trim()).filter(|key| !key.is_empty()));
    match (table, key) {
        (Some(table), Some(key)) => format!("{table}.{key}"),
        (Some(table), None) => table,
        (None, Some(key)) => key.to_owned(),
        (None, None) => "?".to_owned(),
    }
}
