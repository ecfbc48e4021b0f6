//! Work on many people, on every thread one engine for each pack.

use anyhow::{Result, anyhow};
use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};
use vision::{Engine, EngineOptions, Pack, Runtime};

/// What every thread makes its engines of.
pub(crate) struct Crew {
    pub(crate) runtime: Runtime,
    pub(crate) packs: Vec<Pack>,
    pub(crate) threads: usize,
}

impl Crew {
    pub(crate) fn new(packs: &[PathBuf], runtime: Option<PathBuf>, threads: usize) -> Result<Self> {
        let runtime = runtime.unwrap_or_else(|| root().join("target/onnxruntime/libonnxruntime.so.1.31.1"));
        let packs = packs.iter().map(|pack| Ok(Pack::open(pack)?)).collect::<Result<_>>()?;
        Ok(Self { runtime: Runtime::load(&runtime)?, packs, threads })
    }

    fn engine(&self, pack: &Pack) -> Result<Engine> {
        let options = EngineOptions { arena: true, memory_pattern: true };
        let engine = Engine::new(&self.runtime, pack, options)?;
        Ok(engine.with_presentation_attack(&self.runtime, pack, options)?)
    }

    /// The results of `work` on 0..count, in order, whatever the number of threads.
    pub(crate) fn run<T: Send>(
        &self,
        count: usize,
        work: impl Fn(&mut [Engine], usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let next = AtomicUsize::new(0);
        let one = || -> Result<Vec<(usize, T)>> {
            let mut engines = self.packs.iter().map(|pack| self.engine(pack)).collect::<Result<Vec<_>>>()?;
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return Ok(done);
                }
                done.push((index, work(&mut engines, index)?));
                if index % 50 == 49 {
                    eprintln!("{} of {count}", index + 1);
                }
            }
        };
        let mut all = thread::scope(|scope| -> Result<Vec<_>> {
            let threads: Vec<_> = (0..self.threads.max(1)).map(|_| scope.spawn(one)).collect();
            let parts = threads.into_iter().map(|t| t.join().map_err(|_| anyhow!("a thread panicked"))?);
            Ok(parts.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
        })?;
        all.sort_by_key(|(index, _)| *index);
        Ok(all.into_iter().map(|(_, result)| result).collect())
    }
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
