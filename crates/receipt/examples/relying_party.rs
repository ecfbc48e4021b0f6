//! A relying party in about twenty lines: check a receipt against the own records, spend it once, then act.
//!
//! Runs on the committed vectors: `cargo run -p countersign-receipt --example relying_party`. A real backend pins the
//! root's thumbprint in its configuration, keeps nonce, action and commitment in its database, takes the time from its
//! clock, and inserts the spend key under `UNIQUE(iss, jti)` in the transaction that moves the money.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use receipt::{Action, Expected, Pin, SpendKey, TrustedKeys, authorize};
use std::{collections::HashSet, error::Error};

/// What the backend noted when it asked for the challenge.
struct Order {
    tenant: String,
    nonce: Vec<u8>,
    action: Action,
    now_s: i64,
}

fn withdraw(
    token: &str,
    keys: &TrustedKeys,
    order: &Order,
    spent: &mut HashSet<SpendKey>,
) -> Result<(), Box<dyn Error>> {
    let expected = Expected::new(&order.tenant, &order.nonce, &order.action);
    let unspent = authorize(token, keys, &expected, order.now_s)?;
    let fresh = spent.insert(unspent.spend_key());
    let receipt = unspent.settle(fresh)?;
    println!("{} {} to {}: done once", order.action.amount, order.action.currency, receipt.claims().act.payee);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../../tests/vectors/receipt.json"))?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let (issuer, root_thumbprint) = (text(&vectors["issuers"]["receipts"]), text(&vectors["root_thumbprint"]));
    let pin = Pin { issuer: &issuer, root_thumbprint: &root_thumbprint };
    let keys = TrustedKeys::from_document(&vectors["jwks"].to_string(), pin)?;
    let given = &vectors["expected"];
    let action = Action::from_json(given["action"].to_string().as_bytes())?;
    let now_s = given["now"].as_i64().unwrap_or_default();
    let order = Order { tenant: text(&given["aud"]), nonce: (1..=32).collect(), action, now_s };
    let (token, mut spent) = (text(&vectors["token"]), HashSet::new());
    withdraw(&token, &keys, &order, &mut spent)?;
    for (attempt, token) in [("again", token.clone()), ("edited", token.replace('V', "W"))] {
        match withdraw(&token, &keys, &order, &mut spent) {
            Ok(()) => return Err("a receipt was taken that must not be".into()),
            Err(reason) => println!("{attempt}: {reason}"),
        }
    }
    Ok(())
}
