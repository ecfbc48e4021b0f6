//! What comes back with a refusal.
//!
//! Must never know: how it was sent. Invariant: a refusal is as signed as an acceptance.

use crate::{CaptureScript, ClientError};
use biometrics::{GateResult, Verdict};
use receipt::Receipt;
use wire::{convert, v1};

/// A signed refusal: authentic, and about this challenge and action.
#[derive(Debug)]
pub struct Refusal {
    /// The checked receipt.
    pub receipt: Receipt,
    /// The receipt as it came, for the own records.
    pub token: String,
    /// All five gates with their reasons; empty where the service told none.
    pub gates: Vec<GateResult>,
    /// What is allowed next.
    pub next: Next,
}

/// What a capture device does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    /// The challenge is answered.
    Done,
    /// Another capture, after the next script.
    Retry,
    /// No further attempt.
    Stop,
}

/// What is allowed after an attempt was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// What the device does.
    pub directive: Directive,
    /// Instructions for the capture subject, as codes such as `MOVE_CLOSER`.
    pub instructions: Vec<String>,
    /// Attempts that remain.
    pub attempts_left: u32,
    /// Script of the next attempt, where there is one.
    pub script: Option<CaptureScript>,
}

pub(crate) fn verdict(value: i32) -> Result<Verdict, ClientError> {
    convert::verdict(value).map_err(|_| ClientError::Answer("verdict"))
}

pub(crate) fn next(value: Option<v1::Next>) -> Result<Next, ClientError> {
    let value = value.ok_or(ClientError::Answer("next"))?;
    let directive = match value.directive() {
        v1::Directive::Done => Directive::Done,
        v1::Directive::Retry => Directive::Retry,
        v1::Directive::Stop => Directive::Stop,
        v1::Directive::Unspecified => return Err(ClientError::Answer("directive")),
    };
    let v1::Next { instructions, attempts_left, script, .. } = value;
    Ok(Next { directive, instructions, attempts_left, script })
}

pub(crate) fn gates(values: &[v1::GateResult]) -> Result<Vec<GateResult>, ClientError> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    convert::gate_results(values).map_err(|_| ClientError::Answer("gates"))
}
