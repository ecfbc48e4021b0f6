//! Tenants and their API keys: what an operator does on the database's own machine, and what `countersign dev` and tests do.
//!
//! Owns who may call at all. Must never know: requests. Invariants: a tenant's secrets are made in a worker and arrive
//! wrapped; an API key is shown once and stored as a MAC.

use crate::{
    Config, GatewayError,
    authenticate::{MacKey, make_api_key},
    inference::Inference,
    random,
};
use biometrics::{Policy, TenantId};
use secrecy::SecretString;
use service::Clock;
use std::time::Duration;
use store::{
    ApiKeyRow, AuditBody, MoveTenant, NewApiKey, NewTenant, PolicyVersion, PutPolicy, Store, Tenant, TenantSecretsRow,
};
use wire::{Reason, convert, v1};

/// Who acts, as audit and policies name it.
const OPERATOR: &str = "operator";
/// Most versions of one list.
const LISTED: u32 = 1000;
/// How long a worker may take to make a tenant's secrets.
const PATIENCE: Duration = Duration::from_secs(30);

/// A tenant that is asked for.
#[derive(Debug, Clone)]
pub struct TenantRequest {
    /// What operators call it: 1 to 128 characters.
    pub name: String,
    /// Test tenants have `cs_test_` keys and receipts of the test issuer.
    pub test: bool,
    /// What its verifications require; production policies require every gate.
    pub policy: Policy,
}

/// A new API key.
#[derive(Debug)]
pub struct NewKey {
    /// The public part, by which the key is listed and revoked.
    pub key_id: String,
    /// The key itself; nobody can show it again.
    pub secret: SecretString,
}

/// The register of tenants and keys behind a gateway's configuration. Works beside a running gateway.
pub struct Register {
    store: Store,
    inference: Inference,
    pepper: MacKey,
    clock: Clock,
}

impl Register {
    /// Opens the database, the pepper and the way to the workers that `config` names.
    ///
    /// # Errors
    /// [`GatewayError`] where one of them does not open.
    pub async fn open(config: &Config, clock: Clock) -> Result<Self, GatewayError> {
        Ok(Self {
            pepper: MacKey::open(&config.keys.pepper)?,
            inference: Inference::new(&config.inference, clock.clone())?,
            store: Store::open(config.store_config()).await?,
            clock,
        })
    }

    /// Makes a tenant; a worker makes its first KEK and its wrapped secrets.
    ///
    /// # Errors
    /// `Policy` for a policy out of range, `Refused` without a worker, `Store`.
    pub async fn create_tenant(&self, request: TenantRequest) -> Result<TenantId, GatewayError> {
        if request.name.is_empty() || request.name.chars().count() > 128 || request.name.chars().any(char::is_control) {
            return Err(Reason::InvalidArgument { field: "name" }.into());
        }
        request.policy.check(request.test)?;
        let id = TenantId::new(random::uuid()?);
        let asked = v1::MakeTenantSecretsRequest { tenant_id: id.to_string() };
        let made = self.inference.make_tenant_secrets(asked, self.clock.monotonic() + PATIENCE).await?;
        let secrets = convert::required(made.secrets, "secrets")?;
        self.store
            .create_tenant(NewTenant {
                id,
                name: request.name,
                test: request.test,
                policy: request.policy,
                secrets: TenantSecretsRow {
                    kek_version: secrets.kek_version,
                    transform_key: secrets.transform_key,
                    pseudonym_key: secrets.pseudonym_key,
                },
                audit: by_operator(),
            })
            .await?;
        Ok(id)
    }

    /// Every tenant, oldest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn list_tenants(&self) -> Result<Vec<Tenant>, GatewayError> {
        Ok(self.store.tenants().await?)
    }

    /// One tenant.
    ///
    /// # Errors
    /// `UnknownTenant`, `Store`.
    pub async fn tenant(&self, id: TenantId) -> Result<Tenant, GatewayError> {
        self.store.tenant(id).await?.ok_or(GatewayError::UnknownTenant)
    }

    /// Has the tenant's calls, and those of its devices, refused until it is resumed. Jobs go on.
    ///
    /// # Errors
    /// `UnknownTenant`, `TenantStands`, `Store`.
    pub async fn suspend(&self, id: TenantId) -> Result<(), GatewayError> {
        moved(self.store.suspend_tenant(id, OPERATOR).await?)
    }

    /// Has a suspended tenant's calls taken again.
    ///
    /// # Errors
    /// `UnknownTenant`, `TenantStands`, `Store`.
    pub async fn resume(&self, id: TenantId) -> Result<(), GatewayError> {
        moved(self.store.resume_tenant(id, OPERATOR).await?)
    }

    /// Puts a policy into force from now on, beside the versions before it. Answers its number.
    ///
    /// # Errors
    /// `Policy` for a field out of range, `VersionUsed`, `UnknownTenant`, `Store`.
    pub async fn put_policy(&self, id: TenantId, policy: &Policy) -> Result<u32, GatewayError> {
        policy.check(self.tenant(id).await?.test)?;
        match self.store.put_policy(id, policy, OPERATOR).await? {
            PutPolicy::Changed { n } => Ok(n),
            PutPolicy::VersionUsed => Err(GatewayError::VersionUsed),
            PutPolicy::UnknownTenant => Err(GatewayError::UnknownTenant),
        }
    }

    /// Every policy that the tenant had, newest first, at most 1,000.
    ///
    /// # Errors
    /// `Store`.
    pub async fn policies(&self, id: TenantId) -> Result<Vec<PolicyVersion>, GatewayError> {
        Ok(self.store.policies(id, LISTED).await?)
    }

    /// Makes an API key of a tenant. `expires_at_ms` is unix milliseconds; `None` never expires.
    ///
    /// # Errors
    /// `UnknownTenant`, `Store`, `Refused` without randomness.
    pub async fn create_api_key(&self, tenant: TenantId, expires_at_ms: Option<i64>) -> Result<NewKey, GatewayError> {
        let owner = self.store.tenant(tenant).await?.ok_or(GatewayError::UnknownTenant)?;
        let made = make_api_key(owner.test, &self.pepper).ok_or(Reason::Internal)?;
        let row = NewApiKey { key_id: made.key_id.clone(), tenant, mac: made.mac, expires_at_ms };
        self.store.add_api_key(row, by_operator()).await?;
        Ok(NewKey { key_id: made.key_id, secret: made.text })
    }

    /// Revokes an API key of a tenant; calls that it has opened go on.
    ///
    /// # Errors
    /// `UnknownKey`, `Store`.
    pub async fn revoke_api_key(&self, tenant: TenantId, key_id: &str) -> Result<(), GatewayError> {
        let revoked = self.store.revoke_api_key(tenant, key_id, by_operator()).await?;
        if revoked { Ok(()) } else { Err(GatewayError::UnknownKey) }
    }

    /// The tenant's API keys, revoked and expired ones included.
    ///
    /// # Errors
    /// `Store`.
    pub async fn list_api_keys(&self, tenant: TenantId) -> Result<Vec<ApiKeyRow>, GatewayError> {
        Ok(self.store.list_api_keys(tenant).await?)
    }

    /// Closes the database.
    pub async fn close(self) {
        self.store.close().await;
    }
}

fn by_operator() -> AuditBody {
    AuditBody::default().with("by", OPERATOR)
}

const fn moved(result: MoveTenant) -> Result<(), GatewayError> {
    match result {
        MoveTenant::Moved => Ok(()),
        MoveTenant::Stands(state) => Err(GatewayError::TenantStands(state)),
        MoveTenant::Unknown => Err(GatewayError::UnknownTenant),
    }
}
