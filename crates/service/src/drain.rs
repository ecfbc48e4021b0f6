//! The wish to end: SIGTERM or SIGINT as a token that everything long-lived watches.

use tokio::signal::unix::{SignalKind, signal as listen};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled at the first SIGTERM or SIGINT. Must be called inside the runtime.
///
/// Where the signals cannot be watched the token is cancelled at once: a process that cannot drain does not run.
#[must_use]
pub fn signal() -> CancellationToken {
    let token = CancellationToken::new();
    let ends = token.clone();
    match (listen(SignalKind::terminate()), listen(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::spawn(async move {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                tracing::info!(signal = name, "draining");
                ends.cancel();
            });
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "signals cannot be watched");
            ends.cancel();
        }
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, id};

    #[tokio::test]
    async fn sigterm_cancels_the_token_and_does_not_kill() {
        let token = signal();
        assert!(!token.is_cancelled());
        assert!(Command::new("kill").args(["-TERM", &id().to_string()]).status().unwrap().success());
        token.cancelled().await;
    }
}
