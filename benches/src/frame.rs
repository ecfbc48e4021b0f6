//! One frame from JPEG bytes to features against the floor: strict decode plus the bare runs of the same sessions.

use crate::{Common, blocks};
use anyhow::{Context, Result, ensure};
use std::fs;
use vision::{Engine, EngineOptions, Pack, Runtime};

/// Prints one JSON object; the bar is 1.15.
pub(crate) fn run(common: &Common) -> Result<()> {
    let (runtime, pack) = (Runtime::load(&common.onnxruntime)?, Pack::open(&common.pack)?);
    let engine = || Engine::new(&runtime, &pack, EngineOptions::default());
    let (mut whole, mut bare) = (engine()?, engine()?);
    let images = read(common, &mut whole)?;
    let ratio = blocks::compare(
        common.blocks,
        images.len(),
        || images.iter().try_for_each(|jpeg| whole.features_of(jpeg).map(drop).map_err(Into::into)),
        || {
            images
                .iter()
                .try_for_each(|jpeg| bare.decode_only(jpeg).and_then(|_| bare.run_models_only()).map_err(Into::into))
        },
    )?;
    let mut result = ratio.json("decode to features", "JPEG decode + bare model runs");
    result["bench"] = "frame".into();
    result["pack"] = pack.name().into();
    result["images"] = images.len().into();
    result["bar"] = 1.15.into();
    println!("{result}");
    Ok(())
}

/// The images' bytes; those that the engine refuses (the demo's portraits are larger than a frame may be) are left out.
pub(crate) fn read(common: &Common, engine: &mut Engine) -> Result<Vec<Vec<u8>>> {
    let mut images = Vec::new();
    for path in &common.images {
        let jpeg = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        if engine.features_of(&jpeg).is_ok_and(|features| features.is_some()) {
            images.push(jpeg);
        }
    }
    ensure!(!images.is_empty(), "none of the images is a frame with a face");
    Ok(images)
}
