//! Looks for pieces of a secret (frame bytes, pixels, features) in files and in the memory of processes.
//!
//! Invariant: a scan that could not read a place says so instead of calling it clean.

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use memchr::memmem::Finder;
use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::SystemTime,
};

const CHUNK: usize = 4 << 20;

/// What to look for: short windows of the secret, raw and in Base64 at its three alignments.
#[derive(Debug)]
pub struct Needles {
    windows: Vec<Vec<u8>>,
    longest: usize,
}

impl Needles {
    /// Takes `count` windows of 24 bytes spread over `secret`, skipping dull ones (few different bytes) that stand
    /// in unrelated files too.
    ///
    /// # Errors
    /// Where the secret has no window with content.
    pub fn of(secret: &[u8], count: usize) -> Result<Self> {
        const WIDTH: usize = 24;
        ensure!(secret.len() > WIDTH * 2, "a secret of {} bytes is too short to look for", secret.len());
        let step = ((secret.len() - WIDTH) / (count + 1)).max(1);
        let mut windows = Vec::new();
        for start in (1..=count).map(|i| i * step) {
            let window = &secret[start..(start + WIDTH).min(secret.len())];
            let different = window.iter().collect::<std::collections::BTreeSet<_>>().len();
            if window.len() == WIDTH && different >= 10 {
                windows.push(window.to_vec());
                // Base64 groups start at any of three offsets; whole groups inside the window read the same.
                windows.extend((0..3).map(|skip| STANDARD_NO_PAD.encode(&window[skip..skip + 21]).into_bytes()));
            }
        }
        ensure!(!windows.is_empty(), "the secret has no window worth looking for");
        Ok(Self::these(windows))
    }

    /// As [`Needles::of`] for each of several secrets.
    ///
    /// # Errors
    /// Where one of them has no window with content.
    pub fn of_all<'a>(secrets: impl Iterator<Item = &'a [u8]>, each: usize) -> Result<Self> {
        let mut windows = Vec::new();
        for secret in secrets {
            windows.extend(Self::of(secret, each)?.windows);
        }
        Ok(Self::these(windows))
    }

    /// Takes the byte strings as they are.
    #[must_use]
    pub fn these(windows: Vec<Vec<u8>>) -> Self {
        let longest = windows.iter().map(Vec::len).max().unwrap_or(0);
        Self { windows, longest }
    }

    /// How many byte strings are looked for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// Whether nothing is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// How many of the needles stand in what `source` gives.
    fn count(&self, mut source: impl Read) -> std::io::Result<usize> {
        let finders: Vec<Finder<'_>> = self.windows.iter().map(Finder::new).collect();
        let (mut hits, mut buffer, mut kept) = (0, vec![0_u8; CHUNK + self.longest], 0);
        loop {
            let read = source.read(&mut buffer[kept..])?;
            if read == 0 {
                return Ok(hits);
            }
            let filled = kept + read;
            hits += finders.iter().map(|finder| finder.find_iter(&buffer[..filled]).count()).sum::<usize>();
            // A needle may lie over the border of two chunks: keep one byte less than the longest.
            let overlap = (self.longest - 1).min(filled);
            buffer.copy_within(filled - overlap..filled, 0);
            kept = overlap;
        }
    }
}

/// Every file under `folders` that holds a needle. Sockets, pipes and devices are passed over.
///
/// # Errors
/// Where a file that still exists cannot be read.
pub fn files(folders: &[&Path], needles: &Needles) -> Result<Vec<PathBuf>> {
    files_since(folders, needles, SystemTime::UNIX_EPOCH)
}

/// As [`files`], for folders that others use too: files that were last written before `since` are passed over.
///
/// # Errors
/// As [`files`].
pub fn files_since(folders: &[&Path], needles: &Needles, since: SystemTime) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| folder.to_path_buf()).collect();
    while let Some(path) = open.pop() {
        let Ok(about) = fs::symlink_metadata(&path) else { continue };
        let looked_at = if about.is_dir() {
            let listed = fs::read_dir(&path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
            listed.map(|entries| open.extend(entries.iter().map(fs::DirEntry::path)))
        } else if about.is_file() && about.modified()? >= since {
            File::open(&path).and_then(|file| needles.count(file)).map(|hits| {
                if hits > 0 {
                    found.push(path.clone());
                }
            })
        } else {
            Ok(())
        };
        match looked_at {
            // Somebody else's file may vanish between two looks at it.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{} cannot be read", path.display()));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Where in the writable memory of a process needles stand, and how many: `[heap]`, a file, or nothing for anonymous memory
/// (Linux: `/proc/<pid>/maps` and `/mem`).
///
/// # Errors
/// Where the process is gone, its memory may not be read, or a mapping that still exists cannot be read to its end.
pub fn memory(pid: u32, needles: &Needles) -> Result<Vec<(String, usize)>> {
    let mut mem = File::open(format!("/proc/{pid}/mem")).context("the process's memory may not be read")?;
    let mut found = Vec::new();
    for mapping in mappings(pid)? {
        mem.seek(SeekFrom::Start(mapping.from))?;
        match needles.count((&mem).take(mapping.to - mapping.from)) {
            Ok(0) => {}
            Ok(hits) => found.push((mapping.name, hits)),
            // A mapping may vanish while it is read; one that is still there was not looked at.
            Err(_) if !mappings(pid)?.contains(&mapping) => {}
            Err(error) => return Err(error).with_context(|| format!("memory at {:x} cannot be read", mapping.from)),
        }
    }
    Ok(found)
}

/// Writable memory between two addresses.
#[derive(Debug, PartialEq, Eq)]
struct Mapping {
    from: u64,
    to: u64,
    name: String,
}

fn mappings(pid: u32) -> Result<Vec<Mapping>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).context("the process's maps cannot be read")?;
    let address = |text: &str| u64::from_str_radix(text, 16).ok();
    let read = |line: &str| {
        let mut words = line.split_whitespace();
        let ((from, to), rights) = (words.next()?.split_once('-')?, words.next()?);
        let name = words.nth(3).unwrap_or_default().to_owned();
        // The kernel's own pages hold nothing of the process.
        let own = rights.starts_with("rw") && !name.starts_with("[v");
        own.then_some(Mapping { from: address(from)?, to: address(to)?, name })
    };
    Ok(maps.lines().filter_map(read).collect())
}
