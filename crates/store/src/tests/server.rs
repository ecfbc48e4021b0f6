//! A Postgres server of its own for one test process: a cluster in a temporary folder, reached by a Unix socket there and, with
//! TLS, on a port of this machine. Knows the programs of the system's packages and nothing of Countersign; the end-to-end tests
//! compile this file too.
//!
//! Invariant: the server and its folder are gone soon after whoever started it, however that ended. A shell stands between
//! the two and waits on a pipe.

use std::{
    fs,
    io::{BufRead as _, BufReader, Error, Read as _, Result},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Superuser of the server; asked for no password on the socket.
pub(crate) const SUPERUSER: &str = "postgres";
/// Whoever is a member of this role is asked for a password on the socket too, as everybody is on the port.
pub(crate) const ASKED: &str = "asked_for_password";

/// Certificate chain and key that the server shows, both PEM.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) cert: String,
    pub(crate) key: String,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    /// The shell; the server ends when its standard input does.
    shell: Child,
    /// Directory of the socket.
    pub(crate) socket: PathBuf,
    /// Port of the socket, and of TLS where it was asked for.
    pub(crate) port: u16,
}

const SCRIPT: &str = r#"
set -eu
umask 077
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$BIN/initdb" -D "$dir/data" -U "$SUPERUSER" -A trust -N -E UTF8 --locale=C >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
cat >"$dir/data/pg_hba.conf" <<END
local   all +$ASKED               scram-sha-256
local   all all                   trust
hostssl all all     127.0.0.1/32  scram-sha-256
hostnossl all +$ASKED 127.0.0.1/32 scram-sha-256
END
set -- -D "$dir/data" -k "$dir" -p "$PORT" -c max_connections=300 -c shared_buffers=32MB -c deadlock_timeout=100ms $SETTINGS
if [ -n "$CERT" ]; then
    printf %s "$CERT" >"$dir/data/server.crt"
    printf %s "$KEY" >"$dir/data/server.key"
    set -- "$@" -c ssl=on
fi
"$BIN/postgres" "$@" >"$dir/log" 2>&1 &
pid=$!
tries=0
until "$BIN/pg_isready" -q -h "$dir" -p "$PORT"; do
    tries=$((tries + 1))
    kill -0 $pid 2>/dev/null && [ $tries -lt 600 ] || { cat "$dir/log" >&2; exit 1; }
    sleep 0.05
done
chmod 711 "$dir"
echo "$dir"
cat >/dev/null || true
kill -QUIT $pid
wait $pid || true
"#;

/// What a server is to be like.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wished {
    /// Listens on 127.0.0.1 too, with this identity.
    pub(crate) identity: Option<Identity>,
    /// Further settings, such as `-c fsync=off`.
    pub(crate) settings: &'static str,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub(crate) fn start(wished: Wished) -> Result<Self> {
        let bin = binaries().ok_or_else(|| {
            Error::other(
                "no Postgres under /usr/lib/postgresql: install it, or leave its tests out with `--skip postgres`",
            )
        })?;
        let port = match &wished.identity {
            Some(_) => std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
            None => 5432,
        };
        let listen = if wished.identity.is_some() { "127.0.0.1" } else { "" };
        let Identity { cert, key } = wished.identity.unwrap_or(Identity { cert: String::new(), key: String::new() });
        let mut shell = as_nobody_special("sh")?
            .args(["-c", SCRIPT])
            .current_dir("/")
            .env("BIN", bin)
            .env("PORT", port.to_string())
            .env("SUPERUSER", SUPERUSER)
            .env("ASKED", ASKED)
            .env("SETTINGS", format!("-c listen_addresses={listen} {}", wished.settings))
            .env("CERT", cert)
            .env("KEY", key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = shell.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        if line.is_empty() {
            let mut said = String::new();
            if let Some(mut stderr) = shell.stderr.take() {
                stderr.read_to_string(&mut said)?;
            }
            return Err(Error::other(format!("Postgres did not start:\n{said}")));
        }
        Ok(Self { shell, socket: PathBuf::from(line.trim_end()), port })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ended = self.shell.wait();
    }
}

/// The programs of the newest Postgres that the system has.
pub(crate) fn binaries() -> Option<PathBuf> {
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let installed = fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path());
    let newest = installed.filter(|path| path.join("bin/initdb").exists()).max_by_key(|path| version(path))?;
    Some(newest.join("bin"))
}

/// Postgres refuses to run as root: then it runs as the user that its package made.
fn as_nobody_special(program: &str) -> Result<Command> {
    let id = Command::new("id").arg("-u").output()?;
    if id.stdout.trim_ascii() != b"0" {
        return Ok(Command::new(program));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups", program]);
    Ok(command)
}
