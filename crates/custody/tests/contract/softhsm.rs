//! A SoftHSM 2 token in a directory of its own, in a process of its own.

use crate::desk::Desk;
use custody::{KmsConfig, Pkcs11Config};
use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

pub(crate) const LABEL: &str = "countersign test";
pub(crate) const PIN: &str = "123456";
const SO_PIN: &str = "654321";
/// Set in the process that runs the test itself: where its token lies.
const OURS: &str = "COUNTERSIGN_TEST_SOFTHSM";
const LONGEST: Duration = Duration::from_secs(180);

/// Runs a rule of the contract on a fresh token.
pub(crate) fn in_own_process(test: &str, rule: fn(&Desk)) {
    with_token(test, |token| rule(&token.desk()));
}

/// Runs `body` on a fresh token, in a process of its own; says so and passes over where SoftHSM is not installed.
pub(crate) fn with_token(test: &str, body: impl Fn(&Token)) {
    if let Some(folder) = env::var_os(OURS) {
        return body(&Token { folder: folder.into(), module: module().unwrap() });
    }
    if module().is_none() || Command::new("softhsm2-util").arg("--version").output().is_err() {
        println!("skipped: custody/{test}: SoftHSM 2 is not installed (Debian: apt-get install softhsm2)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let token = Token { folder: folder.path().to_owned(), module: module().unwrap() };
    token.lay();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(OURS, &token.folder);
    let (said, errors) = (fs::File::create(token.folder.join("said")).unwrap(), token.folder.join("errors"));
    command.stdin(Stdio::null()).stdout(said).stderr(fs::File::create(&errors).unwrap());
    let mut child = command.env("SOFTHSM2_CONF", token.conf()).spawn().unwrap();
    for _ in 0..LONGEST.as_millis() / 20 {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{test}: {status}\n{}", fs::read_to_string(errors).unwrap());
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    panic!("{test} hung\n{}", fs::read_to_string(errors).unwrap());
}

/// See the module.
pub(crate) struct Token {
    folder: PathBuf,
    module: PathBuf,
}

impl Token {
    pub(crate) fn desk(&self) -> Desk {
        Desk::open(KmsConfig::Pkcs11(self.config()), (2, true))
    }

    pub(crate) fn config(&self) -> Pkcs11Config {
        Pkcs11Config {
            module: self.module.clone(),
            token: LABEL.to_owned(),
            pin_file: self.pin_file(),
            sessions: 2,
            timeout_ms: 2_000,
        }
    }

    pub(crate) fn pin_file(&self) -> PathBuf {
        self.folder.join("pin")
    }

    pub(crate) fn write_pin(&self, pin: &str) {
        fs::write(self.pin_file(), format!("{pin}\n")).unwrap();
        fs::set_permissions(self.pin_file(), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Where SoftHSM keeps its tokens.
    pub(crate) fn tokens(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    /// Takes the token out, or puts it back.
    pub(crate) fn pull(&self, out: bool) {
        let (inside, outside) = (self.tokens(), self.folder.join("pulled"));
        let (from, to) = if out { (inside, outside) } else { (outside, inside) };
        fs::rename(from, to).unwrap();
    }

    /// Changes with every wrong PIN that the token was given: SoftHSM notes it in the token's own object.
    pub(crate) fn pin_tries(&self) -> SystemTime {
        let token = fs::read_dir(self.tokens()).unwrap().next().unwrap().unwrap().path();
        fs::metadata(token.join("token.object")).unwrap().modified().unwrap()
    }

    fn lay(&self) {
        fs::create_dir(self.tokens()).unwrap();
        let conf = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            self.tokens().display()
        );
        fs::write(self.conf(), conf).unwrap();
        self.util(&["--init-token", "--free", "--label", LABEL, "--so-pin", SO_PIN, "--pin", PIN]);
        self.write_pin(PIN);
    }

    fn util(&self, arguments: &[&str]) {
        let mut command = Command::new("softhsm2-util");
        let output = command.args(arguments).env("SOFTHSM2_CONF", self.conf()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn conf(&self) -> PathBuf {
        self.folder.join("softhsm2.conf")
    }
}

fn module() -> Option<PathBuf> {
    let usual = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
    ];
    usual.iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned)
}
