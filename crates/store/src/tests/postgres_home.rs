//! The one server of this test process, a database in it for each test, and the way past its door.

use super::server::{SUPERUSER, Server, Wished};
use crate::{PostgresConfig, Role, Store, StoreConfig};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::sync::{
    LazyLock,
    atomic::{AtomicU32, Ordering},
};
use tokio::sync::{Mutex, OnceCell};

const NOW: &str = "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)";
pub(super) const OWNER: &str = "owner";
pub(super) const SERVING: &str = "serving";
const TEMPLATE: &str = "of_our_own";

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let settings = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off";
    Server::start(Wished { identity: None, settings }).unwrap()
});
static READY: OnceCell<()> = OnceCell::const_new();
static NAMES: AtomicU32 = AtomicU32::new(0);

/// A superuser's connection.
pub(super) async fn superuser(database: &str) -> PgConnection {
    superuser_of(&SERVER, database).await
}

pub(super) async fn superuser_of(server: &Server, database: &str) -> PgConnection {
    let options = PgConnectOptions::new_without_pgpass()
        .host(server.socket.to_str().unwrap())
        .port(server.port)
        .username(SUPERUSER)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
        .options([("client_min_messages", "error")]);
    options.connect().await.unwrap()
}

pub(super) async fn execute(conn: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)
}

/// Roles, and a database with the schema that others are copied from.
async fn prepare() {
    let mut conn = superuser("postgres").await;
    execute(&mut conn, format!("CREATE ROLE {OWNER} LOGIN; CREATE ROLE {SERVING} LOGIN")).await.unwrap();
    execute(&mut conn, format!("CREATE DATABASE {TEMPLATE} OWNER {OWNER}")).await.unwrap();
    Store::open(owned(TEMPLATE).into()).await.unwrap().close().await;
}

/// How the store reaches a database of this server and keeps its schema.
pub(super) fn owned(database: &str) -> PostgresConfig {
    let owner = Some(Role { name: OWNER.into(), password_file: None });
    PostgresConfig { owner, ..served(database) }
}

fn served(database: &str) -> PostgresConfig {
    served_by(SERVER.socket.to_str().unwrap(), database)
}

fn served_by(socket: &str, database: &str) -> PostgresConfig {
    let role = Role { name: SERVING.into(), password_file: None };
    PostgresConfig { max_connections: 8, ..PostgresConfig::new(socket, database, role) }
}

/// What another process finds under a database's address.
pub(super) fn config_at(address: &str) -> StoreConfig {
    let (socket, database) = address.split_once(' ').unwrap();
    served_by(socket, database).into()
}

/// One test's database.
pub(super) struct Database {
    pub(super) name: String,
    admin: Mutex<PgConnection>,
}

impl Database {
    /// With the schema and without a row.
    pub(super) async fn new() -> Self {
        READY.get_or_init(prepare).await;
        Self::named(format!("CREATE DATABASE {{name}} OWNER {OWNER} TEMPLATE {TEMPLATE}")).await
    }

    /// Without a schema.
    pub(super) async fn empty() -> Self {
        READY.get_or_init(prepare).await;
        Self::named(format!("CREATE DATABASE {{name}} OWNER {OWNER}")).await
    }

    async fn named(create: String) -> Self {
        let name = format!("test_{}", NAMES.fetch_add(1, Ordering::Relaxed));
        let mut conn = superuser("postgres").await;
        execute(&mut conn, create.replace("{name}", &name)).await.unwrap();
        conn.close().await.unwrap();
        Self { admin: Mutex::new(superuser(&name).await), name }
    }

    pub(super) fn config(&self) -> StoreConfig {
        served(&self.name).into()
    }

    pub(super) fn address(&self) -> String {
        format!("{} {}", SERVER.socket.to_str().unwrap(), self.name)
    }

    pub(super) async fn run(&self, sql: &str) -> Result<(), sqlx::Error> {
        execute(&mut *self.admin.lock().await, sql.replace("{now}", NOW)).await
    }

    pub(super) async fn number(&self, sql: &str) -> i64 {
        let sql = format!("SELECT CAST(number AS BIGINT) AS number FROM ({}) AS q (number)", sql.replace("{now}", NOW));
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *self.admin.lock().await).await.unwrap();
        row.get("number")
    }
}
