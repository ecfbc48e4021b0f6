//! A real cluster on this machine: `countersign-worker` and `countersign-gateway` as processes of their own, generated keys and
//! certificates, mutual TLS between them. Everything it writes lies in one temporary folder, or in a database of a server.
//!
//! Invariant: no process outlives its `Cluster`.

use crate::{caller::Tenant, database::Database, places, ports::free_port, softhsm::Tokens};
use anyhow::{Context, Result, bail, ensure};
use biometrics::Policy;
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directory of the model pack.
    pub pack: PathBuf,
    /// Directory of the pack before, of which the recogniser stays.
    pub previous_pack: Option<PathBuf>,
    /// Engine threads of each worker.
    pub threads: usize,
    /// Workers; each listens on a port of its own.
    pub workers: usize,
    /// Environment of the gateway process, such as a failpoint.
    pub gateway_env: Vec<(String, String)>,
    /// Environment of the worker processes, such as a leak on purpose.
    pub worker_env: Vec<(String, String)>,
    /// Keys live on SoftHSM tokens instead of files.
    pub on_tokens: bool,
    /// The database is a Postgres server's instead of an SQLite file.
    pub on_server: bool,
}

impl Options {
    /// One worker with two engines on the given pack.
    #[must_use]
    pub fn new(pack: PathBuf) -> Self {
        let (gateway_env, worker_env) = (Vec::new(), Vec::new());
        let previous_pack = None;
        Self {
            pack,
            previous_pack,
            threads: 2,
            workers: 1,
            gateway_env,
            worker_env,
            on_tokens: false,
            on_server: false,
        }
    }
}

/// One running process, killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Where it answers calls.
    pub address: SocketAddr,
    /// Where it answers probes.
    pub admin: SocketAddr,
}

impl Process {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
    /// Its resident memory in megabytes: now (`VmRSS`), or at most since it began (`VmHWM`).
    ///
    /// # Errors
    /// Where `/proc` does not say.
    pub fn memory(&self, field: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).context("no /proc here")?;
        let found = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kilobytes: f64 = found.context("no such field")?.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes / 1024.0)
    }
    /// Kills it (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
    /// Asks it to stop (SIGTERM) and returns whether it ended with status 0.
    ///
    /// # Errors
    /// Where `kill` cannot be run.
    pub fn terminate(&mut self) -> Result<bool> {
        Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        Ok(self.child.wait()?.success())
    }
    /// Whether it still runs.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn runs(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }
    /// The value of a counter or gauge on the admin port, summed over its labels.
    ///
    /// # Errors
    /// Where the port does not answer.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let text = get(self.admin, "/metrics")?;
        let of = |line: &str| {
            let rest = line.strip_prefix(name)?;
            let value = if rest.starts_with('{') { rest.split_once("} ")?.1 } else { rest.strip_prefix(' ')? };
            value.trim().parse::<f64>().ok()
        };
        Ok(text.lines().filter_map(of).sum())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A gateway and its workers.
