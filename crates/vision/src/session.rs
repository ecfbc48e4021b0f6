//! One ONNX model in one session with its input and output buffers.
//!
//! Must never know: what the numbers mean. Invariant: one thread, no spinning; the buffers that this crate owns are wiped by
//! `wipe`, and ONNX Runtime's own outputs are wiped before they go back to the allocator.

use crate::{
    engine::EngineOptions,
    error::VisionError,
    pack::manifest::{Colour, Input, Output},
    runtime::Runtime,
};
use ort::{
    session::{Session, builder::SessionBuilder},
    value::TensorRef,
};
use std::hint::black_box;
use zeroize::Zeroizing;

/// What a model is called, fed and asked.
pub(crate) struct Specification<'a> {
    pub(crate) role: &'static str,
    pub(crate) bytes: &'a [u8],
    pub(crate) input: &'a Input,
    pub(crate) outputs: &'a [Output],
    /// Meanings of the outputs to read, in the order in which [`Model::output`] counts them.
    pub(crate) read: &'a [&'a str],
}

/// A model ready to run.
pub(crate) struct Model {
    role: &'static str,
    session: Session,
    input: Input,
    tensor: Zeroizing<Vec<f32>>,
    outputs: Vec<(String, Zeroizing<Vec<f32>>)>,
}

impl Model {
    pub(crate) fn new(
        runtime: &Runtime,
        what: &Specification<'_>,
        options: EngineOptions,
    ) -> Result<Self, VisionError> {
        let fault = |source| VisionError::Model { model: what.role, step: "load", source };
        let session = configure(runtime, options).and_then(|mut b| b.commit_from_memory(what.bytes)).map_err(fault)?;
        let outputs = what
            .read
            .iter()
            .filter_map(|meaning| what.outputs.iter().find(|o| o.meaning == *meaning))
            .map(|o| (o.name.clone(), Zeroizing::new(vec![0.0; o.shape.iter().product()])))
            .collect();
        let tensor = Zeroizing::new(vec![0.0; what.input.shape.iter().product()]);
        Ok(Self { role: what.role, session, input: what.input.clone(), tensor, outputs })
    }

    /// Feeds a square picture of the model's side: interleaved RGB, row by row.
    pub(crate) fn feed(&mut self, rgb: &[u8]) {
        let Input { shape: [_, height, width], mean, scale, colour, .. } = self.input;
        let (first, rest) = self.tensor.split_at_mut(height * width);
        let (second, third) = rest.split_at_mut(height * width);
        let (red, green, blue) = match colour {
            Colour::Rgb => (first, second, third),
            Colour::Bgr => (third, second, first),
        };
        let at = |channel: usize| (scale[channel], -mean[channel] * scale[channel]);
        let [r, g, b] = match colour {
            Colour::Rgb => [at(0), at(1), at(2)],
            Colour::Bgr => [at(2), at(1), at(0)],
        };
        let planes = red.iter_mut().zip(green).zip(blue);
        for (pixel, ((red, green), blue)) in rgb.as_chunks::<3>().0.iter().zip(planes) {
            *red = f32::from(pixel[0]) * r.0 + r.1;
            *green = f32::from(pixel[1]) * g.0 + g.1;
            *blue = f32::from(pixel[2]) * b.0 + b.1;
        }
    }

    /// Runs on what was fed; the outputs can be read until the next run.
    pub(crate) fn run(&mut self) -> Result<(), VisionError> {
        let fault = |source| VisionError::Model { model: self.role, step: "run", source };
        let [channels, height, width] = self.input.shape;
        let fed = TensorRef::from_array_view(([1, channels, height, width], &self.tensor[..])).map_err(fault)?;
        let mut answered = self.session.run(ort::inputs![self.input.name.as_str() => fed]).map_err(fault)?;
        for (name, kept) in &mut self.outputs {
            let shape = VisionError::Shape { model: self.role };
            let Some(value) = answered.get_mut(name.as_str()) else { return Err(shape) };
            let (_, numbers) = value.try_extract_tensor_mut::<f32>().map_err(fault)?;
            if numbers.len() != kept.len() {
                return Err(shape);
            }
            kept.copy_from_slice(numbers);
            numbers.fill(0.0);
            black_box(&*numbers);
        }
        if self.outputs.iter().flat_map(|(_, kept)| kept.iter()).all(|v| v.is_finite()) {
            Ok(())
        } else {
            Err(VisionError::NotFinite { model: self.role })
        }
    }

    /// The numbers of the output at `index` of [`Specification::read`].
    pub(crate) fn output(&self, index: usize) -> &[f32] {
        self.outputs.get(index).map_or(&[], |(_, kept)| kept)
    }

    /// Wipes what was fed and answered last.
    pub(crate) fn wipe(&mut self) {
        self.tensor.fill(0.0);
        self.outputs.iter_mut().for_each(|(_, kept)| kept.fill(0.0));
        black_box((&self.tensor, &self.outputs));
    }
}

fn configure(runtime: &Runtime, options: EngineOptions) -> Result<SessionBuilder, ort::Error> {
    let cpu = ort::ep::CPU::default().with_arena_allocator(options.arena).build();
    Ok(Session::builder(runtime.environment())?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_parallel_execution(false)?
        .with_memory_pattern(options.memory_pattern)?
        .with_execution_providers([cpu])?)
}
