//! An entry as one line of JSON, as exports and sinks hold it. Invariant: a line reads back to the entry it was made of, byte for
//! byte of the body, or it does not read.

use super::{AuditEntry, sorted};
use biometrics::TenantId;
use serde_json::Value;

impl AuditEntry {
    /// One JSON object without a line break: tenant, `seq`, `at_ms`, `kind`, `body`, and `prev` and `hash` as hexadecimal digits.
    #[must_use]
    pub fn line(&self, tenant: TenantId) -> String {
        let Self { seq, kind, at_ms, body, prev, hash } = self;
        let (prev, hash) = (hex::encode(prev), hex::encode(hash));
        format!(
            r#"{{"tenant":"{tenant}","seq":{seq},"at_ms":{at_ms},"kind":"{kind}","body":{body},"prev":"{prev}","hash":"{hash}"}}"#
        )
    }

    /// Reads such a line.
    #[must_use]
    pub fn read_line(line: &str) -> Option<(TenantId, Self)> {
        let mut value: Value = serde_json::from_str(line).ok()?;
        let hash = |name: &str| <[u8; 32]>::try_from(hex::decode(value[name].as_str()?).ok()?).ok();
        let (prev, own) = (hash("prev")?, hash("hash")?);
        let tenant = value["tenant"].as_str()?.parse().ok()?;
        let (seq, at_ms) = (value["seq"].as_i64()?, value["at_ms"].as_i64()?);
        let kind = value["kind"].as_str()?.to_owned();
        let body = sorted(value["body"].take()).to_string();
        Some((tenant, Self { seq, kind, at_ms, body, prev, hash: own }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AuditBody;
    use uuid::Uuid;

    #[test]
    fn a_line_reads_back_to_its_entry() {
        let tenant = TenantId::new(Uuid::from_u128(7));
        let body = AuditBody::default().with("b", 1e-4).with("a", "ü\n\"");
        let body = body.canonical().unwrap();
        let mut entry = AuditEntry { seq: 3, kind: "test.entry".into(), at_ms: 5, body, prev: [1; 32], hash: [0; 32] };
        entry.hash = entry.digest(tenant);
        let line = entry.line(tenant);
        assert!(!line.contains('\n'));
        assert_eq!(AuditEntry::read_line(&line), Some((tenant, entry)));
        assert_eq!(AuditEntry::read_line(&line[1..]), None);
    }
}
