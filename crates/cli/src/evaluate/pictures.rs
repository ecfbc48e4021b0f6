//! Which pictures of whom an evaluation takes: a folder per person, the first N in name order, or a list of pairs.
//!
//! Invariant: the same folder gives the same list on every machine.

use anyhow::{Context, Result, bail, ensure};
use image::{codecs::jpeg::JpegEncoder, imageops::FilterType};
use std::{
    collections::BTreeMap,
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

/// One picture and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// Index of the identity in the order of names.
    pub(super) identity: u32,
    /// Where it lies.
    pub(super) path: PathBuf,
}

/// The chosen pictures, by identity and then by name.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    /// All of them.
    pub(super) all: Vec<Picture>,
    /// How many identities there are.
    pub(super) identities: u32,
}

/// Takes the first `per_person` pictures of each person's folder under `images`, in name order.
pub(super) fn by_person(images: &Path, per_person: usize) -> Result<Pictures> {
    let mut pictures = Pictures::default();
    for person in sorted(images)?.into_iter().filter(|path| path.is_dir()) {
        let files: Vec<PathBuf> = sorted(&person)?.into_iter().filter(|path| is_jpeg(path)).take(per_person).collect();
        if files.is_empty() {
            continue;
        }
        let identity = pictures.identities;
        pictures.all.extend(files.into_iter().map(|path| Picture { identity, path }));
        pictures.identities += 1;
    }
    ensure!(!pictures.all.is_empty(), "{} holds no folder with *.jpg in it (one folder per person)", images.display());
    Ok(pictures)
}

/// One line of a pairs file: two pictures and whether they show one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    /// Index into the pictures.
    pub(super) first: usize,
    /// Index into the pictures.
    pub(super) second: usize,
    /// Of one person.
    pub(super) genuine: bool,
}

/// Reads a pairs file in the format of LFW's `pairs.txt`: `name i j` is genuine, `name i other j` is not; numbers
/// count a person's pictures as `name/name_000i.jpg`. A first line of counts alone is passed over.
pub(super) fn by_pairs(images: &Path, file: &Path) -> Result<(Pictures, Vec<Pair>)> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut chosen: BTreeMap<(String, u32), usize> = BTreeMap::new();
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let index = |word: &str| word.parse::<u32>();
        let row = match words.as_slice() {
            [] | [_] | [_, _] => continue,
            [name, i, j] => index(i).and_then(|i| Ok(((name.to_string(), i), (name.to_string(), index(j)?), true))),
            [name, i, other, j] => {
                index(i).and_then(|i| Ok(((name.to_string(), i), (other.to_string(), index(j)?), false)))
            }
            _ => bail!("{}:{}: neither `name i j` nor `name i other j`", file.display(), number + 1),
        };
        let row =
            row.with_context(|| format!("{}:{}: a picture's number is not a number", file.display(), number + 1))?;
        chosen.insert(row.0.clone(), 0);
        chosen.insert(row.1.clone(), 0);
        rows.push(row);
    }
    ensure!(!rows.is_empty(), "{} holds no pair", file.display());
    let mut pictures = Pictures::default();
    let mut last: Option<String> = None;
    for (place, ((name, number), slot)) in chosen.iter_mut().enumerate() {
        if last.as_ref() != Some(name) {
            pictures.identities += 1;
            last = Some(name.clone());
        }
        *slot = place;
        let path = images.join(name).join(format!("{name}_{number:04}.jpg"));
        pictures.all.push(Picture { identity: pictures.identities - 1, path });
    }
    let pairs = rows.iter().map(|(a, b, genuine)| Pair { first: chosen[a], second: chosen[b], genuine: *genuine });
    let pairs = pairs.collect();
    Ok((pictures, pairs))
}

/// Longer side of a picture that was too large for a frame, in pixels.
const SHRUNK_PX: u32 = 1024;

/// Reads a picture as a JPEG file that the engine takes: as it is, or smaller where it is larger than a frame may be.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let size = image::ImageReader::new(Cursor::new(&bytes)).with_guessed_format()?.into_dimensions();
    let (width, height) = size.with_context(|| format!("{}", path.display()))?;
    if width.max(height) <= vision::MAX_SIDE_PX.into() && bytes.len() <= vision::MAX_FRAME_BYTES {
        return Ok(bytes);
    }
    let whole = image::load_from_memory(&bytes).with_context(|| format!("{}", path.display()))?;
    let small = whole.resize(SHRUNK_PX, SHRUNK_PX, FilterType::Triangle).to_rgb8();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 92).encode_image(&small)?;
    Ok(jpeg)
}

/// What a folder holds, in name order.
pub(super) fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Whether the name says that it is a JPEG file.
pub(super) fn is_jpeg(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jpg") || e.eq_ignore_ascii_case("jpeg"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_pictures_in_name_order_are_taken_and_empty_people_left_out() -> Result<()> {
        let dir = tempfile::tempdir()?;
        for (person, files) in
            [("b", vec!["b_2.jpg", "b_1.jpg", "b_3.jpg"]), ("a", vec!["a_1.jpg"]), ("c", vec!["c.txt"])]
        {
            fs::create_dir(dir.path().join(person))?;
            for file in files {
                fs::write(dir.path().join(person).join(file), b"")?;
            }
        }
        let got = by_person(dir.path(), 2)?;
        let names: Vec<_> = got.all.iter().map(|p| (p.identity, p.path.file_name().map(ToOwned::to_owned))).collect();
        assert_eq!(names, [(0, Some("a_1.jpg".into())), (1, Some("b_1.jpg".into())), (1, Some("b_2.jpg".into()))]);
        assert_eq!(got.identities, 2);
        Ok(())
    }

    #[test]
    fn pairs_file_gives_genuine_and_impostor_pairs() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("pairs.txt");
        fs::write(&file, "10\t300\nann\t1\t2\nann\t1\tbob\t4\n")?;
        let (pictures, pairs) = by_pairs(dir.path(), &file)?;
        assert_eq!(pictures.identities, 2);
        assert_eq!(pairs, [Pair { first: 0, second: 1, genuine: true }, Pair { first: 0, second: 2, genuine: false }]);
        fs::write(&file, "ann one two\n")?;
        assert!(by_pairs(dir.path(), &file).is_err());
        Ok(())
    }
}
