//! `[store]`: a file of this machine or a Postgres server, and the one way from there to what the store takes.
//!
//! Must never know: a password. Invariant: an unknown field is refused, a password is a path to a file.

use serde::Deserialize;
use std::{path::PathBuf, time::Duration};
use store::{PostgresConfig, SqliteConfig, StoreConfig};

/// The database: exactly one of the two.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// SQLite file; made when it is missing.
    Path(PathBuf),
    /// A server that speaks Postgres's protocol.
    Postgres(Box<Postgres>),
}

/// A Postgres server; see [`PostgresConfig`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// Name of the server, as its certificate has it; a path that begins with `/` is the directory of its Unix socket.
    pub host: String,
    /// Its port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// The database.
    pub database: String,
    /// Who serves: reads and writes rows, owns nothing.
    pub role: Role,
    /// Who owns the schema. Where it is named the schema is brought up to date at start; else it is only checked.
    pub owner: Option<Role>,
    /// Authority of the server's certificate (PEM). Needed unless bytes stay on this machine.
    pub ca: Option<PathBuf>,
    /// Without TLS, to this machine alone.
    #[serde(default)]
    pub plaintext: bool,
    /// Connections of this process, at most.
    #[serde(default = "default_connections")]
    pub connections: u32,
    /// How long a caller waits for a connection.
    #[serde(default = "default_patience_ms")]
    pub acquire_timeout_ms: u64,
    /// How long a statement may take.
    #[serde(default = "default_patience_ms")]
    pub statement_timeout_ms: u64,
    /// How long a statement waits for a lock.
    #[serde(default = "default_patience_ms")]
    pub lock_timeout_ms: u64,
    /// After how long the server ends a transaction that says nothing.
    #[serde(default = "default_idle_ms")]
    pub idle_in_transaction_timeout_ms: u64,
}

/// A role of the server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// File with its password, mode 0600; without it the server must ask for none.
    pub password_file: Option<PathBuf>,
}

impl From<&Store> for StoreConfig {
    fn from(store: &Store) -> Self {
        match store {
            Store::Path(path) => SqliteConfig::at(path).into(),
            Store::Postgres(server) => PostgresConfig::from(&**server).into(),
        }
    }
}

impl From<&Postgres> for PostgresConfig {
    fn from(server: &Postgres) -> Self {
        let role = |role: &Role| store::Role { name: role.name.clone(), password_file: role.password_file.clone() };
        Self {
            host: server.host.clone(),
            port: server.port,
            database: server.database.clone(),
            role: role(&server.role),
            owner: server.owner.as_ref().map(role),
            ca_file: server.ca.clone(),
            plaintext: server.plaintext,
            max_connections: server.connections,
            acquire_timeout: Duration::from_millis(server.acquire_timeout_ms),
            statement_timeout: Duration::from_millis(server.statement_timeout_ms),
            lock_timeout: Duration::from_millis(server.lock_timeout_ms),
            idle_in_transaction_timeout: Duration::from_millis(server.idle_in_transaction_timeout_ms),
        }
    }
}

const fn default_port() -> u16 {
    5432
}

const fn default_connections() -> u32 {
    20
}

const fn default_patience_ms() -> u64 {
    5_000
}

const fn default_idle_ms() -> u64 {
    10_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use store::Place;

    const GATEWAY: &str = include_str!("../../../../deploy/config/gateway.toml");
    const SAMPLE: &str = include_str!("../../../../deploy/config/gateway-postgres.toml");

    /// The gateway's sample with another `[store]`.
    fn with(store: &str) -> Result<StoreConfig, String> {
        let mut config: toml::Table = toml::from_str(GATEWAY).unwrap();
        let mut part: toml::Table = toml::from_str(store).unwrap();
        config.insert("store".to_owned(), part.remove("store").unwrap());
        let config: Config = config.try_into().map_err(|error: toml::de::Error| error.to_string())?;
        Ok(StoreConfig::from(&config.store))
    }

    #[test]
    fn the_documented_server_stands_in_for_a_file_and_shows_the_defaults() {
        let Place::Postgres(shown) = with(SAMPLE).unwrap().place else { panic!("no server") };
        let role = |name: &str| store::Role {
            name: name.into(),
            password_file: Some(format!("/etc/countersign/db/{name}").into()),
        };
        let expected = PostgresConfig {
            owner: Some(role("countersign-owner")),
            ca_file: Some("/etc/countersign/db/ca.pem".into()),
            ..PostgresConfig::new("db.countersign.internal", "countersign", role("countersign"))
        };
        assert_eq!(*shown, expected);
        let bare = "[store.postgres]\nhost = \"/run/postgresql\"\ndatabase = \"c\"\nrole = { name = \"r\" }\n";
        let role = store::Role { name: "r".into(), password_file: None };
        let expected = PostgresConfig::new("/run/postgresql", "c", role);
        assert_eq!(with(bare).unwrap().place, Place::Postgres(Box::new(expected)));
    }

    #[test]
    fn a_store_is_a_file_or_a_server_and_nothing_else() {
        assert_eq!(with("[store]\npath = \"x.db\"\n").unwrap(), StoreConfig::at("x.db"));
        let both = SAMPLE.replace("[store.postgres]", "[store]\npath = \"x.db\"\n[store.postgres]");
        for (wrong, named) in [
            (both.as_str(), "more than 1"),
            (&SAMPLE.replace("\nport =", "\nports ="), "ports"),
            (
                &SAMPLE.replace("[store.postgres]", "[store.mysql]").replace("[store.postgres.", "[store.mysql."),
                "mysql",
            ),
            ("[store]\n", "0"),
            ("[store]\nfile = \"x.db\"\n", "file"),
        ] {
            let said = with(wrong).unwrap_err();
            assert!(said.contains(named), "{wrong}: {said}");
        }
    }
}
