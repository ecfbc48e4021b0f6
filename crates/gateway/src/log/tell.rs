//! What the log is told that no transaction of its own tells it: how far audit chains are, which keys sign, which models run.
//!
//! Must never know: how leaves are kept. Invariant: what was told before is not told again, whoever leads.

use crate::{
    fault::store_fault,
    gateway::Gateway,
    jobs::{Leader, stored},
};
use receipt::{KeyName, KeyUse, LogEvent};
use std::collections::{BTreeMap, HashMap};
use wire::Reason;

/// What this process knows the log to know.
pub(super) type Told = HashMap<&'static str, String>;

/// Something that is seen: its name, its value, what kind of change another value is.
struct Seen {
    what: &'static str,
    value: String,
    kind: Kind,
}

enum Kind {
    Key(KeyUse),
    Models(BTreeMap<String, String>),
}

impl Seen {
    const fn key(what: &'static str, used: KeyUse, value: String) -> Self {
        Self { what, value, kind: Kind::Key(used) }
    }

    fn event(&self, before: Option<String>, at: i64) -> LogEvent {
        match &self.kind {
            Kind::Key(used) => {
                let key = KeyName { r#use: *used, aud: None };
                LogEvent::KeyRotation { key, from: before, to: self.value.clone(), at }
            }
            Kind::Models(model) => LogEvent::PackChange { model: model.clone(), at },
        }
    }
}

/// Tells what there is to tell, where we lead.
pub(super) async fn tell(gateway: &Gateway, leader: &Leader, told: &mut Told) -> Result<(), Reason> {
    let audits = stored(gateway.store.audits_to_tell().await)?;
    let news: Vec<Seen> = seen(gateway).await.into_iter().filter(|s| told.get(s.what) != Some(&s.value)).collect();
    if audits.is_empty() && news.is_empty() || !leader.leads(gateway).await.map_err(store_fault)? {
        return Ok(());
    }
    for tenant in audits {
        stored(gateway.store.tell_audit(tenant).await)?;
    }
    for one in news {
        stored(gateway.store.see(one.what, &one.value, |before, at| one.event(before, at)).await)?;
        told.insert(one.what, one.value);
    }
    Ok(())
}

/// What can be seen now. Workers that differ among themselves, as in the middle of a roll-out, are left for later.
async fn seen(gateway: &Gateway) -> Vec<Seen> {
    let mut all = vec![Seen::key("pepper", KeyUse::Pepper, gateway.credentials.peppers.id())];
    if let Ok(kid) = gateway.ledger.key_id().await {
        all.push(Seen::key("ledger", KeyUse::Ledger, kid));
    }
    let Some(runs) = gateway.inference.runs() else { return all };
    if !runs.receipt_kid.is_empty() {
        all.push(Seen::key("receipts", KeyUse::Receipts, runs.receipt_kid));
    }
    if let (Ok(value), false) = (serde_json::to_string(&runs.models), runs.models.is_empty()) {
        all.push(Seen { what: "models", value, kind: Kind::Models(runs.models) });
    }
    all
}
