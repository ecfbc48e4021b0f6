//! `countersign keys list` and `keys kek list`: what versions there are and where each stands.

use super::place::Place;
use crate::table::instant;
use anyhow::Result;
use custody::{KekVersion, KeyState, KeyUse, ROTATE_AT_USES};
use serde_json::{Value, json};

/// Prints every signing key.
pub(super) fn print(place: &Place, as_json: bool) -> Result<()> {
    let mut rows = Vec::new();
    for used in KeyUse::ALL {
        let provider = place.kms(used)?.provider();
        for (key, state) in place.states(used)? {
            rows.push(json!({
                "use": used.name(),
                "version": key.version,
                "state": name(state),
                "made_at": instant(key.made_at_s),
                "kid": receipt::thumbprint(&key.public),
                "provider": provider,
            }));
        }
    }
    show(&rows, &["use", "version", "state", "made_at", "kid", "provider"], as_json)
}

/// Prints a tenant's KEK versions.
pub(super) fn print_keks(versions: &[KekVersion], as_json: bool) -> Result<()> {
    let row = |kek: &KekVersion| {
        let due = kek.uses.is_some_and(|uses| uses >= ROTATE_AT_USES);
        json!({
            "version": kek.version,
            "state": match (kek.destroyed_at_s, due) { (Some(_), _) => "destroyed", (None, true) => "due", (None, false) => "live" },
            "made_at": kek.made_at_s.map(instant),
            "destroyed_at": kek.destroyed_at_s.map(instant),
            "uses_at_most": kek.uses,
        })
    };
    let rows: Vec<Value> = versions.iter().map(row).collect();
    show(&rows, &["version", "state", "made_at", "destroyed_at", "uses_at_most"], as_json)
}

fn show(rows: &[Value], columns: &[&str], as_json: bool) -> Result<()> {
    if as_json {
        println!("{}", serde_json::to_string_pretty(rows)?);
        return Ok(());
    }
    println!("{}", crate::table::of(rows, columns));
    Ok(())
}

const fn name(state: KeyState) -> &'static str {
    match state {
        KeyState::Published => "published",
        KeyState::Signing => "signing",
        KeyState::Superseded => "superseded",
        KeyState::Retired => "retired",
    }
}
