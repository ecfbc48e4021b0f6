//! Every refusal names the place.

use super::*;
use serde::Deserialize;
use std::io::Write as _;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    name: String,
    listen: Listen,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listen {
    port: u16,
}

fn read(text: &str) -> Result<Sample, ConfigError> {
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    load(file.path())
}

fn place(text: &str) -> (usize, String) {
    match read(text) {
        Err(ConfigError::Invalid { line, field, .. }) => (line, field.into()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_file_is_read() {
    let read = read("name = \"a\"\n[listen]\nport = 8443\n").unwrap();
    assert_eq!((read.name.as_str(), read.listen.port), ("a", 8443));
}

#[test]
fn a_refusal_names_line_and_field() {
    assert_eq!(place("name = \"a\"\n\n[listen]\nport = \"x\"\n"), (4, "listen.port".into()));
    assert_eq!(place("name = \"a\"\n[listen]\nport = 1\nprot = 2\n"), (4, "listen.prot".into()));
    assert_eq!(place("nmae = \"a\"\n[listen]\nport = 1\n"), (1, "nmae".into()));
    assert_eq!(place("name = \"a\"\n[listen]\n"), (2, "listen.port".into()));
    assert_eq!(place("name = \"a\"\n[listen]\nport = 70000\n"), (3, "listen.port".into()));
    assert_eq!(place("name = \"a\"\nname = \"b\"\n"), (2, "name".into()));
}

#[test]
fn the_message_starts_with_file_line_and_column() {
    let text = read("name = \"a\"\n[listen]\nport = \"x\"\n").unwrap_err().to_string();
    assert!(text.contains(".toml:3:8: field `listen.port`: invalid type"), "{text}");
}

#[test]
fn garbage_a_missing_file_and_a_huge_one_are_refused() {
    assert!(matches!(read("\u{1}{{{"), Err(ConfigError::Invalid { line: 1, .. })));
    assert_eq!(place("= = garbage"), (1, "?".into()));
    assert!(matches!(load::<Sample>("absent.toml"), Err(ConfigError::Unreadable { .. })));
    assert!(matches!(read(&" ".repeat((1 << 20) + 1)), Err(ConfigError::TooLarge { .. })));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&[0xff, 0xfe]).unwrap();
    assert!(matches!(load::<Sample>(file.path()), Err(ConfigError::Unreadable { .. })));
}
