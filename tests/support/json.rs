//! A tenant's backend that speaks JSON through the machine's own `curl`, over TLS.
//!
//! Must never know: gRPC. Invariant: nothing of the product is linked into the client.

use crate::{cluster::Cluster, places, skips};
use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    process::{Command, Stdio},
};
use wire::v1;

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// HTTP version as curl says it: `1.1` or `2`.
    pub version: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
    /// HTTP status and stable reason of a refusal.
    #[must_use]
    pub fn refusal(&self) -> (u16, String) {
        let reason = self.json()["error"]["details"][0]["reason"].as_str().unwrap_or("NONE").to_owned();
        (self.status, reason)
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Curl {
    /// Base address.
    pub base: String,
    /// Certificate that the server's must come from.
    pub ca: String,
    /// What stands behind `Bearer`; empty sends none.
    pub credential: String,
    /// The deadline in seconds; empty sends none.
    pub deadline: String,
    /// `--http1.1` or `--http2`.
    pub version: &'static str,
}

impl Curl {
    /// A caller over HTTP/1.1; `None` where there is no curl.
    #[must_use]
    pub fn find(test: &str, cluster: &Cluster, credential: &str) -> Option<Self> {
        skips::or_skip(test, places::tool("curl", &["--version"]))?;
        Some(Self {
            base: cluster.url(),
            ca: cluster.ca().to_string_lossy().into_owned(),
            credential: credential.to_owned(),
            deadline: "30".to_owned(),
            version: "--http1.1",
        })
    }

    /// POSTs a JSON body.
    ///
    /// # Errors
    /// Where curl fails.
    pub fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(path, &["--data-binary", "@-", "-H", "content-type: application/json"], body.to_string().as_bytes())
    }

    /// Any call: further arguments of curl and what it reads from standard input.
    ///
    /// # Errors
    /// Where curl fails.
    pub fn send(&self, path: &str, arguments: &[&str], input: &[u8]) -> Result<Answer> {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--max-time", "60", "--noproxy", "*", "--path-as-is"]);
        command.args([self.version, "--cacert", &self.ca, "--write-out", "\n%{http_code} %{http_version}"]);
        // What is refused by its head is answered before the body is sent, as clients of large bodies do it (RFC 9110 §10.1.1).
        command.args(["-H", "expect: 100-continue"]);
        if !self.credential.is_empty() {
            command.args(["-H", &format!("authorization: Bearer {}", self.credential)]);
        }
        if !self.deadline.is_empty() {
            command.args(["-H", &format!("request-timeout: {}", self.deadline)]);
        }
        command.args(arguments).arg(format!("{}{path}", self.base));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // A server that refuses by the length alone does not read the rest.
        let _ = child.stdin.take().context("no standard input")?.write_all(input);
        let output = child.wait_with_output()?;
        let text = String::from_utf8(output.stdout).context("not UTF-8")?;
        let (body, last) = text.rsplit_once('\n').context("curl wrote nothing")?;
        let (status, version) = last.split_once(' ').context("curl wrote no status")?;
        let status = status.parse()?;
        ensure!(status != 0, "curl: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Answer { status, version: version.to_owned(), body: body.to_owned() })
    }
}

/// The tests' action as JSON.
#[must_use]
pub fn action() -> Value {
    let action = crate::caller::action();
    json!({ "type": action.r#type, "amount": action.amount, "currency": action.currency, "payee": action.payee, "fields": action.fields })
}

/// A body of `POST /v1/challenges`.
#[must_use]
pub fn challenge(user: &str, purpose: &str) -> Value {
    json!({
        "userId": user, "purpose": purpose, "action": action(),
        "rpNonce": STANDARD.encode(crate::caller::NONCE), "mode": "CAPTURE_MODE_PASSIVE",
    })
}

/// A body of `POST /v1/enrollments` and `POST /v1/verifications`.
#[must_use]
pub fn capture(challenge: &str, frames: &[v1::Frame]) -> Value {
    let frame = |frame: &v1::Frame| json!({ "image": STANDARD.encode(&frame.image), "offsetMs": frame.offset_ms });
    let consent = json!({
        "textSha256": STANDARD.encode([7; 32]), "locale": "en", "version": "1", "givenAt": "2026-01-01T00:00:00Z",
    });
    let frames: Vec<_> = frames.iter().map(frame).collect();
    json!({ "challengeId": challenge, "action": action(), "frames": frames, "consent": consent })
}
