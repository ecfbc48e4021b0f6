//! Threads with an engine each that work through numbered jobs, and the bar that shows how far they are.
//!
//! Must never know: what a job is. Invariant: results come in the order of the jobs, however many threads there are.

use anyhow::{Result, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};
use vision::{Engine, EngineOptions, Pack, Runtime};

/// What every engine is made of.
#[derive(Clone, Copy)]
pub(super) struct Crew<'a> {
    /// Its models.
    pub(super) pack: &'a Pack,
    /// ONNX Runtime.
    pub(super) runtime: &'a Runtime,
    /// Engines side by side.
    pub(super) threads: usize,
    /// Whether engines carry the pack's presentation attack detectors.
    pub(super) detectors: bool,
}

/// As many as asked for; 0 asks for one per core.
pub(super) fn threads(asked: usize) -> usize {
    match asked {
        0 => thread::available_parallelism().map_or(1, usize::from),
        chosen => chosen,
    }
}

impl Crew<'_> {
    /// Does jobs `0..jobs` and returns what came of each. The first error ends the work of all.
    pub(super) fn each<T: Send>(
        &self,
        (what, jobs): (&'static str, usize),
        work: impl Fn(&mut Engine, usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        self.each_beside(&[], (what, jobs), |engine, _, index| work(engine, index))
    }

    /// As [`Crew::each`], with an engine of each further pack beside a thread's own.
    pub(super) fn each_beside<T: Send>(
        &self,
        packs: &[Pack],
        (what, jobs): (&'static str, usize),
        work: impl Fn(&mut Engine, &mut [Engine], usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let bar = ProgressBar::new(jobs as u64).with_message(what);
        bar.set_style(ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta} left")?);
        let next = AtomicUsize::new(0);
        let member = || -> Result<Vec<(usize, T)>> {
            let mut engine = self.engine(self.pack)?;
            let mut beside = packs.iter().map(|pack| self.engine(pack)).collect::<Result<Vec<_>>>()?;
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= jobs {
                    return Ok(done);
                }
                let made =
                    work(&mut engine, &mut beside, index).inspect_err(|_| next.store(jobs, Ordering::Relaxed))?;
                done.push((index, made));
                bar.inc(1);
            }
        };
        let parts: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads.clamp(1, jobs.max(1))).map(|_| scope.spawn(member)).collect();
            threads.into_iter().map(|t| t.join().map_err(|_| anyhow!("a thread panicked"))?).collect::<Result<_>>()
        })?;
        bar.finish_and_clear();
        let mut all: Vec<(usize, T)> = parts.into_iter().flatten().collect();
        all.sort_unstable_by_key(|(index, _)| *index);
        Ok(all.into_iter().map(|(_, made)| made).collect())
    }

    fn engine(&self, pack: &Pack) -> Result<Engine> {
        let options = EngineOptions::default();
        let engine = Engine::new(self.runtime, pack, options)?;
        Ok(match self.detectors {
            true => engine.with_presentation_attack(self.runtime, pack, options)?,
            false => engine,
        })
    }
}
