//! Postgres: one pool of connections of the serving role. Owns how the server is reached and what every session is set to.
//! Must never know: tables. Invariants: no byte crosses a network in the clear; whoever serves is neither superuser nor
//! exempt from row-level security; a connection that comes back to the pool has no transaction open.

use crate::{
    StoreError,
    conn::{Conn, Link},
    migrate,
    tx::Scope,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// How a server is reached and how long anybody waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresConfig {
    /// Name or address of the server; a path that begins with `/` is the directory of its Unix socket.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role that serves: may read and write rows, owns nothing.
    pub role: Role,
    /// The role that owns the schema. Where it is named the schema is brought up to date at start; else it is only checked.
    pub owner: Option<Role>,
    /// Certificates (PEM) that the server's own must descend from; beside them the public web's roots are trusted.
    pub ca_file: Option<PathBuf>,
    /// Without TLS: refused unless the host is this machine. A Unix socket needs neither.
    pub plaintext: bool,
    /// Connections at most.
    pub max_connections: u32,
    /// How long a caller waits for a connection before `Unavailable`.
    pub acquire_timeout: Duration,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// How long a statement waits for a lock.
    pub lock_timeout: Duration,
    /// After how long the server ends a transaction that says nothing.
    pub idle_in_transaction_timeout: Duration,
}

/// A role and where its password lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// File that holds the password and nothing else; `None` where the server asks for none (peer, certificates).
    pub password_file: Option<PathBuf>,
}

impl PostgresConfig {
    /// The defaults for a database: 20 connections, TLS, 5 s for a connection, a statement and a lock, 10 s in between.
    #[must_use]
    pub fn new(host: impl Into<String>, database: impl Into<String>, role: Role) -> Self {
        Self {
            host: host.into(),
            port: 5432,
            database: database.into(),
            role,
            owner: None,
            ca_file: None,
            plaintext: false,
            max_connections: 20,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(5),
            idle_in_transaction_timeout: Duration::from_secs(10),
        }
    }

    /// Whether bytes stay on this machine.
    fn is_local(&self) -> bool {
        self.host.starts_with('/') || matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1")
    }

    fn tls(&self) -> Result<PgSslMode, StoreError> {
        match (self.plaintext, &self.ca_file) {
            (true, _) if !self.is_local() => Err(StoreError::Settings("plaintext to a database on another machine")),
            (true, Some(_)) => Err(StoreError::Settings("plaintext and a CA file contradict each other")),
            (true, None) => Ok(PgSslMode::Disable),
            (false, _) if self.host.starts_with('/') => Ok(PgSslMode::Disable),
            (false, Some(_)) => Ok(PgSslMode::VerifyFull),
            (false, None) => Err(StoreError::Settings("TLS to the database wants a CA file")),
        }
    }

    fn connect_options(&self, role: &Role) -> Result<PgConnectOptions, StoreError> {
        let ms = |time: Duration| time.as_millis().to_string();
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .database(&self.database)
            .username(&role.name)
            .ssl_mode(self.tls()?)
            .application_name("countersign")
            .options([
                ("statement_timeout", ms(self.statement_timeout)),
                ("lock_timeout", ms(self.lock_timeout)),
                ("idle_in_transaction_session_timeout", ms(self.idle_in_transaction_timeout)),
                // The pool ends transactions that nobody ended; there may be none.
                ("client_min_messages", "error".to_owned()),
            ]);
        if let Some(ca) = &self.ca_file {
            options = options.ssl_root_cert(ca);
        }
        if let Some(path) = &role.password_file {
            let password = password(path).map_err(|source| StoreError::File { path: path.clone(), source })?;
            options = options.password(password.trim_end_matches(['\r', '\n']));
        }
        Ok(options)
    }
}

/// A password from a file that this user alone may read.
fn password(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Err(std::io::Error::new(ErrorKind::PermissionDenied, "others may read it: its mode must be 0600"));
    }
    let mut password = String::new();
    file.read_to_string(&mut password)?;
    Ok(password)
}

