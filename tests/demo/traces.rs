//! Nothing of a frame on disk: the cluster's whole folder, its temporary files and shared memory are searched, and the search itself is
//! shown to find what is planted.

use crate::{
    checks::{Checks, same},
    story::Told,
};
use anyhow::Result;
use std::{fs, path::Path};
use support::{
    cluster::Cluster,
    scan::{self, Needles},
};

/// Scans, then plants a copy in the database folder, a log and the temporary folder and scans again.
pub(crate) fn check(cluster: &Cluster, told: &Told, checks: &mut Checks) -> Result<()> {
    let needles: Vec<Needles> = told.frames.iter().map(|f| Needles::of(&f.image, 16)).collect::<Result<_>>()?;
    // The processes' TMPDIR lies inside the cluster's folder.
    let temporary = cluster.folder().join("tmp");
    let places = [cluster.folder(), Path::new("/dev/shm")];
    let mut found = Vec::new();
    for needles in &needles {
        found.extend(scan::files(&places, needles)?);
    }
    checks.check(
        "no byte of a frame in database, logs, temporary files, keys or shared memory",
        same("files", found, vec![]),
    );

    let frame = &told.frames[0].image;
    let planted = [
        ("the temporary folder", temporary.join("planted")),
        ("the database's folder", cluster.folder().join("data/planted.sqlite-wal")),
        ("a log", cluster.folder().join("planted.log")),
    ];
    for (place, path) in planted {
        fs::write(&path, [b"line before\n".as_slice(), frame, b"\nline after"].concat())?;
        let seen = scan::files(&places, &needles[0]).map(|files| files == [path.clone()]);
        fs::remove_file(&path)?;
        checks.check(&format!("the same search finds a frame planted in {place}"), same("found", seen?, true));
    }
    Ok(())
}
