//! Looks for pieces of a secret (frame bytes, pixels, features) in files and in the memory of processes.
//!
//! Invariant: a scan that could not read a place says so instead of calling it clean.

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use memchr::memmem::Finder;
use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
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
        let longest = windows.iter().map(Vec::len).max().unwrap_or(0);
        Ok(Self { windows, longest })
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
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| folder.to_path_buf()).collect();
    while let Some(path) = open.pop() {
        let Ok(kind) = fs::symlink_metadata(&path).map(|m| m.file_type()) else { continue };
        if kind.is_dir() {
            for entry in fs::read_dir(&path).with_context(|| format!("{} cannot be listed", path.display()))? {
                open.push(entry?.path());
            }
        } else if kind.is_file() && !kind.is_socket() {
            match File::open(&path) {
                Ok(file) => {
                    if needles.count(file)? > 0 {
                        found.push(path);
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
            }
        }
    }
    Ok(found)
}

/// How many needles stand in the writable memory of a process (Linux: `/proc/<pid>/maps` and `/mem`).
///
/// # Errors
/// Where the process is gone or its memory may not be read.
pub fn memory(pid: u32, needles: &Needles) -> Result<usize> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).context("the process's maps cannot be read")?;
    let mut mem = File::open(format!("/proc/{pid}/mem")).context("the process's memory may not be read")?;
    let mut hits = 0;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some(rights)) = (words.next(), words.next()) else { continue };
        let bounds = range
            .split_once('-')
            .and_then(|(a, b)| Some((u64::from_str_radix(a, 16).ok()?, u64::from_str_radix(b, 16).ok()?)));
        let Some((from, to)) = bounds else { continue };
        if !rights.starts_with("rw") || line.contains("[v") {
            continue;
        }
        mem.seek(SeekFrom::Start(from))?;
        // A mapping may vanish or hold unreadable pages; what could be read of it counts.
        hits += needles.count((&mem).take(to - from)).unwrap_or(0);
    }
    Ok(hits)
}