#[derive(Debug)]
pub struct Cluster {
    /// What it was made of.
    pub options: Options,
    /// The gateway.
    pub gateway: Process,
    /// The workers.
    pub workers: Vec<Process>,
    /// Where the keys live, unless in files.
    pub tokens: Option<Tokens>,
    /// The database.
    pub database: Database,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Makes keys, certificates and configuration, starts the processes and waits until they are ready.
    ///
    /// # Errors
    /// Where a program, pack or library is missing, or a process does not become ready within 30 s.
    pub fn start(options: Options) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let dir = folder.path();
        let tokens = options.on_tokens.then(|| Tokens::lay(&dir.join("softhsm"))).transpose()?;
        make_keys(dir, tokens.as_ref())?;
        cli(&[
            "keys",
            "certificates",
            &text(&dir.join("tls")),
            "--public-name",
            "localhost",
            "--public-name",
            "127.0.0.1",
        ])?;
        fs::create_dir(dir.join("data"))?;
        fs::create_dir(dir.join("tmp"))?;
        let workers: Vec<Process> = (0..options.workers)
            .map(|number| start_worker(dir, (&options, tokens.as_ref()), number))
            .collect::<Result<_>>()?;
        let file = || Ok(Database::File(dir.join("data/countersign.sqlite")));
        let database = if options.on_server { Database::on_server() } else { file() }?;
        lay_gateway(dir, (&database, tokens.as_ref()), &workers)?;
        let gateway = spawn_gateway(dir, (&options, tokens.as_ref()))?;
        Ok(Self { options, gateway, workers, tokens, database, folder })
    }

    /// Everything that the cluster wrote lies here: `keys/`, `tls/`, `data/`, logs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
    /// Base address for JSON.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.gateway.address.port())
    }
    /// The private authority's certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder().join("tls/ca.pem")
    }
    /// Starts the gateway again on the same database and ports, with other environment variables.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn restart_gateway(&mut self, env: &[(&str, &str)]) -> Result<()> {
        self.gateway.kill()?;
        self.options.gateway_env = env.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        self.gateway = spawn_gateway(self.folder.path(), (&self.options, self.tokens.as_ref()))?;
        Ok(())
    }
    /// Kills the gateway and starts it again with other environment variables, without waiting until it is ready: it may die
    /// before that.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn launch_gateway(&mut self, env: &[(&str, &str)]) -> Result<()> {
        self.gateway.kill()?;
        let env: Vec<_> = env.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        self.gateway = launch(self.folder.path(), ("countersign-gateway", "gateway"), &env)?;
        Ok(())
    }
    /// Ends the gateway and puts a copy in the place of its database's file. Whoever has the file open closes it before: a look over
    /// the files from a process that has them open would take SQLite's locks away.
    ///
    /// # Errors
    /// Where the database is no file, or cannot be replaced.
    pub fn put_back(&mut self, copy: &Path) -> Result<()> {
        self.gateway.kill()?;
        let database = self.database.file().context("the database is no file")?;
        for companion in ["-wal", "-shm"] {
            let mut path = database.as_os_str().to_owned();
            path.push(companion);
            if Path::new(&path).exists() {
                fs::remove_file(path)?;
            }
        }
        fs::copy(copy, database)?;
        Ok(())
    }
    /// Adds settings to the gateway's configuration; they hold from its next start.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn configure_gateway(&self, settings: &str) -> Result<()> {
        let mut file = fs::OpenOptions::new().append(true).open(self.folder().join("gateway.toml"))?;
        Ok(file.write_all(settings.as_bytes())?)
    }
    /// Names a new database of the server in the gateway's configuration, in the place of the one before; it holds from its next
    /// start.
    ///
    /// # Errors
    /// Where there is no Postgres.
    pub fn move_to_server(&mut self) -> Result<()> {
        let (path, server) = (self.folder().join("gateway.toml"), Database::on_server()?);
        fs::write(&path, fs::read_to_string(&path)?.replace(&self.database.settings(), &server.settings()))?;
        self.database = server;
        Ok(())
    }
    /// Starts a further gateway on the same database and keys, with ports of its own.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn further_gateway(&self) -> Result<Process> {
        let (first, dir) = (fs::read_to_string(self.folder().join("gateway.toml"))?, self.folder());
        let config = first
            .replace(&self.gateway.address.to_string(), &free_port()?.to_string())
            .replace(&self.gateway.admin.to_string(), &free_port()?.to_string());
        fs::write(dir.join("gateway-further.toml"), config)?;
        spawn(dir, ("countersign-gateway", "gateway-further"), &env(&self.options.gateway_env, self.tokens.as_ref()))
    }
    /// Starts worker `number` again on the port it had.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn restart_worker(&mut self, number: usize) -> Result<()> {
        self.workers[number].kill()?;
        self.workers[number] = spawn_worker(self.folder.path(), (&self.options, self.tokens.as_ref()), number)?;
        Ok(())
    }
    /// Starts every worker again on another pack, beside the recogniser of the one before; the gateway goes on.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn change_pack(&mut self, pack: PathBuf) -> Result<()> {
        let before = models(&self.options);
        self.options.previous_pack = Some(std::mem::replace(&mut self.options.pack, pack));
        self.restart_workers_on(&before)
    }
    /// Starts every worker again without the recogniser of the pack before.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn forget_previous_pack(&mut self) -> Result<()> {
        let before = models(&self.options);
        self.options.previous_pack = None;
        self.restart_workers_on(&before)
    }
    fn restart_workers_on(&mut self, before: &str) -> Result<()> {
        for number in 0..self.workers.len() {
            let path = self.folder().join(format!("worker-{number}.toml"));
            let config = fs::read_to_string(&path)?;
            ensure!(config.contains(before), "other packs in {}", path.display());
            fs::write(&path, config.replace(before, &models(&self.options)))?;
            self.restart_worker(number)?;
        }
        Ok(())
    }
    /// Makes a test tenant with a policy of its own and an API key of it, as an operator would.
    ///
    /// # Errors
    /// Where the command fails.
    pub fn make_tenant_under(&self, name: &str, policy: &Policy) -> Result<Tenant> {
        self.register(name, &["--test", "--policy", &self.lay_policy(name, policy)?])
    }
    /// Makes a production tenant with a policy of its own and an API key of it, as an operator would.
    ///
    /// # Errors
    /// Where the command fails.
    pub fn make_live_tenant_under(&self, name: &str, policy: &Policy) -> Result<Tenant> {
        self.register(name, &["--policy", &self.lay_policy(name, policy)?])
    }
    fn lay_policy(&self, name: &str, policy: &Policy) -> Result<String> {
        let path = self.folder().join(format!("{name}-policy.json"));
        fs::write(&path, serde_json::to_vec(policy)?)?;
        Ok(text(&path))
    }
    /// Makes a tenant and an API key of it, as an operator would. A test tenant's policy goes without gates 3 and 4.
    ///
    /// # Errors
    /// Where the command fails.
    pub fn make_tenant(&self, name: &str, test: bool) -> Result<Tenant> {
        self.register(name, if test { &["--test"] } else { &[] })
    }
    fn register(&self, name: &str, kind: &[&str]) -> Result<Tenant> {
        let id = self.gateway_command(&[&["tenant", "create", "--name", name], kind].concat())?.trim().to_owned();
        let api_key = self.gateway_command(&["key", "create", "--tenant", &id])?.trim().to_owned();
        let key_id = api_key.split('_').nth(2).context("an API key has three underscores")?.to_owned();
        Ok(Tenant { id, api_key, key_id })
    }
    /// Runs an operator's command on this cluster's configuration and returns its standard output.
    ///
    /// # Errors
    /// Where it fails.
    pub fn gateway_command(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(places::program("countersign")?);
        command.envs(env(&[], self.tokens.as_ref()));
        output(command.args(args).arg("--config").arg(self.folder().join("gateway.toml")))
    }
}

