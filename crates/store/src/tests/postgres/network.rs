//! TLS to the server and passwords from files, against a server that shows a certificate of `localhost`.

use super::*;
use crate::{
    PostgresConfig, Role,
    tests::{
        postgres_home::{execute, superuser_of},
        server::{ASKED, Identity, Server, Wished},
    },
    tx::Scope,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

const PASSWORD: &str = "correct horse battery";

/// A server, its authority and a stranger's, a password and a wrong one.
struct Network {
    server: Server,
    dir: TempDir,
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

impl Network {
    async fn new() -> Self {
        let (ours, strangers) = (authority("ours"), authority("a stranger's"));
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ours).unwrap();
        let identity = Some(Identity { cert: cert.pem(), key: key.serialize_pem() });
        let server = Server::start(Wished { identity, settings: "-c fsync=off" }).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let files = [
            ("ca.pem", ours.pem()),
            ("stranger.pem", strangers.pem()),
            ("password", format!("{PASSWORD}\n")),
            ("wrong", "wrong".to_owned()),
        ];
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
            fs::set_permissions(dir.path().join(name), Permissions::from_mode(0o600)).unwrap();
        }
        let mut conn = superuser_of(&server, "postgres").await;
        let roles = format!(
            "CREATE ROLE {ASKED}; CREATE ROLE own LOGIN PASSWORD '{PASSWORD}' IN ROLE {ASKED};
             CREATE ROLE serve LOGIN PASSWORD '{PASSWORD}' IN ROLE {ASKED}"
        );
        execute(&mut conn, roles).await.unwrap();
        execute(&mut conn, "CREATE DATABASE countersign OWNER own".into()).await.unwrap();
        Self { server, dir }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.dir.path().join(name))
    }

    fn config(&self) -> PostgresConfig {
        let role = |name: &str| Role { name: name.into(), password_file: self.file("password") };
        PostgresConfig {
            port: self.server.port,
            owner: Some(role("own")),
            ca_file: self.file("ca.pem"),
            ..PostgresConfig::new("localhost", "countersign", role("serve"))
        }
    }
}

/// The whole chain of what went wrong.
async fn refused(config: PostgresConfig) -> String {
    let error = Store::open(config.into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    format!("{error:?}")
}

#[tokio::test]
async fn the_server_is_known_by_its_certificate_and_we_by_a_password() {
    let network = Network::new().await;
    let good = network.config();
    let store = Store::open(good.clone().into()).await.unwrap();
    store.create_tenant(new_tenant(TenantId::new(make_id().unwrap()))).await.unwrap();
    let mut conn = superuser_of(&network.server, "countersign").await;
    let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'serve' AND ssl";
    let encrypted: i64 = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
    assert!(encrypted > 0, "control");

    let stranger = PostgresConfig { ca_file: network.file("stranger.pem"), ..good.clone() };
    assert!(refused(stranger).await.contains("UnknownIssuer"));
    let other_name = PostgresConfig { host: "127.0.0.1".into(), ..good.clone() };
    assert!(refused(other_name).await.contains("NotValidForName"));
    let wrong = Role { password_file: network.file("wrong"), ..good.role.clone() };
    let said = refused(PostgresConfig { role: wrong, ..good.clone() }).await;
    assert!(said.contains("28P01"), "{said}");
    assert!(!said.contains("\"wrong\""), "a password is never said");
    let none = Role { password_file: network.file("absent"), ..good.role.clone() };
    let absent = Store::open(PostgresConfig { role: none, ..good.clone() }.into()).await;
    assert!(matches!(absent, Err(StoreError::File { .. })), "{absent:?}");
    let laid_open = network.file("wrong").unwrap();
    fs::set_permissions(&laid_open, Permissions::from_mode(0o640)).unwrap();
    let role = Role { password_file: Some(laid_open), ..good.role.clone() };
    let refused = Store::open(PostgresConfig { role, ..good.clone() }.into()).await;
    assert!(matches!(refused, Err(StoreError::File { .. })), "{refused:?}");
    assert!(!format!("{good:?}").contains(PASSWORD));
}

#[tokio::test]
async fn plaintext_stays_on_this_machine_and_is_asked_for_in_words() {
    let network = Network::new().await;
    let plain = PostgresConfig { ca_file: None, plaintext: true, ..network.config() };
    Store::open(plain.clone().into()).await.unwrap();
    for settings in [
        PostgresConfig { plaintext: false, ..plain.clone() },
        PostgresConfig { ca_file: network.file("ca.pem"), ..plain },
    ] {
        assert!(matches!(Store::open(settings.into()).await, Err(StoreError::Settings(_))));
    }
    let socket = network.server.socket.to_str().unwrap().to_owned();
    Store::open(PostgresConfig { host: socket, ca_file: None, ..network.config() }.into()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_soon() {
    let role = Role { name: "serve".into(), password_file: None };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = PostgresConfig { port, plaintext: true, ..PostgresConfig::new("127.0.0.1", "countersign", role) };
    refused(config).await;
}

#[tokio::test]
async fn a_server_that_says_nothing_is_unavailable_and_soon() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let role = Role { name: "serve".into(), password_file: None };
    let config = PostgresConfig {
        port: silent.local_addr().unwrap().port(),
        plaintext: true,
        acquire_timeout: Duration::from_millis(300),
        ..PostgresConfig::new("127.0.0.1", "countersign", role)
    };
    tokio::time::timeout(Duration::from_secs(3), refused(config)).await.unwrap();
}

/// Passes bytes on to a port of this machine. What has come through it when it goes silent is stuck for good, as behind a
/// network that lost its way.
async fn wire(to: u16, silent: &'static AtomicBool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (from, _) = listener.accept().await.unwrap();
            let to = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            let ((from_r, from_w), (to_r, to_w)) = (from.into_split(), to.into_split());
            tokio::spawn(pass_on(from_r, to_w, silent));
            tokio::spawn(pass_on(to_r, from_w, silent));
        }
    });
    port
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, silent: &AtomicBool) {
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        if silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        to.write_all(&bytes[..n]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_goes_silent_is_unavailable_soon_and_passes() {
    static SILENT: AtomicBool = AtomicBool::new(false);
    let network = Network::new().await;
    let (ms, tenant) = (Duration::from_millis, TenantId::new(make_id().unwrap()));
    let config = PostgresConfig {
        ca_file: None,
        plaintext: true,
        port: wire(network.server.port, &SILENT).await,
        max_connections: 2,
        acquire_timeout: ms(500),
        statement_timeout: ms(300),
        lock_timeout: ms(300),
        idle_in_transaction_timeout: ms(1_000),
        ..network.config()
    };
    let store = Store::open(config.into()).await.unwrap();
    store.create_tenant(new_tenant(tenant)).await.unwrap();
    let tx = store.begin(Scope::Tenant(tenant)).await.unwrap();
    SILENT.store(true, Ordering::SeqCst);
    let asked = async {
        assert!(matches!(store.tenant(tenant).await, Err(StoreError::Unavailable(_))));
        assert!(tx.commit().await.is_err());
    };
    tokio::time::timeout(Duration::from_secs(6), asked).await.unwrap();
    SILENT.store(false, Ordering::SeqCst);
    // Stuck connections are given up when they do not come back to the pool in time; the server ends their transactions.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    for _ in 0..8 {
        store.audit(tenant, "test.entry", AuditBody::default()).await.unwrap();
    }
}
