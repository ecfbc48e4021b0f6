//! Who may ask: tokens, AppRole and Kubernetes logins with leases.

use serde_json::{Value, json};
use std::collections::BTreeSet;

/// See the module.
pub(crate) struct Access {
    tokens: BTreeSet<String>,
    issued: u64,
    /// Logins that were tried.
    pub(crate) logins: u64,
    /// Lease of tokens that a login gives, in seconds.
    pub(crate) lease_s: u64,
    /// The secret id that AppRole takes now.
    pub(crate) secret_id: String,
    /// The service account token that Kubernetes login takes now.
    pub(crate) jwt: String,
}

impl Access {
    pub(super) fn new() -> Self {
        Self {
            tokens: BTreeSet::new(),
            issued: 0,
            logins: 0,
            lease_s: 3600,
            secret_id: "secret-1".into(),
            jwt: "header.claims.signature".into(),
        }
    }

    /// A new token, or this one.
    pub(crate) fn issue(&mut self, text: Option<&str>) -> String {
        self.issued += 1;
        let token = text.map_or_else(|| format!("hvs.token-{}", self.issued), str::to_owned);
        self.tokens.insert(token.clone());
        token
    }

    /// Ends every token, as a revocation or their time does.
    pub(crate) fn revoke_all(&mut self) {
        self.tokens.clear();
    }

    pub(super) fn allows(&self, token: &str) -> bool {
        self.tokens.contains(token)
    }

    pub(super) fn login(&mut self, path: &str, body: &Value) -> Result<Value, (u16, &'static str)> {
        self.logins += 1;
        match path {
            "approle/login" if body["role_id"] != "role-1" => Err((400, "invalid role ID")),
            "approle/login" if body["secret_id"] != self.secret_id.as_str() => Err((400, "invalid secret id")),
            "kubernetes/login" if body["role"] != "worker" => Err((400, "invalid role name \"worker\"")),
            "kubernetes/login" if body["jwt"] != self.jwt.as_str() => Err((403, "permission denied")),
            "approle/login" | "kubernetes/login" => {
                let token = self.issue(None);
                Ok(json!({"client_token": token, "accessor": "a", "policies": ["default", "countersign"],
                    "metadata": {}, "lease_duration": self.lease_s, "renewable": true}))
            }
            _ => Err((404, "no handler for route")),
        }
    }
}
