//! Starts that must fail: garbage in a configuration, a missing library, a pack that is not the one it says it is.

use anyhow::{Context, Result};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};
use support::{
    cluster::{Cluster, Options},
    places, skips,
    starts::{self, start},
};

/// A cluster's own configurations, on ports of their own, with one line changed.
struct Desk {
    cluster: Cluster,
}

impl Desk {
    fn lay(test: &str) -> Result<Option<Self>> {
        let Some(options) = skips::options(test, "base") else { return Ok(None) };
        Ok(Some(Self { cluster: Cluster::start(Options { threads: 1, ..options })? }))
    }

    fn text(&self, name: &str) -> Result<String> {
        let text = fs::read_to_string(self.cluster.folder().join(name))?;
        let free = |line: &str| match line.split_once(" = \"127.0.0.1:") {
            Some((key @ ("listen" | "admin_listen"), _)) => format!("{key} = \"127.0.0.1:0\""),
            _ => line.to_owned(),
        };
        Ok(text.lines().map(free).collect::<Vec<_>>().join("\n"))
    }

    /// The configuration with the value of `key` replaced, which must be there.
    fn with(&self, name: &str, key: &str, value: &str) -> Result<String> {
        let (text, start) = (self.text(name)?, format!("{key} = "));
        assert!(text.lines().any(|line| line.starts_with(&start)), "no {key} in {name}");
        let line = |line: &str| if line.starts_with(&start) { format!("{start}{value}") } else { line.to_owned() };
        Ok(text.lines().map(line).collect::<Vec<_>>().join("\n"))
    }

