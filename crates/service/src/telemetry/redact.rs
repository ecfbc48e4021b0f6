//! What must not be read in a log line, by shape: credentials, capture tokens, JWS, private keys, long runs of base64 or
//! hexadecimal, and printed byte arrays.
//!
//! A second net: nothing logs such values on purpose. Invariant: the output holds no run of a refused shape.

use std::io::{self, Write};

/// What stands in place of a secret.
const REDACTED: &str = "[redacted]";
/// Prefixes of our credentials and of compact JWS.
const PREFIXES: [&str; 4] = ["cs_live_", "cs_test_", "cst_", "eyJ"];
/// Longest run of token characters that may stay: a SHA-256 in hexadecimal.
const MAX_RUN: usize = 64;
/// Longest printed array of numbers that may stay.
const MAX_NUMBERS: usize = 16;

/// Rewrites one or more log lines.
#[must_use]
pub fn redact(line: &str) -> String {
    if line.contains("PRIVATE KEY") {
        return format!("{REDACTED}\n");
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let run = rest.bytes().take_while(|b| is_token(*b)).count();
        if run > 0 {
            let token = &rest[..run];
            out.push_str(if is_secret(token) { REDACTED } else { token });
            rest = &rest[run..];
        } else if let Some(length) = long_array(rest) {
            out.push_str(REDACTED);
            rest = &rest[length..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// Characters of base64, base64url, JWS and our credentials.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/')
}

fn is_secret(token: &str) -> bool {
    let prefixed = PREFIXES.iter().any(|prefix| token.contains(prefix) && token.len() >= prefix.len() + 8);
    let is_path = token.contains('/') && token.split(['/', '.']).all(|part| part.len() <= 32);
    prefixed || token.len() > MAX_RUN && !is_path
}

/// Length of a `[1, 2, ...]` or `[0.1, ...]` of more than [`MAX_NUMBERS`] numbers that `text` begins with.
fn long_array(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('[')?;
    let numeric = |b: u8| b.is_ascii_digit() || matches!(b, b',' | b' ' | b'.' | b'-' | b'+' | b'e');
    let length = inner.bytes().take_while(|b| numeric(*b)).count();
    let numbers = inner[..length].split(',').filter(|part| !part.trim().is_empty()).count();
    (numbers > MAX_NUMBERS).then_some(1 + length)
}

/// Passes each write through [`redact`]; tracing writes one event at a time.
#[derive(Debug)]
pub struct Redacting<W>(W);

impl<W: Write> Redacting<W> {
    /// Wraps the place where lines go.
    pub const fn new(inner: W) -> Self {
        Self(inner)
    }
}

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(redact(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
