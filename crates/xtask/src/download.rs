//! Fetching: packages by pip, files of repositories at a commit, and a folder that the caller already has.
//!
//! Must never know what a file is for. Invariant: only a file with the pinned digest is ever handed out.

use crate::{
    digest, places,
    progress::Progress,
    python::Python,
    sources::{Member, Package, Repository},
};
use anyhow::{Context, bail};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// Exit code of `fetch.py` for an address that cannot be reached.
const UNREACHABLE: i32 = 3;
/// A folder given by the caller is read this deep, and files up to this size are looked at.
const MAX_DEPTH: usize = 3;
const MAX_BYTES: u64 = 256 << 20;

/// Files the caller has, by digest: what they are called does not matter.
#[derive(Default)]
pub(crate) struct Folder {
    by_digest: BTreeMap<String, PathBuf>,
}

impl Folder {
    /// Reads every file in `folder`.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut found = Self::default();
        found.add(folder, MAX_DEPTH).with_context(|| format!("cannot read {}", folder.display()))?;
        Ok(found)
    }

    fn add(&mut self, folder: &Path, depth: usize) -> anyhow::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() && depth > 0 {
                self.add(&entry.path(), depth - 1)?;
            } else if kind.is_file() && entry.metadata()?.len() <= MAX_BYTES {
                self.by_digest.insert(digest::of(&entry.path())?, entry.path());
            }
        }
        Ok(())
    }

    /// The file with this digest.
    pub(crate) fn find(&self, sha256: &str) -> Option<&Path> {
        self.by_digest.get(sha256).map(PathBuf::as_path)
    }
}

/// The archive of a package, from the downloads of an earlier run or from the registry.
pub(crate) fn package(package: &Package, python: &Python, progress: &Progress) -> anyhow::Result<PathBuf> {
    let Package { name, version, archive, sha256, .. } = package;
    let path = places::downloads().join(archive);
    if digest::matches(&path, sha256) {
        return Ok(path);
    }
    progress.doing(format!("downloading {archive}"));
    python.install_tools()?;
    fs::create_dir_all(places::downloads())?;
    let folder = tempfile::Builder::new().prefix("partial-").tempdir_in(places::downloads())?;
    let requirement = folder.path().join("requirement.txt");
    fs::write(&requirement, format!("{name}=={version} --hash=sha256:{sha256}\n"))?;
    let kind: &[&str] = if archive.ends_with(".whl") {
        // Wheels are only unzipped, so they need not fit the Python of this machine.
        &[
            "--only-binary=:all:",
            "--platform=manylinux_2_28_x86_64",
            "--platform=manylinux2014_x86_64",
            "--python-version=3.11",
        ]
    } else {
        &["--no-binary=:all:", "--no-build-isolation"]
    };
    let mut arguments: Vec<&OsStr> = vec!["download".as_ref(), "--no-deps".as_ref(), "--require-hashes".as_ref()];
    arguments.extend(kind.iter().map(OsStr::new));
    arguments.extend(["--dest".as_ref(), folder.path().as_os_str(), "-r".as_ref(), requirement.as_os_str()]);
    python.pip(&arguments).with_context(|| format!("cannot download {name}=={version}"))?;
    digest::require(&folder.path().join(archive), sha256, archive)?;
    fs::rename(folder.path().join(archive), &path)?;
    progress.note(format!("  {archive}: downloaded from the package registry, verified"));
    Ok(path)
}

/// A file of a repository: from the caller's folder, an earlier run, or the repository itself. The text says which.
pub(crate) fn repository_file(
    repository: &Repository,
    member: &Member,
    given: &Folder,
    python: &Python,
) -> anyhow::Result<(PathBuf, &'static str)> {
    if let Some(path) = given.find(&member.sha256) {
        return Ok((path.to_owned(), "from the given folder"));
    }
    let Repository { name, commit, .. } = repository;
    let Member { path, sha256 } = member;
    let cached = places::downloads().join(sha256);
    if digest::matches(&cached, sha256) {
        return Ok((cached, "downloaded before"));
    }
    fs::create_dir_all(places::downloads())?;
    let partial = tempfile::NamedTempFile::new_in(places::downloads())?;
    let arguments = [name.as_ref(), commit.as_ref(), path.as_ref(), partial.path().as_os_str()];
    let output = python.run_script("fetch.py", &arguments)?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let what = if output.status.code() == Some(UNREACHABLE) { "cannot be reached" } else { "cannot be fetched" };
        bail!(
            "{path} of the repository {name} at commit {commit} {what}:\n  {reason}\n\
             Fetch that file elsewhere (SHA-256 {sha256}), put it in a folder, and give the folder with --source DIR. \
             Files in it are found by digest, whatever their names."
        );
    }
    digest::place(partial.path(), &cached, sha256)?;
    Ok((cached, "downloaded from the repository"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_file_is_found_by_digest_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("deep/any name"), "abc").unwrap();
        let given = Folder::read(folder.path()).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(given.find(abc).unwrap().ends_with("deep/any name"));
        assert!(given.find(&abc.replace('b', "c")).is_none());
    }
}
