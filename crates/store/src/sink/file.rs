//! The file sink: append, sync, close. Must never know: who waits. Invariant: what was taken is durable and ends with a line break;
//! what was written in part is cut off again, or, where not even that can be done, ended by the next line break.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// Appends the lines. The file is opened each time, so one that was moved away is made anew.
pub(super) fn append(path: &Path, lines: &[&str]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let made = !path.exists();
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let before = file.metadata()?.len();
    let mut text = String::new();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_data()) {
        let _torn = file.set_len(before).or_else(|_| file.write_all(b"\n"));
        return Err(error);
    }
    match path.parent() {
        // The name of a new file is durable only once its directory is.
        Some(directory) if made => {
            File::open(if directory.as_os_str().is_empty() { Path::new(".") } else { directory })?.sync_all()
        }
        _ => Ok(()),
    }
}
