use super::{
    onnx::fixture::{self, Flaw},
    *,
};
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// A pack of models that have the right signatures and nothing inside; good enough for everything but sessions.
struct Fixture {
    dir: TempDir,
}

const MODELS: [&str; 3] = ["detector.onnx", "landmarks.onnx", "recogniser.onnx"];

impl Fixture {
    fn new() -> Self {
        let fixture = Self { dir: tempfile::tempdir().unwrap() };
        fixture.write_models(Flaw::None);
        fixture.write("calibration.json", &fixture.calibration());
        fixture.seal();
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn digest(&self, name: &str) -> String {
        fs::read(self.path(name)).map_or_else(|_| "0".repeat(64), |bytes| Digest::of(&bytes).to_string())
    }

    /// Writes the three models, the recogniser with a flaw.
    fn write_models(&self, flaw: Flaw) {
        let detector = [("boxes", &[896, 16][..]), ("logits", &[896, 1])];
        let landmarks = [("points", &[1, 1, 1404][..]), ("presence_logit", &[1, 1, 1])];
        self.write(MODELS[0], &fixture::model(&[3, 128, 128], &detector, Flaw::None));
        self.write(MODELS[1], &fixture::model(&[3, 192, 192], &landmarks, Flaw::None));
        self.write(MODELS[2], &fixture::model(&[3, 112, 112], &[("features", &[128])], flaw));
    }

    fn calibration(&self) -> Vec<u8> {
        format!(
            r#"{{"recogniser_sha256": "{}", "feature_space": "test/arcface-112",
                 "operating_points": [{{"fmr": 0.001, "threshold": 0.4, "fnmr": 0.1}}]}}"#,
            self.digest(MODELS[2])
        )
        .into_bytes()
    }

    fn manifest(&self) -> String {
        let input = |side: usize| {
            format!(
                r#"{{ name = "in", shape = [3, {side}, {side}], layout = "NCHW", colour = "RGB",
                      mean = [0.0, 0.0, 0.0], scale = [1.0, 1.0, 1.0] }}"#
            )
        };
        let rest = r#"licence = "none"
            provenance = { source = "a", source_sha256 = "b", version = "c", note = "d" }"#;
        let calibration = self.digest("calibration.json");
        let [detector, landmarks, recogniser] = MODELS.map(|name| self.digest(name));
        let [small, middle, chip] = [128, 192, 112].map(|side| input(side).replace('\n', " "));
        format!(
            r#"schema = 1
            name = "test"
            version = "1"
            feature_space = "test/arcface-112"
            [detector]
            kind = "blazeface-short-range"
            file = "detector.onnx"
            sha256 = "{detector}"
            input = {small}
            outputs = [{{ meaning = "boxes", name = "boxes", shape = [896, 16] }},
                       {{ meaning = "logits", name = "logits", shape = [896, 1] }}]
            {rest}
            [landmarks]
            kind = "face-mesh-468"
            file = "landmarks.onnx"
            sha256 = "{landmarks}"
            crop_scale = 1.5
            input = {middle}
            outputs = [{{ meaning = "points", name = "points", shape = [1, 1, 1404] }},
                       {{ meaning = "presence_logit", name = "presence_logit", shape = [1, 1, 1] }}]
            {rest}
            [recogniser]
            file = "recogniser.onnx"
            sha256 = "{recogniser}"
            precision = "fp32"
            alignment = "arcface-112"
            dimension = 128
            calibration = "calibration.json"
            calibration_sha256 = "{calibration}"
            input = {chip}
            outputs = [{{ meaning = "features", name = "features", shape = [128] }}]
            {rest}
            [self_test]
            pattern = "ramp"
            first = [0.5]
            tolerance = 0.001
            "#
        )
    }

    /// Writes a manifest that vouches for the files as they are now.
    fn seal(&self) {
        self.write("pack.toml", self.manifest().as_bytes());
    }

    fn edit_manifest(&self, from: &str, to: &str) {
        let manifest = self.manifest();
        assert!(manifest.contains(from), "{from}");
        self.write("pack.toml", manifest.replacen(from, to, 1).as_bytes());
    }

    fn refusal(&self) -> (String, PackFault) {
        let error = Pack::open(self.dir.path()).unwrap_err();
        (error.file.display().to_string(), error.fault)
    }

    fn change(&self, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.path(name)).unwrap();
        edit(&mut bytes);
        self.write(name, &bytes);
    }
}

macro_rules! assert_refused {
    ($fixture:expr, $file:expr, $fault:pat) => {
        let (file, fault) = $fixture.refusal();
        assert!(file == $file && matches!(fault, $fault), "{file}: {fault:?}");
    };
}

#[test]
fn sound_pack_opens() {
    let pack = Pack::open(Fixture::new().dir.path()).unwrap();
    assert_eq!((pack.name(), pack.feature_space()), ("test", "test/arcface-112"));
    assert_eq!(pack.min_fmr(), Some(0.001));
    assert_eq!(pack.digests().len(), 3);
}

#[test]
fn missing_files_are_refused() {
    for name in ["pack.toml", "calibration.json"].into_iter().chain(MODELS) {
        let fixture = Fixture::new();
        fs::remove_file(fixture.path(name)).unwrap();
        assert_refused!(fixture, name, PackFault::Missing);
    }
}

