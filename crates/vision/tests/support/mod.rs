//! Where the tests find models and pictures. Nothing is required to be there: a test that misses something says so on a
//! line that begins with `skipped:` and returns.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::print_stderr, reason = "a skip is told on stderr")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};
use vision::{Engine, EngineOptions, Pack, Runtime};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Tells why a test did not run.
pub(crate) fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

fn present(path: PathBuf, what: &str) -> Option<PathBuf> {
    if path.exists() {
        Some(path)
    } else {
        skip(&format!("{what} is not at {}", path.display()));
        None
    }
}

/// The pack's directory: `COUNTERSIGN_PACK`, or the `base` pack as `cargo xtask pack base` builds it.
pub(crate) fn pack_dir() -> Option<PathBuf> {
    let dir = env::var_os("COUNTERSIGN_PACK").map_or_else(|| root().join("target/packs/base"), PathBuf::from);
    present(dir.join("pack.toml"), "a model pack")?;
    Some(dir)
}

/// Another pack under target/packs.
pub(crate) fn named_pack_dir(name: &str) -> Option<PathBuf> {
    let dir = root().join("target/packs").join(name);
    present(dir.join("pack.toml"), "a model pack")?;
    Some(dir)
}

/// ONNX Runtime: `COUNTERSIGN_ONNXRUNTIME`, or the library as `cargo xtask pack` fetches it.
pub(crate) fn runtime() -> Option<Runtime> {
    let file = root().join("target/onnxruntime/libonnxruntime.so.1.31.1");
    let file = present(env::var_os("COUNTERSIGN_ONNXRUNTIME").map_or(file, PathBuf::from), "ONNX Runtime")?;
    Some(Runtime::load(&file).unwrap())
}

/// An engine on the pack.
pub(crate) fn engine() -> Option<(Engine, Pack)> {
    let dir = pack_dir()?;
    let runtime = runtime()?;
    let pack = Pack::open(&dir).unwrap();
    Some((Engine::new(&runtime, &pack, EngineOptions::default()).unwrap(), pack))
}

/// A portrait out of target/portraits, no side longer than 1,024 pixels, as a browser would send it.
pub(crate) fn portrait(name: &str) -> Option<image::RgbImage> {
    let path = present(root().join("target/portraits").join(name), "a portrait")?;
    let picture = image::load_from_memory(&fs::read(path).unwrap()).unwrap();
    Some(picture.resize(1024, 1024, image::imageops::FilterType::Triangle).to_rgb8())
}

/// Encodes a picture as a JPEG file.
pub(crate) fn jpeg(picture: &image::RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 92).encode_image(picture).unwrap();
    bytes
}

/// The folder with pictures and the reference: `COUNTERSIGN_SHARED`, or `shared` beside the repository.
pub(crate) fn shared() -> Option<PathBuf> {
    let dir = env::var_os("COUNTERSIGN_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    present(dir, "the shared folder")
}
