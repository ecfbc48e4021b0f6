//! The action that is approved: its limits, its canonical hash and the text a page shows for it.
//!
//! Must never know: the wire. Invariant: equal hash means equal fields; strings only, so that RFC 8785 has one reading.

use crate::{refused::Malformed, strict_json};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const ACTION_DOMAIN: &[u8] = b"countersign/action/v1\0";

/// What a capture subject approves (PSD2 RTS art. 5: amount and payee are first-class).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Kind of action such as `withdrawal`, 1 to 64 characters; `type` in JSON.
    #[serde(rename = "type")]
    pub kind: String,
    /// Decimal number such as `250.00`, 32 characters at most, or empty.
    #[serde(default)]
    pub amount: String,
    /// ISO 4217 alphabetic code, or empty.
    #[serde(default)]
    pub currency: String,
    /// Who is paid, 256 characters at most, or empty.
    #[serde(default)]
    pub payee: String,
    /// Up to 32 further fields; names of 1 to 64, values of at most 512 characters.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

/// What is wrong with a field of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionFault {
    /// Empty where a value is needed.
    Empty,
    /// Longer, or more of them, than allowed.
    TooLong,
    /// Not of the form that this field has.
    Form,
    /// Holds a character that does not print or that reorders text.
    Character,
}

/// A field of an action breaks its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("action field {field}: {fault:?}")]
pub struct ActionError {
    /// Name of the field: `type`, `amount`, `currency`, `payee` or `fields`.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: ActionFault,
}

impl Action {
    /// Reads an action from JSON; duplicate and unknown members are refused.
    ///
    /// # Errors
    /// [`Malformed`] where the text is not such an object; limits are judged by [`Action::check`].
    pub fn from_json(json: &[u8]) -> Result<Self, Malformed> {
        serde_json::from_value(strict_json::parse(json)?).map_err(|_| Malformed::Claims)
    }

    /// Holds every field against its limits.
    ///
    /// # Errors
    /// The first field, in the order of declaration, that breaks them.
    pub fn check(&self) -> Result<(), ActionError> {
        if self.kind.is_empty() {
            return Err(ActionError { field: "type", fault: ActionFault::Empty });
        }
        check_text("type", &self.kind, 64)?;
        if !self.amount.is_empty() {
            check_text("amount", &self.amount, 32)?;
            if !is_decimal(&self.amount) {
                return Err(ActionError { field: "amount", fault: ActionFault::Form });
            }
        }
        let alphabetic = self.currency.len() == 3 && self.currency.bytes().all(|b| b.is_ascii_uppercase());
        if !self.currency.is_empty() && !alphabetic {
            return Err(ActionError { field: "currency", fault: ActionFault::Form });
        }
        check_text("payee", &self.payee, 256)?;
        if self.fields.len() > 32 {
            return Err(ActionError { field: "fields", fault: ActionFault::TooLong });
        }
        for (name, value) in &self.fields {
            if name.is_empty() {
                return Err(ActionError { field: "fields", fault: ActionFault::Empty });
            }
            check_text("fields", name, 64)?;
            check_text("fields", value, 512)?;
        }
        Ok(())
    }

    /// SHA-256 over `"countersign/action/v1\0"` and the RFC 8785 form of all five members, present even when empty.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        sha256(&[ACTION_DOMAIN, &self.canonical_json()].concat())
    }

    /// The RFC 8785 form that is hashed.
    fn canonical_json(&self) -> Vec<u8> {
        serde_json_canonicalizer::to_vec(self).expect("an object of strings always has a canonical form")
    }
}

/// The text a page shows for an action, one statement a line, fields in the order of their names.
///
/// Deterministic, so tenant, gateway and worker get the same text and [`display_sha256`].
#[must_use]
pub fn display_text(action: &Action) -> String {
    let mut lines = vec![format!("Approve: {}", action.kind)];
    if !action.amount.is_empty() {
        lines.push(format!("Amount: {} {}", action.amount, action.currency).trim_end().to_owned());
    }
    if !action.payee.is_empty() {
        lines.push(format!("Payee: {}", action.payee));
    }
    lines.extend(action.fields.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.join("\n")
}

/// SHA-256 of the text's UTF-8 bytes, as a page can compute it too: the `dsp` claim.
#[must_use]
pub fn display_sha256(text: &str) -> [u8; 32] {
    sha256(text.as_bytes())
}

fn sha256(message: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, message).as_ref());
    out
}

fn check_text(field: &'static str, text: &str, most: usize) -> Result<(), ActionError> {
    if text.chars().count() > most {
        return Err(ActionError { field, fault: ActionFault::TooLong });
    }
    if text.chars().any(misleads) {
        return Err(ActionError { field, fault: ActionFault::Character });
    }
    Ok(())
}

/// Characters that break a display line or reorder it (Unicode TR 36 §2.5, TR 9 §2).
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{061c}')
}

fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && fraction.is_none_or(digits) && (whole == "0" || !whole.starts_with('0'))
}
