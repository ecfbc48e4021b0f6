//! The action that is approved.

use super::required;
use crate::{Reason, v1};
use receipt::Action;

/// Reads an action and checks it (lengths, decimal amount, currency code), naming the field that is wrong.
///
/// # Errors
/// `INVALID_ARGUMENT` with the field; `action` where there is none.
pub fn action(value: Option<v1::Action>) -> Result<Action, Reason> {
    let value = required(value, "action")?;
    let action = Action {
        kind: value.r#type,
        amount: value.amount,
        currency: value.currency,
        payee: value.payee,
        fields: value.fields,
    };
    action.check().map_err(|refused| Reason::InvalidArgument { field: refused.field })?;
    Ok(action)
}

/// Writes an action.
#[must_use]
pub fn action_to_wire(value: &Action) -> v1::Action {
    v1::Action {
        r#type: value.kind.clone(),
        amount: value.amount.clone(),
        currency: value.currency.clone(),
        payee: value.payee.clone(),
        fields: value.fields.clone(),
    }
}