/// How long a connection that comes back, or has been idle, may take to say that it is well.
const PULSE: Duration = Duration::from_secs(2);
/// Idle for longer, a connection is asked before it is used.
const IDLE: Duration = Duration::from_secs(1);
/// What a statement may take beyond the server's own limit before the server counts as gone.
const GRACE: Duration = Duration::from_secs(2);

/// The connections to one database.
#[derive(Debug, Clone)]
pub(crate) struct PostgresServer {
    pool: PgPool,
    patience: Duration,
}

impl PostgresServer {
    /// Connects, brings the schema up to date where an owner is named, and checks it.
    pub(crate) async fn open(config: &PostgresConfig) -> Result<Self, StoreError> {
        let options = config.connect_options(&config.role)?;
        if let Some(owner) = &config.owner {
            let options = config.connect_options(owner)?.options([("statement_timeout", "0"), ("lock_timeout", "0")]);
            let mut conn = connect(options, config.acquire_timeout).await?;
            migrate::postgres(&mut conn, &config.role.name).await?;
            conn.close().await?;
        }
        let pool = PgPoolOptions::new()
            .max_connections(config.max_connections.max(1))
            .acquire_timeout(config.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|conn, life| {
                Box::pin(async move {
                    if life.idle_for > IDLE {
                        pulse(conn, "-- pool.pulse").await?;
                    }
                    Ok(true)
                })
            })
            .after_release(|conn, _| Box::pin(async move { pulse(conn, "ROLLBACK").await.map(|()| true) }))
            .connect_with(options)
            .await?;
        let mut conn = pool.acquire().await?;
        refuse_exempt(&mut conn).await?;
        migrate::check_postgres(&mut conn).await?;
        drop(conn);
        let patience = config.statement_timeout.max(config.lock_timeout) + GRACE;
        Ok(Self { pool, patience })
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// A reading transaction: everything is of one moment.
    pub(crate) async fn reader(&self, scope: Scope) -> Result<Conn, sqlx::Error> {
        self.transaction("ISOLATION LEVEL REPEATABLE READ READ ONLY", scope).await
    }

    /// A writing transaction.
    pub(crate) async fn begin(&self, scope: Scope) -> Result<Conn, sqlx::Error> {
        self.transaction("ISOLATION LEVEL READ COMMITTED", scope).await
    }

    async fn transaction(&self, kind: &'static str, scope: Scope) -> Result<Conn, sqlx::Error> {
        let tenant = match scope {
            Scope::Tenant(tenant) => tenant.uuid().hyphenated().to_string(),
            Scope::AllTenants => "*".to_owned(),
        };
        let mut conn: Conn = Link::Postgres { conn: self.pool.acquire().await?, patience: self.patience }.into();
        // Safe: a UUID or a star.
        let sql = format!("-- tx.begin\nBEGIN {kind}; SET LOCAL countersign.tenant = '{tenant}'");
        conn.batch(AssertSqlSafe(sql)).await?;
        Ok(conn)
    }
}

async fn connect(options: PgConnectOptions, patience: Duration) -> Result<PgConnection, sqlx::Error> {
    tokio::time::timeout(patience, options.connect()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Runs a statement that a live server answers at once.
async fn pulse(conn: &mut PgConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    match tokio::time::timeout(PULSE, sqlx::raw_sql(sql).execute(conn)).await {
        Ok(answer) => answer.map(drop),
        Err(_) => Err(sqlx::Error::Io(ErrorKind::TimedOut.into())),
    }
}

/// Row-level security binds neither superusers nor those who bypass it: such a role does not serve.
async fn refuse_exempt(conn: &mut PgConnection) -> Result<(), StoreError> {
    let sql = "-- roles.exempt
        SELECT rolsuper OR rolbypassrls AS exempt FROM pg_roles WHERE rolname = current_user";
    let exempt: bool = sqlx::query(sql).fetch_one(conn).await?.try_get("exempt")?;
    if exempt { Err(StoreError::Settings("the serving role is exempt from row-level security")) } else { Ok(()) }
}
