//! Signed notes (C2SP signed-note): a text and, behind an empty line, who signed it.
//!
//! Must never know: what the text says. Invariant: a text leaves this module only under a signature of a trusted key;
//! lines of unknown keys (witnesses) are ignored, one bad signature of a known key refuses the whole note.
//!
//! The ledger key signs JWS too. Neither is ever the other: a note's text ends with a newline, a JWS signing input holds
//! none.

use crate::{
    refused::{KeyFault, LogFault, Refused},
    trusted::TrustedKeys,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use ring::digest::{Context, SHA256};

/// Largest note in bytes: a checkpoint with sixteen signatures of any kind in use.
pub const MAX_NOTE_BYTES: usize = 96 * 1024;
const MAX_SIGNATURES: usize = 32;
const ED25519: u8 = 1;
const DASH: &str = "\u{2014} ";

/// Appends the signature line of one Ed25519 key to a text that ends with a newline.
pub(super) fn signed(text: &str, name: &str, public: &[u8; 32], signature: &[u8; 64]) -> String {
    let mut bytes = key_id(name, public).to_vec();
    bytes.extend_from_slice(signature);
    format!("{text}\n{DASH}{name} {}\n", STANDARD.encode(bytes))
}

/// Whether a note may be signed under this name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('+') && !name.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// The text of a note that a trusted key has signed under `name`.
pub(super) fn open<'n>(note: &'n str, name: &str, keys: &TrustedKeys) -> Result<&'n str, Refused> {
    let control = |c: char| c < ' ' && c != '\n';
    if note.len() > MAX_NOTE_BYTES || note.contains(control) {
        return Err(LogFault::Note.into());
    }
    let at = note.rfind("\n\n").ok_or(LogFault::Note)?;
    let (text, lines) = (&note[..=at], &note[at + 2..]);
    let lines = lines.strip_suffix('\n').ok_or(LogFault::Note)?;
    let mut verified = false;
    for (number, line) in lines.split('\n').enumerate() {
        let (signer, signature) = line_parts(line).filter(|_| number < MAX_SIGNATURES).ok_or(LogFault::Note)?;
        let Some(key) = known(keys, name, signer, &signature) else { continue };
        let raw = Signature::from_slice(&signature[4..]).map_err(|_| KeyFault::Signature)?;
        key.verify_strict(text.as_bytes(), &raw).map_err(|_| KeyFault::Signature)?;
        verified = true;
    }
    if verified { Ok(text) } else { Err(LogFault::Unsigned.into()) }
}

/// Name, and key id with signature, of one line.
fn line_parts(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
    let signature = STANDARD.decode(signature).ok()?;
    (is_name(name) && signature.len() > 4).then_some((name, signature))
}

fn known<'k>(keys: &'k TrustedKeys, name: &str, signer: &str, signature: &[u8]) -> Option<&'k VerifyingKey> {
    if signer != name {
        return None;
    }
    keys.verifying().find(|key| signature[..4] == key_id(name, key.as_bytes()))
}

fn key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let mut context = Context::new(&SHA256);
    context.update(name.as_bytes());
    context.update(b"\n");
    context.update(&[ED25519]);
    context.update(public);
    let hash = context.finish();
    let mut id = [0; 4];
    id.copy_from_slice(&hash.as_ref()[..4]);
    id
}
