//! Ready calls for a development cluster: what `dev` prints, and `try.sh`, which enrolls and verifies with curl.

use super::summary::{Summary, write_private};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};
use std::path::Path;

const ACTION: &str = r#"{"type":"withdrawal","amount":"250.00","currency":"EUR","payee":"DE02120300000000202051"}"#;
/// What `try.sh` says that the capture subject read.
const CONSENT: &str = "You agree to have your face compared.";
/// 16 bytes; a tenant makes a fresh nonce for each challenge.
const NONCE: &str = "AAECAwQFBgcICQoLDA0ODw==";

/// Prints what was started and how to call it.
pub(crate) fn print(summary: &Summary, dir: &Path) {
    println!(
        "countersign dev is ready. Its policy goes without gates 3 and 4: this is a test tenant under a test issuer.\n"
    );
    println!("  url             {}", summary.url);
    println!("  tenant          {}", summary.credential.tenant_id);
    println!("  API key         {}", summary.credential.api_key);
    println!("  authority       {}", summary.ca.display());
    println!("  receipts by     {}", summary.test_receipt_issuer);
    println!("  proofs by       {}", summary.ledger_issuer);
    println!("  root to pin     {}", summary.root_thumbprint);
    println!("  pack            {}", summary.pack.display());
    println!("  metrics         http://{}/metrics, worker http://{}/metrics", summary.admin, summary.worker_admin);
    println!("  for tools       {}\n", dir.join("dev.json").display());
    println!("Enroll with one picture, verify with another (the receipts come back as JSON):\n");
    println!("  sh {} FACE.jpg SAME_FACE.jpg\n", dir.join("try.sh").display());
    println!("A challenge with curl, with grpcurl, and with Python:\n");
    println!("{}\n", curl(summary));
    println!("{}\n", grpcurl(summary));
    println!("{}\n", python(summary));
    println!("Check a receipt offline:\n");
    println!("{}\n", verify(summary));
    println!("Ctrl-C drains and ends.");
}

/// Writes `try.sh`; it holds the API key.
pub(crate) fn write_script(summary: &Summary, dir: &Path) -> anyhow::Result<()> {
    let text = format!(
        r#"#!/bin/sh
# Enrolls customer-1 with one picture and verifies with another, over JSON. Pictures: JPEG, at most 2 MiB and 2048x2048.
# Usage: sh try.sh FACE.jpg SAME_FACE.jpg
set -eu
call() {{
  curl -sS --cacert '{ca}' -H 'authorization: Bearer {key}' \
    -H 'content-type: application/json' -H 'request-timeout: 30' "$@"
}}
action='{ACTION}'
nonce=$(head -c 16 /dev/urandom | base64)
challenge() {{
  printf '{{"userId":"customer-1","purpose":"%s","replace":%s,"action":%s,"rpNonce":"%s","mode":"CAPTURE_MODE_PASSIVE"}}' \
    "$1" "$2" "$action" "$nonce" | call --data-binary @- '{url}/v1/challenges' |
    sed -n 's/.*"challengeId": *"\([^"]*\)".*/\1/p'
}}
given_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
consent='{{"textSha256":"{consent}","locale":"en","version":"1","givenAt":"'"$given_at"'"}}'
capture() {{
  printf '{{"challengeId":"%s","action":%s,"consent":%s,"frames":[{{"image":"%s"}}]}}' \
    "$1" "$action" "$consent" "$(base64 < "$2" | tr -d '\n')" | call --data-binary @- "{url}/v1/$3"
  echo
}}
capture "$(challenge PURPOSE_ENROLL true)" "$1" enrollments
capture "$(challenge PURPOSE_VERIFY false)" "$2" verifications
"#,
        ca = summary.ca.display(),
        consent = STANDARD.encode(digest(&SHA256, CONSENT.as_bytes())),
        key = summary.credential.api_key,
        url = summary.url,
    );
    write_private(&dir.join("try.sh"), &text)
}

fn body() -> String {
    format!(
        r#"{{"userId":"customer-1","purpose":"PURPOSE_VERIFY","action":{ACTION},"rpNonce":"{NONCE}","mode":"CAPTURE_MODE_PASSIVE"}}"#
    )
}

fn curl(summary: &Summary) -> String {
    format!(
        "  curl --cacert {} -H 'authorization: Bearer {}' -H 'content-type: application/json' \\\n    \
         -H 'request-timeout: 10' -d '{}' \\\n    {}/v1/challenges",
        summary.ca.display(),
        summary.credential.api_key,
        body(),
        summary.url
    )
}

fn grpcurl(summary: &Summary) -> String {
    format!(
        "  grpcurl -cacert {} -H 'authorization: Bearer {}' -max-time 10 -d '{}' \\\n    \
         {} countersign.v1.VerificationService/CreateChallenge",
        summary.ca.display(),
        summary.credential.api_key,
        body(),
        summary.grpc
    )
}

fn python(summary: &Summary) -> String {
    format!(
        r#"  python3 - <<'PY'
import ssl, urllib.request
call = urllib.request.Request("{url}/v1/challenges", data=b'''{body}''', headers={{
    "authorization": "Bearer {key}", "content-type": "application/json", "request-timeout": "10"}})
print(urllib.request.urlopen(call, context=ssl.create_default_context(cafile="{ca}")).read().decode())
PY"#,
        url = summary.url,
        body = body(),
        ca = summary.ca.display(),
        key = summary.credential.api_key
    )
}

fn verify(summary: &Summary) -> String {
    format!(
        "  countersign receipt verify RECEIPT --jwks {} --root {} \\\n    --issuer {} --aud {} --nonce BASE64URL \\\n    \
         --action ACTION.json --accept-not-run PRESENTATION_ATTACK --accept-not-run CHALLENGE_RESPONSE",
        summary.test_jwks.display(),
        summary.root_thumbprint,
        summary.test_receipt_issuer,
        summary.credential.tenant_id
    )
}
