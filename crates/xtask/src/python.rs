//! The Python of this machine: finding it, its pinned tools, and running the scripts of `deploy/pack`.
//!
//! Must never know what a script is for. Invariant: nothing is installed outside `target/python`.

use crate::{digest, places};
use anyhow::{Context, bail};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The oldest minor version of Python 3 that the pinned tools support.
const OLDEST_MINOR: u32 = 11;

/// A Python with pip.
pub(crate) struct Python {
    version: String,
}

impl Python {
    /// Finds `python3` and its pip, or says what to install.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let output = Command::new("python3")
            .args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
            .output()
            .context("python3 is not installed (Debian: apt-get install python3 python3-pip)")?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let minor = version.strip_prefix("3.").and_then(|minor| minor.parse().ok());
        if minor.is_none_or(|minor: u32| minor < OLDEST_MINOR) {
            bail!("Python 3.{OLDEST_MINOR} or newer is needed, python3 is {version:?}");
        }
        let python = Self { version };
        let pip = python.command().args(["-m", "pip", "--version"]).output()?;
        if !pip.status.success() {
            bail!("python3 has no pip (Debian: apt-get install python3-pip)");
        }
        Ok(python)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("python3");
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PIP_ROOT_USER_ACTION", "ignore").env("PIP_USER", "0");
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        command
    }

    /// Runs pip; a failure carries what pip said.
    pub(crate) fn pip<S: AsRef<OsStr>>(&self, arguments: &[S]) -> anyhow::Result<()> {
        let tools = tools_folder();
        let mut command = self.command();
        // Source packages are asked for their metadata by the pinned setuptools, if the tools are there already.
        if tools.is_dir() {
            command.env("PYTHONPATH", tools);
        }
        command.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]).args(arguments);
        succeed(&command.output()?, "pip")
    }

    /// Installs the pinned tools of the converters unless they are there.
    pub(crate) fn install_tools(&self) -> anyhow::Result<()> {
        self.install("deploy/pack/requirements.txt", "pack").map(drop)
    }

    /// Installs hash-pinned packages into `target/python/<name>`, once per content of the requirements file.
    pub(crate) fn install(&self, requirements: &str, name: &str) -> anyhow::Result<PathBuf> {
        let requirements = places::root().join(requirements);
        let stamp = format!("python {} requirements {}\n", self.version, digest::of(&requirements)?);
        let tools = places::target().join("python").join(name);
        if fs::read_to_string(tools.join(".stamp")).is_ok_and(|found| found == stamp) {
            return Ok(tools);
        }
        let folder = places::target().join("python");
        fs::create_dir_all(&folder)?;
        let partial = tempfile::Builder::new().prefix("partial-").tempdir_in(&folder)?;
        let mut arguments: Vec<&OsStr> = Vec::new();
        for word in ["install", "--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile", "--target"] {
            arguments.push(word.as_ref());
        }
        arguments.extend([partial.path().as_os_str(), "-r".as_ref(), requirements.as_os_str()]);
        self.pip(&arguments).with_context(|| format!("cannot install {}", requirements.display()))?;
        fs::write(partial.path().join(".stamp"), stamp)?;
        if tools.exists() {
            fs::remove_dir_all(&tools)?;
        }
        fs::rename(partial.keep(), &tools)?;
        Ok(tools)
    }

    /// Runs a script of `deploy/pack` with the tools on its path.
    pub(crate) fn script<S: AsRef<OsStr>>(&self, name: &str, arguments: &[S]) -> anyhow::Result<()> {
        let output = self.run_script(name, arguments)?;
        succeed(&output, name)
    }

    /// Runs a script and leaves its exit code to the caller.
    pub(crate) fn run_script<S: AsRef<OsStr>>(&self, name: &str, arguments: &[S]) -> anyhow::Result<Output> {
        let script = places::recipes().join(name);
        let mut command = self.command();
        command.env("PYTHONPATH", tools_folder()).arg(script).args(arguments);
        command.output().with_context(|| format!("cannot run {name}"))
    }

    /// Takes members out of an archive into files.
    pub(crate) fn extract(&self, archive: &Path, members: &[(String, PathBuf)]) -> anyhow::Result<()> {
        let mut arguments = vec![archive.as_os_str()];
        for (member, target) in members {
            arguments.extend([OsStr::new(member), target.as_os_str()]);
        }
        self.script("extract.py", &arguments)
    }
}

/// Where the pinned tools are installed.
fn tools_folder() -> PathBuf {
    places::target().join("python/pack")
}

fn succeed(output: &Output, what: &str) -> anyhow::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    bail!("{what} failed:\n{}", String::from_utf8_lossy(&output.stderr).trim());
}
