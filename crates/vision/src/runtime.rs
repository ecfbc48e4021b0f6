//! The process's one ONNX Runtime.
//!
//! Owns the loaded library and its environment. Must never know: packs. Invariant: one environment per process,
//! telemetry off.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

static LOADED: OnceLock<(PathBuf, ort::environment::Environment)> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

/// ONNX Runtime could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// No file there.
    #[error("{path}: no such ONNX Runtime library")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a library of a fitting version.
    #[error("{path}: not a usable ONNX Runtime library")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the loader said.
        #[source]
        source: ort::LoadDynamicError,
    },
    /// The library would not start.
    #[error("ONNX Runtime did not start")]
    NotStarted(#[source] ort::Error),
    /// Another library already runs in this process.
    #[error("{running} already runs in this process")]
    Other {
        /// The library that runs.
        running: PathBuf,
    },
}

/// A handle on the process's ONNX Runtime; cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    environment: ort::environment::Environment,
}

impl Runtime {
    /// Loads the shared library at `path`, or returns the running one when it came from the same file.
    ///
    /// # Errors
    /// [`RuntimeError`] when the file is missing, not ONNX Runtime of a fitting version, or another one runs.
    pub fn load(path: &Path) -> Result<Self, RuntimeError> {
        let missing = |source| RuntimeError::Missing { path: path.to_owned(), source };
        let real = path.canonicalize().map_err(missing)?;
        let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((running, environment)) = LOADED.get() {
            return if *running == real {
                Ok(Self { environment: environment.clone() })
            } else {
                Err(RuntimeError::Other { running: running.clone() })
            };
        }
        let builder =
            ort::init_from(&real).map_err(|source| RuntimeError::Unusable { path: path.to_owned(), source })?;
        let environment =
            builder.with_name("countersign").with_telemetry(false).build().map_err(RuntimeError::NotStarted)?;
        environment.set_log_level(ort::logging::LogLevel::Warning);
        let _ = LOADED.set((real, environment.clone()));
        Ok(Self { environment })
    }

    /// The environment sessions are made in.
    pub(crate) fn environment(&self) -> &ort::environment::Environment {
        &self.environment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_library_is_a_clean_error() {
        let path = Path::new("/nowhere/libonnxruntime.so");
        assert!(matches!(Runtime::load(path), Err(RuntimeError::Missing { .. })));
    }

    #[test]
    fn file_that_is_no_library_is_a_clean_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("libonnxruntime.so");
        std::fs::write(&path, b"not a library").unwrap();
        assert!(matches!(Runtime::load(&path), Err(RuntimeError::Unusable { .. })));
    }
}
