//! Logs to stderr and metrics to a Prometheus recorder, set up once.
//!
//! Invariant: every line passes [`redact`](redact::redact) before it leaves the process, so a credential, a token, a key
//! or bytes that a capture subject gave us do not reach the log even where somebody logs them by mistake.

mod redact;
#[cfg(test)]
mod tests;

pub use redact::{Redacting, redact};

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use std::{io, sync::OnceLock, thread, time::Duration};
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt, util::TryInitError};

/// Log lines as JSON objects or as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Telemetry, as the config states it; every field is optional.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// Default `json`.
    pub format: LogFormat,
    /// `tracing` directives, default `info`.
    pub filter: String,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { format: LogFormat::Json, filter: "info".to_owned() }
    }
}

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not read.
    #[error("telemetry.filter: not a list of tracing directives")]
    Filter(#[from] ParseError),
    /// A subscriber was there before.
    #[error("telemetry was set up before")]
    Twice(#[from] TryInitError),
    /// A recorder was there before that is not ours.
    #[error("metrics were set up before")]
    Metrics(#[from] BuildError),
    /// The system gives no thread.
    #[error("metrics cannot be kept")]
    Upkeep(#[source] io::Error),
}

/// How often measurements go into their histograms: until then each takes memory, whether anybody scrapes or not.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Upper bounds of `*_seconds` histograms, in seconds.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Sends logs to stderr and metrics to the recorder. Once per process.
///
/// # Errors
/// See [`TelemetryError`].
pub fn init(config: &TelemetryConfig) -> Result<PrometheusHandle, TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter)?;
    let lines = fmt().with_env_filter(filter).with_writer(|| Redacting::new(io::stderr())).with_ansi(false);
    match config.format {
        LogFormat::Json => {
            tracing_subscriber::util::SubscriberInitExt::try_init(lines.json().flatten_event(true).finish())?
        }
        LogFormat::Text => tracing_subscriber::util::SubscriberInitExt::try_init(lines.finish())?,
    }
    metrics_handle()
}

/// The process's metrics; the first call installs the recorder.
///
/// # Errors
/// [`TelemetryError::Metrics`] where another recorder is installed.
pub fn metrics_handle() -> Result<PrometheusHandle, TelemetryError> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    static INSTALLING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let seconds = metrics_exporter_prometheus::Matcher::Suffix("_seconds".to_owned());
    let handle = PrometheusBuilder::new().set_buckets_for_metric(seconds, &SECONDS)?.install_recorder()?;
    let kept = handle.clone();
    let upkeep = move || loop {
        thread::sleep(UPKEEP_EVERY);
        kept.run_upkeep();
    };
    thread::Builder::new().name("metrics".to_owned()).spawn(upkeep).map_err(TelemetryError::Upkeep)?;
    Ok(HANDLE.get_or_init(|| handle).clone())
}
