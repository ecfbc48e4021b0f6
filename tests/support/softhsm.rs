//! SoftHSM 2 tokens as key providers of a cluster: one for the root, one for workers, one for gateways.
//!
//! Owns their directory. Must never know: keys. Invariant: processes of the cluster find the tokens by the environment alone.

use crate::{cluster, places};
use anyhow::{Context, Result};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

const SO_PIN: &str = "87654321";
const PARTS: [&str; 3] = ["root", "worker", "gateway"];

/// See the module.
#[derive(Debug, Clone)]
pub struct Tokens {
    dir: PathBuf,
    module: PathBuf,
}

/// Where the module lies.
///
/// # Errors
/// Where SoftHSM 2 is not installed.
pub fn module() -> Result<PathBuf> {
    places::tool("softhsm2-util", &["--version"])?;
    let usual = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
    ];
    let found = usual.iter().map(Path::new).find(|path| path.exists());
    found.map(Path::to_owned).context("SoftHSM 2 is not installed: apt-get install softhsm2")
}

impl Tokens {
    /// Makes three tokens and their PIN files in a new directory.
    ///
    /// # Errors
    /// Where SoftHSM 2 is not installed or does not make them.
    pub fn lay(dir: &Path) -> Result<Self> {
        let tokens = Self { dir: dir.to_owned(), module: module()? };
        fs::create_dir_all(dir.join("tokens"))?;
        let conf =
            format!("directories.tokendir = {}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n", dir.display());
        fs::write(dir.join("softhsm2.conf"), conf)?;
        for part in PARTS {
            let pin = format!("1234-{part}");
            let mut util = Command::new("softhsm2-util");
            util.args(["--init-token", "--free", "--label", part, "--so-pin", SO_PIN, "--pin", &pin]);
            cluster::output(util.envs([tokens.env()]))?;
            tokens.write_pin(part, &pin)?;
        }
        Ok(tokens)
    }

    /// What tells a process where the tokens are.
    #[must_use]
    pub fn env(&self) -> (String, String) {
        ("SOFTHSM2_CONF".to_owned(), self.dir.join("softhsm2.conf").to_string_lossy().into_owned())
    }

    /// Lines of a `[kms]` table on a part's token.
    #[must_use]
    pub fn kms(&self, part: &str) -> String {
        format!(
            "provider = \"pkcs11\"\nmodule = \"{}\"\ntoken = \"{part}\"\npin_file = \"{}\"\nsessions = 2\ntimeout_ms = 1000\n",
            self.module.display(),
            self.pin_file(part).display()
        )
    }

    /// Writes the file for `countersign keys init --providers`.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_providers(&self) -> Result<PathBuf> {
        let path = self.dir.join("providers.toml");
        let tables: Vec<String> = PARTS.iter().map(|part| format!("[{part}]\n{}", self.kms(part))).collect();
        fs::write(&path, tables.join("\n"))?;
        Ok(path)
    }

    /// Takes every token out, or puts all back.
    ///
    /// # Errors
    /// Where they are not where they should be.
    pub fn pull(&self, out: bool) -> Result<()> {
        let (inside, outside) = (self.dir.join("tokens"), self.dir.join("pulled"));
        let (from, to) = if out { (inside, outside) } else { (outside, inside) };
        Ok(fs::rename(from, to)?)
    }

    /// Writes a part's PIN file.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_pin(&self, part: &str, pin: &str) -> Result<()> {
        fs::write(self.pin_file(part), format!("{pin}\n"))?;
        Ok(fs::set_permissions(self.pin_file(part), fs::Permissions::from_mode(0o600))?)
    }

    fn pin_file(&self, part: &str) -> PathBuf {
        self.dir.join(format!("{part}.pin"))
    }
}
