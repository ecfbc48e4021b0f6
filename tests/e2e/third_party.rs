//! A client that was given nothing but an address, a certificate and a key: stock grpcio, which asks the server for its protos.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::process::Command;
use support::{cluster::output, expect, places, scene::Scene, skips};

#[tokio::test(flavor = "multi_thread")]
async fn stock_grpcio_enrolls_and_verifies_through_reflection_and_tls() -> Result<()> {
    let packages = places::root().join("target/python/grpc");
    let installed = || -> Result<()> {
        ensure!(packages.join("grpc").is_dir(), "grpcio is not installed in target/python/grpc");
        places::tool("python3", &["--version"])
    };
    if skips::or_skip("third_party", installed()).is_none() {
        return Ok(());
    }
    let Some(scene) = Scene::open("third_party").await? else { return Ok(()) };
    let mut command = Command::new("python3");
    command.arg(places::root().join("tests/interop/third_party.py"));
    command.args(["--target", &scene.cluster.url().replace("https://", "")]).arg("--ca").arg(scene.cluster.ca());
    command.arg("--enroll").arg(places::portrait("obama.jpg")?).arg("--verify").arg(places::portrait("obama2.jpg")?);
    command.env("PYTHONPATH", &packages).env("PYTHONDONTWRITEBYTECODE", "1").env("API_KEY", &scene.tenant.api_key);
    let told: Value = serde_json::from_str(&output(&mut command)?).context("the script prints one object")?;
    assert_eq!((&told["enroll"], &told["verify"]), (&json!("ACCEPT"), &json!("ACCEPT")));
    let services: Vec<&str> =
        told["services"].as_array().context("no list")?.iter().filter_map(Value::as_str).collect();
    assert!(services.contains(&"countersign.v1.VerificationService"), "{services:?}");
    assert!(!services.iter().any(|name| name.contains("Inference")), "the inner service is not shown: {services:?}");

    let receipt = receipt::evidence(told["receipt"].as_str().context("no receipt")?, &scene.receipt_keys()?)?;
    assert_eq!(told["txn"], receipt.claims().txn.to_string());
    let plain = receipt::Action { fields: Default::default(), ..expect::action()? };
    assert_eq!(receipt.claims().act.sha256, receipt::base64url(&plain.sha256()));
    Ok(())
}
