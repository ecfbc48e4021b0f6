//! The command as an operator runs it, beside no running process: tenants and keys without a worker, keys that others may read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use custody::{PemKey, SecretFile};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const SAMPLE: &str = include_str!("../../../deploy/config/gateway.toml");

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign")).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The documented sample with its paths moved into a directory and a worker that is not there.
fn settings(dir: &Path) -> PathBuf {
    fs::set_permissions(dir, Permissions::from_mode(0o700)).unwrap();
    for secret in ["pepper", "capture.key"] {
        SecretFile::create(dir.join(secret)).unwrap();
    }
    PemKey::create(dir.join("ledger.pem")).unwrap();
    let issuer = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for (name, pem) in [("pem", issuer.cert.pem()), ("key", issuer.signing_key.serialize_pem())] {
        for stem in ["public", "gateway", "ca"] {
            fs::write(dir.join(format!("{stem}.{name}")), &pem).unwrap();
        }
    }
    let here = dir.display().to_string();
    let text = SAMPLE
        .replace("/etc/countersign/keys/gateway", &here)
        .replace("/etc/countersign/tls", &here)
        .replace("/var/lib/countersign", &here)
        .replace("worker:7443", "127.0.0.1:1");
    let path = dir.join("gateway.toml");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_key_file_that_is_missing_or_that_others_may_read_stops_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = settings(dir.path());
    let config = path.to_str().unwrap();
    let pepper = dir.path().join("pepper");
    fs::set_permissions(&pepper, Permissions::from_mode(0o644)).unwrap();
    let output = run(&["tenant", "list", "--config", config]);
    assert!(!output.status.success() && stderr(&output).contains("0600"), "{}", stderr(&output));
    fs::remove_file(&pepper).unwrap();
    let output = run(&["tenant", "list", "--config", config]);
    assert!(!output.status.success() && stderr(&output).contains("pepper"), "{}", stderr(&output));
}

#[test]
fn tenants_are_listed_without_a_worker_and_made_only_with_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = settings(dir.path());
    let config = path.to_str().unwrap();
    let output = run(&["tenant", "list", "--config", config]);
    assert!(output.status.success() && stdout(&output).lines().count() == 1, "{}", stderr(&output));
    let output = run(&["tenant", "create", "--config", config, "--name", "Acme", "--test"]);
    assert!(!output.status.success() && stderr(&output).contains("UNAVAILABLE_WORKER"), "{}", stderr(&output));
    let nobody = "tn_00000000000000000000000000000001";
    let output = run(&["key", "create", "--config", config, "--tenant", nobody]);
    assert!(!output.status.success() && stderr(&output).contains("no such tenant"), "{}", stderr(&output));
    let output = run(&["key", "create", "--config", config, "--tenant", "acme"]);
    assert!(!output.status.success() && stderr(&output).contains("not a valid tenant id"), "{}", stderr(&output));
}

#[test]
fn what_destroys_is_refused_where_nobody_can_be_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = settings(dir.path());
    let nobody = "tn_00000000000000000000000000000001";
    let arguments = ["delete", nobody, "--all", "--config", path.to_str().unwrap()];
    let output = run(&arguments);
    assert!(!output.status.success() && stderr(&output).contains("--yes"), "{}", stderr(&output));
    let output = run(&[&arguments[..], &["--yes"]].concat());
    assert!(stderr(&output).contains("no such tenant"), "it was meant: {}", stderr(&output));
}