/// Public base address of test clusters; issuers are below it.
pub const PUBLIC_URL: &str = "https://countersign.test";

/// Runs the `countersign` command and returns its standard output.
///
/// # Errors
/// Where it ends with another status than 0; the error holds what it printed.
pub fn cli(args: &[&str]) -> Result<String> {
    output(Command::new(places::program("countersign")?).args(args))
}

/// Runs `countersign keys <args>` where the cluster's tokens are seen.
///
/// # Errors
/// As [`cli`].
pub fn keys(args: &[&str], tokens: Option<&Tokens>) -> Result<String> {
    output(Command::new(places::program("countersign")?).arg("keys").args(args).envs(env(&[], tokens)))
}

fn make_keys(dir: &Path, tokens: Option<&Tokens>) -> Result<()> {
    let place = text(&dir.join("keys"));
    let init = ["init", &place, "--public-url", PUBLIC_URL];
    match tokens {
        None => keys(&init, None)?,
        Some(tokens) => {
            let providers = text(&tokens.write_providers()?);
            keys(&[&init[..], &["--providers", &providers]].concat(), Some(tokens))?
        }
    };
    Ok(())
}

/// The environment of a process, with what tells it where the tokens are.
fn env(own: &[(String, String)], tokens: Option<&Tokens>) -> Vec<(String, String)> {
    own.iter().cloned().chain(tokens.map(Tokens::env)).collect()
}

/// Lines of a part's `[kms]` table.
fn kms(dir: &Path, part: &str, tokens: Option<&Tokens>) -> String {
    let files = || format!("provider = \"file\"\ndirectory = \"{}\"\n", text(&dir.join("keys").join(part)));
    tokens.map_or_else(files, |tokens| tokens.kms(part))
}

/// Runs a command to its end and returns its standard output.
///
/// # Errors
/// Where it ends with another status than 0; the error holds what it printed.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{stdout}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(stdout)
}

/// The lines that name the packs.
fn models(options: &Options) -> String {
    let previous = options.previous_pack.as_deref();
    let previous = previous.map_or_else(String::new, |path| format!("previous_pack = \"{}\"\n", text(path)));
    format!("pack = \"{}\"\n{previous}", text(&options.pack))
}

fn start_worker(dir: &Path, (options, tokens): (&Options, Option<&Tokens>), number: usize) -> Result<Process> {
    let (listen, admin) = (free_port()?, free_port()?);
    let config = format!(
        "listen = \"{listen}\"\nadmin_listen = \"{admin}\"\n\
         [tls]\ncert = \"{tls}/worker.pem\"\nkey = \"{tls}/worker.key\"\nclient_ca = \"{tls}/ca.pem\"\n\
         allowed_peers = [\"gateway.countersign.internal\"]\n\
         [kms]\n{kms}\
         [issuers]\nproduction = \"{PUBLIC_URL}/receipts\"\ntest = \"{PUBLIC_URL}/test-receipts\"\n\
         [models]\n{models}onnxruntime = \"{runtime}\"\n[engine]\nthreads = {threads}\n",
        tls = text(&dir.join("tls")),
        kms = kms(dir, "worker", tokens),
        models = models(options),
        runtime = text(&places::onnxruntime()?),
        threads = options.threads,
    );
    fs::write(dir.join(format!("worker-{number}.toml")), config)?;
    spawn_worker(dir, (options, tokens), number)
}

