//! The database of a cluster: an SQLite file, or a database of the one Postgres server that this test process starts for all of its
//! clusters.
//!
//! Must never know: tables. Invariant: the server is gone soon after this process, however that ended.

use crate::cluster::output;
use anyhow::{Context, Result};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};
use store::{PostgresConfig, Role, StoreConfig};

#[path = "../../crates/store/src/tests/server.rs"]
#[expect(dead_code, reason = "the store's own tests use all of it")]
mod server;

use server::{SUPERUSER, Server, Wished};

/// Role that owns the tables.
pub const OWNER: &str = "owner";
const SERVING: &str = "serving";

static SERVER: OnceLock<Server> = OnceLock::new();
static NAMES: AtomicU32 = AtomicU32::new(0);

/// See the module.
#[derive(Debug, Clone)]
pub enum Database {
    /// An SQLite file.
    File(PathBuf),
    /// A database of this test process's server.
    Server {
        /// Directory of the server's socket.
        socket: PathBuf,
        /// The database's name.
        name: String,
    },
}

/// Whether this machine has a Postgres.
///
/// # Errors
/// Where it has not.
pub fn possible() -> Result<()> {
    server::binaries().map(drop).context("no Postgres under /usr/lib/postgresql")
}

impl Database {
    /// A new database of the server, which is started with the first; its gateway makes the tables.
    ///
    /// # Errors
    /// Where Postgres is missing or does not start.
    pub fn on_server() -> Result<Self> {
        let socket = server()?.socket.clone();
        let name = format!("e2e_{}", NAMES.fetch_add(1, Ordering::Relaxed));
        psql(&socket, "postgres", &[&format!("CREATE DATABASE {name} OWNER {OWNER}")])?;
        Ok(Self::Server { socket, name })
    }

    /// The `[store]` section of a gateway on it.
    #[must_use]
    pub fn settings(&self) -> String {
        match self {
            Self::File(path) => format!("[store]\npath = \"{}\"\n", path.display()),
            Self::Server { socket, name } => format!(
                "[store.postgres]\nhost = \"{}\"\ndatabase = \"{name}\"\nrole = {{ name = \"{SERVING}\" }}\nowner = {{ name = \"{OWNER}\" }}\n",
                socket.display()
            ),
        }
    }

    /// How the store opens it, as a gateway does.
    #[must_use]
    pub fn config(&self) -> StoreConfig {
        match self {
            Self::File(path) => StoreConfig::at(path),
            Self::Server { socket, name } => {
                let role = |name: &str| Role { name: name.to_owned(), password_file: None };
                PostgresConfig::new(socket.to_string_lossy(), name.as_str(), role(SERVING)).into()
            }
        }
    }

    /// The file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server { .. } => None,
        }
    }

    /// An id as SQL has it, from its 32 hexadecimal digits.
    #[must_use]
    pub fn id(&self, digits: &str) -> String {
        match self {
            Self::File(_) => format!("x'{digits}'"),
            Self::Server { .. } => format!("'{digits}'"),
        }
    }

    /// So many random bytes as SQL has them.
    #[must_use]
    pub fn bytes(&self, length: usize) -> String {
        match self {
            Self::File(_) => format!("randomblob({length})"),
            Self::Server { .. } => {
                format!("substring(sha256(random()::text::bytea) || sha256(random()::text::bytea), 1, {length})")
            }
        }
    }
}

/// The server, with its roles.
fn server() -> Result<&'static Server> {
    static STARTING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(server) = SERVER.get() {
        return Ok(server);
    }
    // Only processes of ours are killed, never the server: what it says is written need not be durable.
    let settings = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off";
    let server = Server::start(Wished { identity: None, settings })?;
    psql(
        &server.socket,
        "postgres",
        &[&format!("CREATE ROLE {OWNER} LOGIN"), &format!("CREATE ROLE {SERVING} LOGIN")],
    )?;
    Ok(SERVER.get_or_init(|| server))
}

/// Runs statements as the superuser, past the door: one transaction, unless there is only one. Answers what each came to.
///
/// # Errors
/// Where one fails.
pub(crate) fn psql(socket: &Path, database: &str, statements: &[&str]) -> Result<String> {
    let mut command = psql_at(socket, database)?;
    if statements.len() > 1 {
        command.arg("-1");
    }
    output(command.args(statements.iter().flat_map(|sql| ["-c", sql])))
}

/// The program, as the superuser.
pub(crate) fn psql_at(socket: &Path, database: &str) -> Result<Command> {
    let mut command = Command::new(server::binaries().context("no Postgres")?.join("psql"));
    command.args(["-X", "-v", "ON_ERROR_STOP=1", "-U", SUPERUSER, "-h"]).arg(socket).args(["-d", database]);
    Ok(command)
}
