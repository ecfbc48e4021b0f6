//! What demo, tests and benches stand on: model packs, the ONNX Runtime, portraits, built programs.

use crate::{
    command::{self, Tool},
    interop,
    pack::{self, Arguments, Name},
    places,
    tally::Tally,
};
use anyhow::Result;

/// Makes every pack that can be made here; `base` must succeed. Returns their names, the best one last.
pub(crate) fn packs(tally: &mut Tally) -> Result<Vec<&'static str>> {
    pack::run(&Arguments::new(Name::Base, false))?;
    let mut made = vec!["base"];
    let standard = places::target().join("packs/standard/pack.toml").exists();
    if !standard && !places::root().join("../shared/models").is_dir() {
        tally.skip(
            "standard",
            "no ../shared/models; `cargo xtask pack standard --source DIR` makes it from files of your own",
        );
        return Ok(made);
    }
    pack::run(&Arguments::new(Name::Standard, true))?;
    pack::run(&Arguments::new(Name::Standard, false))?;
    made.push("standard");
    Ok(made)
}

/// Whether there is a Postgres to test with. As root it is installed from the system's packages where it is absent.
pub(crate) fn postgres(tally: &mut Tally) -> bool {
    installed(tally, ("postgres", "postgresql"), has_postgres)
}

/// Whether there is a SoftHSM 2 to test PKCS#11 with. As root it is installed from the system's packages where it is absent.
pub(crate) fn token(tally: &mut Tally) -> bool {
    installed(tally, ("softhsm", "softhsm2"), || Tool::new("softhsm2-util").arg("--version").output().is_ok())
}

/// Whether what a part of the tests needs is there, or could be installed; else the part is skipped with its reason.
fn installed(tally: &mut Tally, (part, package): (&str, &str), is_there: impl Fn() -> bool) -> bool {
    if is_there() {
        return true;
    }
    let install = format!("apt-get update -q && apt-get install -q -y --no-install-recommends {package}");
    let root = Tool::new("id").arg("-u").output().is_ok_and(|id| id.trim() == "0");
    let why = if root {
        command::say(&format!("installing {package} from the system's packages"));
        match Tool::new("sh").args(["-c", &install]).env("DEBIAN_FRONTEND", "noninteractive").output() {
            Ok(_) if is_there() => return true,
            Ok(_) => format!("the package {package} does not hold what is looked for"),
            Err(error) => format!("{error:#}"),
        }
    } else {
        format!("not installed; as root: {install}")
    };
    tally.skip(part, &why.replace('\n', " "));
    false
}

fn has_postgres() -> bool {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return false };
    versions.flatten().any(|version| version.path().join("bin/initdb").exists())
}

/// Installs stock libraries of other languages and builds every program of the workspace; tests and demo start them as processes.
pub(crate) fn programs() -> Result<()> {
    interop::install()?;
    command::say("building the programs (the first time takes several minutes)");
    Tool::new("cargo").args(["build", "--locked", "--workspace", "--bins"]).run()
}
