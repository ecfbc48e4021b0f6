//! Where the tests find models and pictures. Nothing is required to be there: a test that misses something says
//! `skipped: <test>: <why>`, which `cargo xtask test` counts, and passes over.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};
use vision::{Engine, EngineOptions, Pack, Runtime};

/// The value, or `None` after saying why the named test is skipped.
#[expect(clippy::print_stdout, reason = "the runner counts this line")]
pub(crate) fn or_skip<T>(test: &str, found: Result<T, String>) -> Option<T> {
    found.map_err(|why| println!("skipped: {test}: {why}")).ok()
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn present(path: PathBuf, what: &str) -> Result<PathBuf, String> {
    if path.exists() { Ok(path) } else { Err(format!("{what} is not there")) }
}

/// The pack's directory: `COUNTERSIGN_PACK`, or the `base` pack as `cargo xtask pack base` builds it.
pub(crate) fn pack_dir() -> Result<PathBuf, String> {
    let dir = env::var_os("COUNTERSIGN_PACK").map_or_else(|| root().join("target/packs/base"), PathBuf::from);
    present(dir.join("pack.toml"), "the model pack")?;
    Ok(dir)
}

/// A pack under target/packs.
pub(crate) fn named_pack_dir(name: &str) -> Result<PathBuf, String> {
    let dir = root().join("target/packs").join(name);
    present(dir.join("pack.toml"), &format!("target/packs/{name}"))?;
    Ok(dir)
}

/// ONNX Runtime: `COUNTERSIGN_ONNXRUNTIME`, or the library as `cargo xtask pack` fetches it.
pub(crate) fn runtime() -> Result<Runtime, String> {
    let file = root().join("target/onnxruntime/libonnxruntime.so.1.31.1");
    let file = present(env::var_os("COUNTERSIGN_ONNXRUNTIME").map_or(file, PathBuf::from), "ONNX Runtime")?;
    Ok(Runtime::load(&file).unwrap())
}

/// An engine on the pack.
pub(crate) fn engine() -> Result<(Engine, Pack), String> {
    let (dir, runtime) = (pack_dir()?, runtime()?);
    let pack = Pack::open(&dir).unwrap();
    Ok((Engine::new(&runtime, &pack, EngineOptions::default()).unwrap(), pack))
}

/// A portrait out of target/portraits, no side longer than 1,024 pixels, as a browser would send it.
pub(crate) fn portrait(name: &str) -> Result<image::RgbImage, String> {
    let path = present(root().join("target/portraits").join(name), "the portrait")?;
    let picture = image::load_from_memory(&fs::read(path).unwrap()).unwrap();
    Ok(picture.resize(1024, 1024, image::imageops::FilterType::Triangle).to_rgb8())
}

/// Encodes a picture as a JPEG file.
pub(crate) fn jpeg(picture: &image::RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 92).encode_image(picture).unwrap();
    bytes
}

/// The folder with pictures and the reference: `COUNTERSIGN_SHARED`, or `shared` beside the repository.
pub(crate) fn shared() -> Result<PathBuf, String> {
    let dir = env::var_os("COUNTERSIGN_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    present(dir.join("reference/pipeline.py"), "the reference")?;
    Ok(dir)
}
