//! What the worker's memory settings cost: ONNX Runtime without its CPU arena and memory pattern against with them.

use crate::{Common, blocks, frame};
use anyhow::Result;
use vision::{Engine, EngineOptions, Pack, Runtime};

/// Prints one JSON object.
pub(crate) fn run(common: &Common) -> Result<()> {
    let (runtime, pack) = (Runtime::load(&common.onnxruntime)?, Pack::open(&common.pack)?);
    let engine = |arena| Engine::new(&runtime, &pack, EngineOptions { arena, ..EngineOptions::default() });
    let (mut without, mut with) = (engine(false)?, engine(true)?);
    let images = frame::read(common, &mut without)?;
    let ratio = blocks::compare(
        common.blocks,
        images.len(),
        || images.iter().try_for_each(|jpeg| without.features_of(jpeg).map(drop).map_err(Into::into)),
        || images.iter().try_for_each(|jpeg| with.features_of(jpeg).map(drop).map_err(Into::into)),
    )?;
    let mut result = ratio.json("no arena, no memory pattern", "arena and memory pattern");
    result["bench"] = "memory".into();
    result["pack"] = pack.name().into();
    println!("{result}");
    Ok(())
}