    /// What the process says of a configuration that it must refuse.
    fn refused(&self, program: &str, text: &str) -> Result<String> {
        let path = self.cluster.folder().join("altered.toml");
        fs::write(&path, text)?;
        let failed = start(program, &path)?;
        assert_eq!(failed.status, Some(1), "{}", failed.said);
        assert!(!failed.said.contains("panicked"), "{}", failed.said);
        Ok(failed.said)
    }
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

#[test]
fn a_configuration_that_does_not_read_is_refused_by_file_line_and_field() -> Result<()> {
    let Some(desk) = Desk::lay("bad_starts_config")? else { return Ok(()) };
    let files =
        [("countersign-gateway", "gateway.toml", "[inference]"), ("countersign-worker", "worker-0.toml", "[models]")];
    for (program, name, section) in files {
        let good = desk.text(name)?;
        let line_of = |text: &str, what: &str| text.lines().position(|line| line.contains(what)).map(|at| at + 1);
        let cases = [
            (format!("= = garbage\n{good}"), "= = garbage", "?"),
            (format!("surprise = true\n{good}"), "surprise", "surprise"),
            (
                good.replace(section, &format!("{section}\nsurprise = 1")),
                "surprise",
                &format!("{}.surprise", section.trim_matches(['[', ']']))[..],
            ),
            (desk.with(name, "listen", "\"nowhere\"")?, "nowhere", "listen"),
            (desk.with(name, "admin_listen", "7")?, "admin_listen", "admin_listen"),
        ];
        for (text, at, field) in cases {
            let line = line_of(&text, at).context("not in the text")?;
            let said = desk.refused(program, &text)?;
            assert!(said.contains(&format!("altered.toml:{line}:")), "{program}, line {line}: {said}");
            assert!(said.contains(&format!("field `{field}`")), "{program}, {field}: {said}");
        }
        let missing: Vec<&str> = good.lines().filter(|line| !line.starts_with("listen")).collect();
        let said = desk.refused(program, &missing.join("\n"))?;
        assert!(said.contains("altered.toml") && said.contains("`listen`"), "{program}: {said}");
        let absent = start(program, &desk.cluster.folder().join("absent.toml"))?;
        assert_eq!(absent.status, Some(1), "{program}");
        assert!(absent.said.contains("absent.toml") && absent.said.contains("cannot be read"), "{}", absent.said);
    }
    Ok(())
}

#[test]
fn a_worker_without_its_library_or_with_another_file_in_its_place_does_not_start() -> Result<()> {
    let Some(desk) = Desk::lay("bad_starts_library")? else { return Ok(()) };
    let absent = desk.cluster.folder().join("libabsent.so");
    let said = desk.refused("countersign-worker", &desk.with("worker-0.toml", "onnxruntime", &quoted(&absent))?)?;
    assert!(said.contains("libabsent.so") && said.contains("no such ONNX Runtime library"), "{said}");
    let garbage = desk.cluster.folder().join("libgarbage.so");
    fs::write(&garbage, b"not a library")?;
    let said = desk.refused("countersign-worker", &desk.with("worker-0.toml", "onnxruntime", &quoted(&garbage))?)?;
    assert!(said.contains("libgarbage.so") && said.contains("not a usable ONNX Runtime library"), "{said}");
    Ok(())
}

#[test]
fn a_pack_with_one_wrong_file_is_refused_by_file_and_reason_before_anything_runs() -> Result<()> {
    let Some(desk) = Desk::lay("bad_starts_pack")? else { return Ok(()) };
    let (base, folder) = (places::pack("base")?, desk.cluster.folder());
    let models = ["dlib_resnet_v1.onnx", "face_landmark.onnx"];
    type Damage = fn(&Path) -> Result<()>;
    let cases: [(&str, &str, Damage); 8] = [
        (models[0], "SHA-256", |pack| flip(&pack.join("dlib_resnet_v1.onnx"))),
        (models[1], "is missing", |pack| Ok(fs::remove_file(pack.join("face_landmark.onnx"))?)),
        (models[1], "SHA-256", |pack| {
            let file = fs::OpenOptions::new().write(true).open(pack.join("face_landmark.onnx"))?;
            Ok(file.set_len(file.metadata()?.len() - 1)?)
        }),
        (".onnx", "SHA-256", |pack| {
            fs::rename(pack.join("dlib_resnet_v1.onnx"), pack.join("aside"))?;
            fs::rename(pack.join("face_landmark.onnx"), pack.join("dlib_resnet_v1.onnx"))?;
            Ok(fs::rename(pack.join("aside"), pack.join("face_landmark.onnx"))?)
        }),
        (models[1], "symbolic link", |pack| {
            fs::rename(pack.join("face_landmark.onnx"), pack.join("aside"))?;
            Ok(symlink(pack.join("aside"), pack.join("face_landmark.onnx"))?)
        }),
        ("calibration.json", "SHA-256", |pack| flip(&pack.join("calibration.json"))),
        ("pack.toml", "is not a manifest", |pack| {
            let text = fs::read_to_string(pack.join("pack.toml"))?;
            Ok(fs::write(pack.join("pack.toml"), format!("surprise = 1\n{text}"))?)
        }),
        ("pack.toml", "is missing", |pack| Ok(fs::remove_file(pack.join("pack.toml"))?)),
    ];
    for (number, (file, reason, damage)) in cases.into_iter().enumerate() {
        let pack = starts::copy(&base, &folder.join(format!("pack-{number}")))?;
        damage(&pack)?;
        let said = desk.refused("countersign-worker", &desk.with("worker-0.toml", "pack", &quoted(&pack))?)?;
        assert!(said.contains(file) && said.contains(reason), "case {number}: {said}");
        assert!(!said.contains("\"ready\""), "case {number}: {said}");
    }
    let said =
        desk.refused("countersign-worker", &desk.with("worker-0.toml", "pack", &quoted(&folder.join("absent")))?)?;
    assert!(said.contains("absent") && said.contains("is missing"), "{said}");
    Ok(())
}

#[test]
fn a_previous_pack_that_nothing_can_be_taken_over_from_is_refused_by_its_setting() -> Result<()> {
    let Some(desk) = Desk::lay("bad_starts_previous")? else { return Ok(()) };
    let (base, text) = (places::pack("base")?, desk.text("worker-0.toml")?);
    let with = |path: &Path| text.replace("[models]", &format!("[models]\nprevious_pack = {}", quoted(path)));
    let said = desk.refused("countersign-worker", &with(&base))?;
    assert!(said.contains("previous_pack") && said.contains("feature space"), "{said}");
    let said = desk.refused("countersign-worker", &with(&desk.cluster.folder().join("absent")))?;
    assert!(said.contains("absent") && said.contains("is missing"), "{said}");
    Ok(())
}

fn flip(path: &Path) -> Result<()> {
    let mut bytes = fs::read(path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Ok(fs::write(path, bytes)?)
}

#[test]
fn keys_that_others_may_read_or_that_are_not_there_are_refused_by_file() -> Result<()> {
    let Some(desk) = Desk::lay("bad_starts_keys")? else { return Ok(()) };
    let keys = desk.cluster.folder().join("keys");
    let cases = [
        ("countersign-worker", "worker-0.toml", "worker/receipt.pem"),
        ("countersign-gateway", "gateway.toml", "gateway/ledger.pem"),
        ("countersign-gateway", "gateway.toml", "gateway/pepper"),
    ];
    for (program, config, key) in cases {
        let path = keys.join(key);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        let said = desk.refused(program, &desk.text(config)?)?;
        assert!(said.contains(key) && said.contains("0600"), "{program}: {said}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let aside = path.with_extension("aside");
        fs::rename(&path, &aside)?;
        let said = desk.refused(program, &desk.text(config)?)?;
        assert!(said.contains(key), "{program}: {said}");
        fs::rename(&aside, &path)?;
    }
    let nowhere = quoted(&desk.cluster.folder().join("nowhere/countersign.sqlite"));
    let said = desk.refused("countersign-gateway", &desk.with("gateway.toml", "path", &nowhere)?)?;
    assert!(said.contains("nowhere/countersign.sqlite"), "{said}");
    Ok(())
}
