//! Files of secrets: created whole or not at all, never overwritten, never read when others may.
//!
//! Must never know: what the secrets are for. Invariant: once a create returns, the content survives a power failure; a
//! crash before that leaves at most a temporary file of mode 0600.

use crate::CustodyError;
use ring::rand::{SecureRandom, SystemRandom};
use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};
use zeroize::Zeroizing;

/// What temporary files start with; anything so named is left over from a crash once no writer is at work.
pub(crate) const TEMPORARY: &str = ".making-";

/// Fills an array from the system's generator.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, CustodyError> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new().fill(&mut *bytes).map_err(|_| CustodyError::Randomness)?;
    Ok(bytes)
}

/// Whether something stands at the path; an error is not a no.
pub(crate) fn exists(path: &Path) -> Result<bool, CustodyError> {
    path.try_exists().map_err(at(path))
}

/// Names the path in an I/O error.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> CustodyError {
    move |source| CustodyError::Unavailable { path: path.to_owned(), source }
}

/// Makes a directory of mode 0700 that must not exist yet, durably.
pub(crate) fn create_dir(path: &Path) -> Result<(), CustodyError> {
    DirBuilder::new().mode(0o700).create(path).map_err(exists_or_unavailable(path))?;
    sync_dir(parent(path))
}

/// Refuses a directory that others may enter, or that is a link.
pub(crate) fn check_dir(path: &Path) -> Result<(), CustodyError> {
    let metadata = fs::symlink_metadata(path).map_err(at(path))?;
    if metadata.is_dir() && metadata.mode() & 0o077 == 0 { Ok(()) } else { Err(permissions(path)) }
}

/// Writes a new file of mode 0600: temporary file, fsync, link (which never overwrites), fsync of the directory.
pub(crate) fn create(path: &Path, content: &[u8]) -> Result<(), CustodyError> {
    let dir = parent(path);
    let temporary = temporary(dir)?;
    let written = write_new(&temporary, content)
        .map_err(at(&temporary))
        .and_then(|()| fs::hard_link(&temporary, path).map_err(exists_or_unavailable(path)));
    // The content is either under its own name now or is not wanted.
    let removed = fs::remove_file(&temporary).map_err(at(&temporary));
    written.and(removed)?;
    sync_dir(dir)
}

/// Replaces a file's content, or makes it: whole or not at all, as [`create`]. For counters, never for keys.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), CustodyError> {
    let dir = parent(path);
    let temporary = temporary(dir)?;
    write_new(&temporary, content).map_err(at(&temporary))?;
    fs::rename(&temporary, path).map_err(at(path))?;
    sync_dir(dir)
}

/// Sets when a file was written: creation times of keys are read from it.
pub(crate) fn stamp(path: &Path, now_s: i64) -> Result<(), CustodyError> {
    let written = UNIX_EPOCH + Duration::from_secs(u64::try_from(now_s).unwrap_or(0));
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_modified(written)).map_err(at(path))
}

/// When the content of a file was written, in seconds since 1970.
pub(crate) fn written_at_s(path: &Path) -> Result<i64, CustodyError> {
    Ok(fs::symlink_metadata(path).map_err(at(path))?.mtime())
}

/// Reads a secret file of at most `limit` bytes; `None` where there is none.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Option<Zeroizing<Vec<u8>>>, CustodyError> {
    let named = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(at(path))?,
    };
    let mut file = File::open(path).map_err(at(path))?;
    let metadata = file.metadata().map_err(at(path))?;
    let owner = fs::metadata(parent(path)).map_err(at(path))?.uid();
    // The opened file must be the named one itself: a link would name another.
    let same = (named.dev(), named.ino()) == (metadata.dev(), metadata.ino());
    if !same || !metadata.is_file() || metadata.mode() & 0o177 != 0 || metadata.uid() != owner {
        return Err(permissions(path));
    }
    // Sized at once: growing would leave copies of the secret behind.
    let mut content = Zeroizing::new(vec![0; limit + 1]);
    let mut filled = 0;
    loop {
        match file.read(&mut content[filled..]).map_err(at(path))? {
            0 => break,
            n => filled += n,
        }
    }
    if filled > limit {
        return Err(CustodyError::Malformed { path: path.to_owned() });
    }
    content.truncate(filled);
    Ok(Some(content))
}

/// Reads a secret of one line: a PIN, a token. At most 8 KiB, not empty.
pub(crate) fn read_line(path: &Path) -> Result<Zeroizing<String>, CustodyError> {
    let malformed = || CustodyError::Malformed { path: path.to_owned() };
    let bytes = read(path, 8 * 1024)?.ok_or_else(|| CustodyError::Missing { path: path.to_owned() })?;
    let line = std::str::from_utf8(&bytes).map_err(|_| malformed())?.trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.contains(['\r', '\n']) { Err(malformed()) } else { Ok(Zeroizing::new(line.to_owned())) }
}

/// Overwrites a file with zeros and removes it, durably. A file that is already gone is fine.
pub(crate) fn destroy(path: &Path) -> Result<(), CustodyError> {
    let length = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(at(path))?.len(),
    };
    let mut file = OpenOptions::new().write(true).open(path).map_err(at(path))?;
    let zeros = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(64 * 1024)];
    file.write_all(&zeros).and_then(|()| file.sync_all()).map_err(at(path))?;
    fs::remove_file(path).map_err(at(path))?;
    sync_dir(parent(path))
}

/// Removes a temporary file that a crash left. A second link to it is a key that was finished, so its bytes stay.
pub(crate) fn discard(path: &Path) -> Result<(), CustodyError> {
    if fs::symlink_metadata(path).map_err(at(path))?.nlink() == 1 {
        return destroy(path);
    }
    fs::remove_file(path).map_err(at(path))?;
    sync_dir(parent(path))
}

/// Makes a rename, link or removal in a directory survive a power failure.
pub(crate) fn sync_dir(path: &Path) -> Result<(), CustodyError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(at(path))
}

fn temporary(dir: &Path) -> Result<PathBuf, CustodyError> {
    let mut name = OsString::from(TEMPORARY);
    name.push(random::<8>()?.iter().map(|b| format!("{b:02x}")).collect::<String>());
    Ok(dir.join(name))
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn permissions(path: &Path) -> CustodyError {
    CustodyError::Permissions { path: path.to_owned() }
}

fn exists_or_unavailable(path: &Path) -> impl FnOnce(io::Error) -> CustodyError {
    let path: PathBuf = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::AlreadyExists => CustodyError::Exists { path },
        _ => CustodyError::Unavailable { path, source },
    }
}

#[cfg(test)]
mod tests;
