//! What is counted. Labels are method names, reason codes, gates and verdicts: never a tenant's or a user's.
//!
//! Must never know: who called.

use biometrics::{Gate, GateResult, GateStatus, Verdict};
use std::time::Duration;

/// One call of a method: `countersign_calls_total{rpc, outcome}`, `countersign_call_seconds{rpc}`.
pub(crate) fn rpc(rpc: &'static str, outcome: &'static str, took: Duration) {
    metrics::counter!("countersign_calls_total", "rpc" => rpc, "outcome" => outcome).increment(1);
    metrics::histogram!("countersign_call_seconds", "rpc" => rpc).record(took.as_secs_f64());
}

/// One decision: `countersign_attempts_total{verdict, gate}`, the gate being the first that did not pass.
pub(crate) fn attempt(verdict: Verdict, gates: &[GateResult]) {
    let stopped = gates.iter().find(|gate| matches!(gate.status, GateStatus::Fail | GateStatus::Inconclusive));
    let gate = stopped.map_or("NONE", |result| name(result.gate));
    let verdict = match verdict {
        Verdict::Accept => "ACCEPT",
        Verdict::Refuse => "REFUSE",
    };
    metrics::counter!("countersign_attempts_total", "verdict" => verdict, "gate" => gate).increment(1);
}

const fn name(gate: Gate) -> &'static str {
    match gate {
        Gate::CaptureIntegrity => "CAPTURE_INTEGRITY",
        Gate::Quality => "QUALITY",
        Gate::PresentationAttack => "PRESENTATION_ATTACK",
        Gate::ChallengeResponse => "CHALLENGE_RESPONSE",
        Gate::Comparison => "COMPARISON",
    }
}
