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

/// Installs SoftHSM 2 from the system's packages where it is absent and we may; else its tests say that they were skipped.
pub(crate) fn token() {
    let there = || Tool::new("softhsm2-util").arg("--version").output().is_ok();
    if there() {
        return;
    }
    let apt =
        |arguments: &[&str]| Tool::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output();
    let installed = apt(&["update"]).and_then(|_| apt(&["install", "--yes", "--no-install-recommends", "softhsm2"]));
    if installed.is_err() || !there() {
        command::say(
            "no SoftHSM 2: install it with `apt-get update && apt-get install softhsm2`; tests of PKCS#11 are skipped",
        );
    }
}

/// Installs stock libraries of other languages and builds every program of the workspace; tests and demo start them as processes.
pub(crate) fn programs() -> Result<()> {
    interop::install()?;
    command::say("building the programs (the first time takes several minutes)");
    Tool::new("cargo").args(["build", "--locked", "--workspace", "--bins"]).run()
}
