//! SHA-256 of files, and copies that are verified before they appear.
//!
//! Invariant: a file placed by [`place`] is either complete and has the digest asked for, or is not there at all.

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

/// SHA-256 of a file as lower-case hexadecimal.
pub(crate) fn of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Whether the file exists and has this digest.
pub(crate) fn matches(path: &Path, sha256: &str) -> bool {
    of(path).is_ok_and(|found| found == sha256)
}

/// Fails unless the file has this digest.
pub(crate) fn require(path: &Path, sha256: &str, what: &str) -> anyhow::Result<()> {
    let found = of(path).with_context(|| format!("cannot read {what}"))?;
    if found != sha256 {
        bail!("{what} has SHA-256 {found}, but {sha256} is pinned; it is not used");
    }
    Ok(())
}

/// Puts a verified copy of `source` at `target`, replacing what is there in one step.
pub(crate) fn place(source: &Path, target: &Path, sha256: &str) -> anyhow::Result<()> {
    let name = target.file_name().context("a target without a name")?.to_string_lossy().into_owned();
    let folder = target.parent().context("a target without a folder")?;
    fs::create_dir_all(folder)?;
    let partial = tempfile::Builder::new().prefix(".partial-").tempfile_in(folder)?;
    let mut original = File::open(source).with_context(|| format!("cannot open {name}"))?;
    io::copy(&mut original, &mut partial.as_file())?;
    require(partial.path(), sha256, &name)?;
    persist(partial, target)
}

/// Puts these bytes at `target` in one step.
pub(crate) fn write(target: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = target.parent().context("a target without a folder")?;
    fs::create_dir_all(folder)?;
    let partial = tempfile::Builder::new().prefix(".partial-").tempfile_in(folder)?;
    fs::write(partial.path(), bytes)?;
    persist(partial, target)
}

fn persist(partial: tempfile::NamedTempFile, target: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    partial.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    partial.persist(target).with_context(|| format!("cannot write {}", target.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the three bytes `abc` (FIPS 180-2, appendix B.1).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn file_with_the_pinned_digest_is_placed() {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("a"), folder.path().join("sub/b"));
        fs::write(&source, "abc").unwrap();
        place(&source, &target, ABC).unwrap();
        assert!(matches(&target, ABC));
    }

    #[test]
    fn file_with_another_digest_leaves_the_old_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&source, "abd").unwrap();
        fs::write(&target, "abc").unwrap();
        let refused = place(&source, &target, ABC).unwrap_err().to_string();
        assert!(refused.contains("is pinned"), "{refused}");
        assert!(matches(&target, ABC));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no partial file stays behind");
    }
}