fn spawn_worker(dir: &Path, (options, tokens): (&Options, Option<&Tokens>), number: usize) -> Result<Process> {
    spawn(dir, ("countersign-worker", &format!("worker-{number}")), &env(&options.worker_env, tokens))
}

fn spawn_gateway(dir: &Path, (options, tokens): (&Options, Option<&Tokens>)) -> Result<Process> {
    spawn(dir, ("countersign-gateway", "gateway"), &env(&options.gateway_env, tokens))
}

/// Writes the gateway's settings.
fn lay_gateway(dir: &Path, (database, tokens): (&Database, Option<&Tokens>), workers: &[Process]) -> Result<()> {
    let workers: Vec<String> = workers.iter().map(|worker| format!("\"{}\"", worker.address)).collect();
    let config = format!(
        "listen = \"{listen}\"\nadmin_listen = \"{admin}\"\npublic_url = \"{PUBLIC_URL}\"\n\
         [tls]\ncert = \"{tls}/public.pem\"\nkey = \"{tls}/public.key\"\n\
         {store}\
         [journal]\npath = \"{journal}\"\n\
         [kms]\n{kms}\
         [keys]\npepper = \"{keys}/gateway/pepper\"\ncapture = \"{keys}/gateway/capture.key\"\n\
         [documents]\njwks = \"{keys}/public/jwks.json\"\ntest_jwks = \"{keys}/public/test-jwks.json\"\nledger_jwks = \"{keys}/public/ledger-jwks.json\"\n\
         [inference]\nworkers = [{workers}]\n\
         [inference.tls]\nca = \"{tls}/ca.pem\"\ncert = \"{tls}/gateway.pem\"\nkey = \"{tls}/gateway.key\"\ndomain = \"worker.countersign.internal\"\n",
        listen = free_port()?,
        admin = free_port()?,
        tls = text(&dir.join("tls")),
        store = database.settings(),
        journal = text(&dir.join("deletions.journal")),
        keys = text(&dir.join("keys")),
        kms = kms(dir, "gateway", tokens),
        workers = workers.join(", "),
    );
    Ok(fs::write(dir.join("gateway.toml"), config)?)
}

/// Starts a process on `<name>.toml`, logs to `<name>.log`, and waits until its admin port says it is ready. What it keeps in
/// a temporary folder lies in `tmp/`.
fn spawn(dir: &Path, (program, name): (&str, &str), env: &[(String, String)]) -> Result<Process> {
    let log = dir.join(format!("{name}.log"));
    let mut process = launch(dir, (program, name), env)?;
    for _ in 0..600 {
        if get(process.admin, "/readyz").is_ok() {
            return Ok(process);
        }
        if !process.runs()? {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let said = fs::read_to_string(&log).unwrap_or_default();
    bail!("{name} did not become ready:\n{}", said.lines().rev().take(12).collect::<Vec<_>>().join("\n"))
}

/// Starts a process as [`spawn`] does and waits for nothing.
fn launch(dir: &Path, (program, name): (&str, &str), env: &[(String, String)]) -> Result<Process> {
    let config = dir.join(format!("{name}.toml"));
    let file = fs::OpenOptions::new().create(true).append(true).open(dir.join(format!("{name}.log")))?;
    let mut command = Command::new(places::program(program)?);
    command.args(["serve", "--config"]).arg(&config).env("TMPDIR", dir.join("tmp")).envs(env.iter().cloned());
    let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn()?;
    let (address, admin) = addresses(&config)?;
    Ok(Process { child, address, admin })
}

fn addresses(config: &Path) -> Result<(SocketAddr, SocketAddr)> {
    let text = fs::read_to_string(config)?;
    let value = |key: &str| -> Result<SocketAddr> {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = ")).context("no such key")?;
        Ok(line.trim_matches('"').parse()?)
    };
    Ok((value("listen")?, value("admin_listen")?))
}

/// One plain HTTP GET; an answer other than 200 is an error.
fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{path}: {}", answer.lines().next().unwrap_or("no answer"));
    Ok(answer)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
