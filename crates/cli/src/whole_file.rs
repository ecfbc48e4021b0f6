//! Files that are there as a whole or not at all.
//!
//! Must never know: what is in them. Invariant: whoever reads the path sees the old content or the new, also after a crash.

use anyhow::Context as _;
use std::{fs::File, io::Write as _, path::Path};

/// Puts `content` in the place of whatever stood at `path`.
pub(crate) fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let written = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(folder)?.sync_all()
    };
    written().with_context(|| format!("{} cannot be written", path.display()))
}