#[test]
fn flipped_and_truncated_files_are_refused() {
    for name in MODELS.into_iter().chain(["calibration.json"]) {
        let length = fs::metadata(Fixture::new().path(name)).unwrap().len() as usize;
        for at in [0, length / 2, length - 1] {
            let fixture = Fixture::new();
            fixture.change(name, |bytes| bytes[at] ^= 1);
            assert_refused!(fixture, name, PackFault::Digest { .. });
            let fixture = Fixture::new();
            fixture.change(name, |bytes| bytes.truncate(at));
            assert_refused!(fixture, name, PackFault::Digest { .. });
        }
    }
}

#[test]
fn swapped_models_are_refused() {
    let fixture = Fixture::new();
    let [a, b] = [MODELS[0], MODELS[1]].map(|name| fs::read(fixture.path(name)).unwrap());
    fixture.write(MODELS[0], &b);
    fixture.write(MODELS[1], &a);
    assert_refused!(fixture, MODELS[0], PackFault::Digest { .. });
    // Vouched for by the manifest, a model in the wrong place still has the wrong signature.
    fixture.seal();
    assert_refused!(fixture, MODELS[0], PackFault::Signature);
}

#[test]
fn links_and_directories_are_refused() {
    for name in ["pack.toml", "calibration.json"].into_iter().chain(MODELS) {
        let fixture = Fixture::new();
        fs::rename(fixture.path(name), fixture.path("elsewhere")).unwrap();
        symlink("elsewhere", fixture.path(name)).unwrap();
        assert_refused!(fixture, name, PackFault::SymbolicLink);
        fs::remove_file(fixture.path(name)).unwrap();
        fs::create_dir(fixture.path(name)).unwrap();
        assert_refused!(fixture, name, PackFault::NotAFile);
    }
}

#[test]
fn models_that_are_not_self_contained_are_refused() {
    for flaw in [Flaw::ExternalInitializer, Flaw::ExternalInSubgraph, Flaw::ExternalSparse, Flaw::ExternalLocation] {
        let fixture = Fixture::new();
        fixture.write_models(flaw);
        fixture.seal();
        assert_refused!(fixture, MODELS[2], PackFault::ExternalData);
    }
}

#[test]
fn custom_operators_and_functions_are_refused() {
    for flaw in [Flaw::CustomOperator, Flaw::CustomInSubgraph] {
        let fixture = Fixture::new();
        fixture.write_models(flaw);
        fixture.seal();
        assert_refused!(fixture, MODELS[2], PackFault::CustomOperator);
    }
    let fixture = Fixture::new();
    fixture.write_models(Flaw::Function);
    fixture.seal();
    assert_refused!(fixture, MODELS[2], PackFault::ForeignGraph);
}

#[test]
fn file_that_is_no_model_is_refused() {
    let fixture = Fixture::new();
    fixture.write(MODELS[2], b"\xff\xff\xff\xff not protobuf");
    fixture.seal();
    assert_refused!(fixture, MODELS[2], PackFault::NotOnnx(_));
    fixture.write(MODELS[2], b"");
    fixture.seal();
    assert_refused!(fixture, MODELS[2], PackFault::Signature);
}

#[test]
fn names_that_leave_the_directory_are_refused() {
    for name in ["../detector.onnx", "/etc/passwd", "", ".hidden", "a/b"] {
        let fixture = Fixture::new();
        fixture.edit_manifest("file = \"detector.onnx\"", &format!("file = \"{name}\""));
        assert_refused!(fixture, name, PackFault::Name);
    }
}

#[test]
fn manifests_with_unknown_or_unusable_values_are_refused() {
    let fixture = Fixture::new();
    for (from, to) in [
        ("schema = 1", "schema = 1\nsurprise = 1"),
        ("alignment = \"arcface-112\"", "alignment = \"arcface-113\""),
        ("layout = \"NCHW\"", "layout = \"NHWC\""),
        ("version = \"1\"", ""),
    ] {
        fixture.edit_manifest(from, to);
        assert_refused!(fixture, "pack.toml", PackFault::Manifest(_));
    }
    for (from, to) in [
        ("schema = 1", "schema = 2"),
        ("shape = [3, 112, 112]", "shape = [3, 113, 113]"),
        ("crop_scale = 1.5", "crop_scale = nan"),
        ("dimension = 128", "dimension = 127"),
        ("scale = [1.0, 1.0, 1.0]", "scale = [1.0, inf, 1.0]"),
        ("tolerance = 0.001", "tolerance = inf"),
    ] {
        fixture.edit_manifest(from, to);
        assert_refused!(fixture, "pack.toml", PackFault::Value { .. });
    }
}

#[test]
fn calibration_of_another_recogniser_is_refused() {
    let fixture = Fixture::new();
    Pack::open(fixture.dir.path()).unwrap();
    let sound = String::from_utf8(fixture.calibration()).unwrap();
    let calibrate = |text: &str| {
        fixture.write("calibration.json", text.as_bytes());
        fixture.seal();
    };
    for (from, to) in [("arcface", "other"), ("_sha256\": \"", "_sha256\": \"0")] {
        calibrate(&sound.replacen(from, to, 1));
        assert_refused!(fixture, "calibration.json", PackFault::CalibrationOfAnother);
    }
    calibrate(&sound.replacen("0.001", "2.0", 1));
    assert_refused!(fixture, "calibration.json", PackFault::OperatingPoints);
    calibrate("{}");
    assert_refused!(fixture, "calibration.json", PackFault::Calibration(_));
}
