//! What tests of evaluations stand on: the pack and the demo's portraits, in a folder as an evaluation takes one.
//!
//! Must never know: what is evaluated. Invariant: what is missing is said, and the test does not run.

use super::{crew::Crew, people::Part};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use vision::{Pack, Runtime};

/// What a test stands on.
pub(super) struct Ground {
    /// The pack.
    pub(super) pack: Pack,
    /// Where it lies.
    pub(super) pack_folder: PathBuf,
    /// ONNX Runtime.
    pub(super) runtime: Runtime,
    /// Two people under names that are measured on.
    pub(super) faces: TempDir,
}

/// `None` after saying what is missing.
pub(super) fn ground(test: &str) -> Option<Ground> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let place = |variable: &str, path: &str| std::env::var_os(variable).map_or_else(|| root.join(path), PathBuf::from);
    let pack = place("COUNTERSIGN_PACK", "target/packs/base");
    let library = place("COUNTERSIGN_ONNXRUNTIME", "target/onnxruntime/libonnxruntime.so.1.31.1");
    let portraits = root.join("target/portraits");
    if let Some(missing) = [&pack, &library, &portraits].into_iter().find(|path| !path.exists()) {
        println!("skipped: {test}: {} is not there", missing.display());
        return None;
    }
    let faces = tempfile::tempdir().unwrap();
    let mut names = (0..).map(|i| format!("person {i}")).filter(|name| Part::of(name) == Part::Measure);
    for files in [["obama.jpg", "obama2.jpg"].as_slice(), &["biden.jpg"]] {
        let folder = faces.path().join(names.next().unwrap());
        fs::create_dir(&folder).unwrap();
        for file in files {
            std::os::unix::fs::symlink(portraits.join(file).canonicalize().unwrap(), folder.join(file)).unwrap();
        }
    }
    Some(Ground {
        pack: Pack::open(&pack).unwrap(),
        pack_folder: pack,
        runtime: Runtime::load(&library).unwrap(),
        faces,
    })
}

impl Ground {
    /// Threads with an engine each.
    pub(super) const fn crew(&self, threads: usize, detectors: bool) -> Crew<'_> {
        Crew { pack: &self.pack, runtime: &self.runtime, threads, detectors }
    }
}
