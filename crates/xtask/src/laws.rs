//! `cargo xtask laws`: what the compiler does not check. Dependency law, licences and sources (cargo-deny), protocol
//! lint and breaking changes (buf), landed migrations. Each tool is installed under `target/` at a pinned version.

use crate::{
    command::{self, Tool},
    places,
    python::Python,
};
use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const CARGO_DENY: &str = "0.20.2";
const BASELINE: &str = "proto/baseline.binpb";
const LANDED: &str = "crates/store/migrations/LANDED";

/// Runs every law; the first broken one is the error.
pub(crate) fn run() -> Result<()> {
    dependencies()?;
    protocol()?;
    migrations()
}

fn dependencies() -> Result<()> {
    let tools = places::target().join("tools");
    let deny = tools.join("bin/cargo-deny");
    let current = deny.exists() && Tool::new(&deny).arg("--version").output()?.contains(CARGO_DENY);
    if !current {
        command::say(&format!("installing cargo-deny {CARGO_DENY} from source, about three minutes"));
        Tool::new("cargo")
            .args(["install", "--quiet", "--locked", "cargo-deny", "--version", CARGO_DENY, "--root"])
            .arg(&tools)
            .run()?;
    }
    Tool::new(&deny)
        .args(["--all-features", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"])
        .run()?;
    sabotaged(&deny)?;
    let advisories = Tool::new(&deny).args(["--all-features", "check", "advisories"]).output();
    match advisories {
        Ok(_) => command::say("advisories: none apply"),
        Err(error) if error.to_string().contains("advisory") && !error.to_string().contains("failed to fetch") => {
            return Err(error.context("an advisory applies; see `cargo deny check advisories`"));
        }
        Err(_) => command::say("skipped: advisories: the advisory database cannot be fetched from here"),
    }
    Ok(())
}

/// The law's positive control: in a copy of the workspace the gateway depends on `seal`, and cargo-deny must say so.
fn sabotaged(deny: &Path) -> Result<()> {
    let copy = tempfile::tempdir()?;
    for name in ["Cargo.toml", "Cargo.lock", "deny.toml", "crates", "benches", "tests"] {
        Tool::new("cp").arg("-r").arg(places::root().join(name)).arg(copy.path()).run()?;
    }
    let manifest = copy.path().join("crates/gateway/Cargo.toml");
    let honest = fs::read_to_string(&manifest)?;
    fs::write(&manifest, honest.replacen("[dependencies]", "[dependencies]\nseal.workspace = true", 1))?;
    let judged =
        Tool::new(deny).args(["--offline", "--all-features", "--manifest-path"]).arg(copy.path().join("Cargo.toml"));
    match judged.args(["check", "bans"]).output() {
        Err(error) if error.to_string().contains("countersign-seal") => {
            command::say("dependencies: law kept; a gateway that depends on seal is caught");
            Ok(())
        }
        Err(error) => Err(error.context("the dependency law's positive control did not run")),
        Ok(_) => bail!("a gateway that depends on seal was not caught: deny.toml does not keep the law"),
    }
}

fn protocol() -> Result<()> {
    let buf = Python::find()?.install("proto/requirements.txt", "buf")?.join("bin/buf");
    Tool::new(&buf).args(["lint", "proto"]).run()?;
    ensure!(
        places::root().join(BASELINE).exists(),
        "{BASELINE} is missing: write it with `buf build proto -o {BASELINE}`"
    );
    Tool::new(&buf).args(["breaking", "proto", "--against", BASELINE]).run()?;
    command::say("protocol: lint and breaking-change check passed");
    Ok(())
}

/// Landed migrations are never edited: `LANDED` holds their digests, one `sha256  path` a line.
fn migrations() -> Result<()> {
    let text = fs::read_to_string(places::root().join(LANDED)).with_context(|| format!("{LANDED} cannot be read"))?;
    let landed: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once("  ").map(|(digest, path)| (path, digest))).collect();
    let folder = places::root().join("crates/store/migrations");
    for (path, digest) in &landed {
        let bytes = fs::read(folder.join(path)).with_context(|| format!("landed migration {path} is gone"))?;
        ensure!(hex::encode(Sha256::digest(&bytes)) == **digest, "landed migration {path} was edited; add a new one");
    }
    let names = |engine: &str| -> Result<BTreeSet<String>> {
        let entries = fs::read_dir(folder.join(engine))?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    };
    let (sqlite, postgres) = (names("sqlite")?, names("postgres")?);
    ensure!(sqlite == postgres, "every migration has the same name on both engines: {sqlite:?}, {postgres:?}");
    for (engine, name) in ["sqlite", "postgres"].iter().flat_map(|engine| sqlite.iter().map(move |name| (engine, name)))
    {
        let path = format!("{engine}/{name}");
        if !landed.contains_key(path.as_str()) {
            bail!("migration {path} is not in {LANDED}; add its `sha256sum` line when it lands");
        }
    }
    command::say(&format!("migrations: {} landed, unedited", landed.len()));
    Ok(())
}
