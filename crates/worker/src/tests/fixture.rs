//! A room with keys of its own, captures from portraits, and requests as a gateway makes them.

use crate::{
    config::{Config, Engine as EngineSettings, Issuers, Models, Tls},
    references::{self, Owner},
    room::Room,
    tenant_secrets,
    work::{Answer, Capture, Given, Work},
};
use biometrics::{ChallengeId, Features, Gate, Jti, Policy, TenantId};
use custody::{KeyUse, Kms, KmsConfig, PemKey};
use receipt::{KeySet, Pin, TrustedKeys};
use service::Clock;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};
use uuid::Uuid;
use vision::Engine;
use wire::{Reason, convert, v1};

pub(super) const ISSUER: &str = "https://countersign.test/receipts";
pub(super) const TEST_ISSUER: &str = "https://countersign.test/test-receipts";
pub(super) const NONCE: [u8; 16] = [7; 16];

/// Two pictures of one person. (The one of another is too large for a frame, and nothing here may scale pictures: the
/// end-to-end tests show another person; here somebody else's reference is made of other features.)
pub(super) const OWNER: [&str; 2] = ["obama.jpg", "obama2.jpg"];

/// One room with one engine.
pub(super) struct Fixture {
    pub(super) room: Room,
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) config: Config,
    pub(super) folder: tempfile::TempDir,
}

impl Fixture {
    /// `None`, with a line saying why, where the models or pictures are missing.
    pub(super) fn new(test: &str) -> Option<Self> {
        let config = |folder: &Path| Some(config(folder, &found("packs/base/pack.toml")?, &library()?));
        let folder = tempfile::tempdir().unwrap();
        let (Some(config), Some(_)) = (config(folder.path()), picture(OWNER[1])) else {
            eprintln!("skipped: {test}: target/packs/base, target/onnxruntime or target/portraits is missing");
            return None;
        };
        make_keys(&config);
        let clock = Clock::manual(1_800_000_000_000);
        let room = Room::open(&config, clock.clone()).unwrap();
        let engine = room.make_engine().unwrap();
        Some(Self { room, engine, clock, config, folder })
    }

    /// Goes on with the same keys on the next pack, beside the recogniser of the one before. False, with a line saying why, where
    /// that pack is missing.
    pub(super) fn succeed(&mut self, test: &str) -> bool {
        let Some(manifest) = found("packs/standard/pack.toml") else {
            eprintln!("skipped: {test}: target/packs/standard is missing");
            return false;
        };
        let models = &mut self.config.models;
        models.previous_pack = Some(std::mem::replace(&mut models.pack, manifest.parent().unwrap().to_owned()));
        self.room = Room::open(&self.config, self.clock.clone()).unwrap();
        self.engine = self.room.make_engine().unwrap();
        self.engine.self_test().unwrap();
        true
    }

    /// A tenant with secrets of its own.
    pub(super) fn tenant(&self, number: u128) -> Tenant {
        let id = TenantId::new(Uuid::from_u128(number));
        Tenant { id, secrets: tenant_secrets::make(&self.room.keys, id).unwrap() }
    }

    /// What a gateway says of attempt 1 of a test tenant.
    pub(super) fn context(&self, tenant: &Tenant, user: &str) -> v1::AttemptContext {
        let policy = Policy::testing();
        let action = v1::Action { r#type: "withdrawal".into(), amount: "250.00".into(), ..Default::default() };
        v1::AttemptContext {
            tenant_id: tenant.id.to_string(),
            user_id: user.to_owned(),
            challenge_id: ChallengeId::new(Uuid::from_u128(11)).to_string(),
            attempt: 1,
            max_attempts: 3,
            mode: v1::CaptureMode::Passive.into(),
            rp_nonce: NONCE.to_vec(),
            action: Some(action.clone()),
            displayed_action: Some(action),
            jti: Jti::new(Uuid::from_u128(12)).to_string(),
            status_index: 3,
            status_uri: "https://countersign.test/v1/status/1".into(),
            asserted_display_sha256: vec![5; 32],
            asserted_consent: None,
            asserted_ip: String::new(),
            possession: None,
            policy: Some(v1::InferencePolicy {
                version: policy.version,
                required_gates: convert::gates_to_wire(&policy.required_gates),
                fmr: policy.fmr,
                min_inter_eye_px: 30,
                receipt_ttl_seconds: policy.receipt_ttl_seconds,
                test: true,
            }),
            secrets: Some(tenant.secrets.clone()),
            gateway_time: Some(convert::timestamp(self.clock.now_ms())),
            for_device: false,
            asserted_replayed_frames: Vec::new(),
        }
    }

    pub(super) fn enroll(
        &mut self,
        context: v1::AttemptContext,
        frames: Vec<v1::Frame>,
    ) -> Result<v1::InferenceServiceEnrollResponse, Reason> {
        let work = Work::Enroll { context, capture: Capture::new(frames) };
        match self.room.run(&mut self.engine, work, Duration::MAX)? {
            Answer::Enroll(answer) => Ok(answer),
            Answer::Verify(_) => panic!("an enrollment was asked for"),
        }
    }

    pub(super) fn verify(
        &mut self,
        (context, reference): (v1::AttemptContext, &v1::SealedReference),
        frames: Vec<v1::Frame>,
    ) -> Result<v1::Decision, Reason> {
        let given = Given { reference: reference.clone(), successor: None, present_secrets: None };
        self.verify_with((context, given), frames).map(|answer| answer.decision.unwrap())
    }

    pub(super) fn verify_with(
        &mut self,
        (context, given): (v1::AttemptContext, Given),
        frames: Vec<v1::Frame>,
    ) -> Result<v1::InferenceServiceVerifyResponse, Reason> {
        let work = Work::Verify { context, capture: Capture::new(frames), given: Box::new(given) };
        match self.room.run(&mut self.engine, work, Duration::MAX)? {
            Answer::Verify(answer) => Ok(answer),
            Answer::Enroll(_) => panic!("a verification was asked for"),
        }
    }

    /// The owner's reference at a tenant.
    pub(super) fn reference(&mut self, tenant: &Tenant, user: &str) -> v1::SealedReference {
        let answer = self.enroll(self.context(tenant, user), capture(&OWNER[..1])).unwrap();
        answer.reference.expect("the owner's portrait makes a reference")
    }

    /// The reference of somebody else whose row stands, well sealed, where the user's is expected.
    pub(super) fn reference_of_another(&self, tenant: &Tenant, user: &str) -> v1::SealedReference {
        let raw: Vec<f32> = (0..128_u8).map(|at| f32::from(at % 7) * 0.03 - 0.09).collect();
        let user = user.parse().unwrap();
        let feature_space = self.room.pack.feature_space();
        let owner = Owner { tenant: tenant.id, user: &user, feature_space };
        let key = tenant_secrets::transform_key(&self.room.keys, tenant.id, &tenant.secrets).unwrap();
        references::seal_new(&self.room.keys, owner, &key, &Features::new(&raw).unwrap()).unwrap().0
    }

    /// The keys of the test issuer, as a relying party pins them.
    pub(super) fn trusted(&self) -> TrustedKeys {
        let root = PemKey::create(self.folder.path().join("root-of-test.pem")).unwrap();
        let receipts = PemKey::open(self.folder.path().join("test-receipt.pem")).unwrap();
        let set = KeySet { iss: TEST_ISSUER, iat: 1_800_000_000, keys: &[receipts.public()], root: root.public() };
        let document = receipt::jwks_document(&set, |message| Ok::<_, Reason>(root.sign(message))).unwrap();
        let root_thumbprint = &receipt::thumbprint(&root.public());
        TrustedKeys::from_document(&document, Pin { issuer: TEST_ISSUER, root_thumbprint }).unwrap()
    }
}

/// A tenant as the gateway knows it.
pub(super) struct Tenant {
    pub(super) id: TenantId,
    pub(super) secrets: v1::WrappedTenantSecrets,
}

/// The named portraits as one capture, 200 ms apart.
pub(super) fn capture(names: &[&str]) -> Vec<v1::Frame> {
    let frame = |(at, name): (usize, &&str)| v1::Frame {
        image: picture(name).unwrap(),
        offset_ms: at as u32 * 200,
        format: v1::FrameFormat::Jpeg.into(),
    };
    names.iter().enumerate().map(frame).collect()
}

/// The gate that refused, with its status and first reason.
pub(super) fn refusing(decision: &v1::Decision) -> Option<(Gate, v1::GateStatus, String)> {
    let stopped = |result: &&v1::GateResult| !matches!(result.status(), v1::GateStatus::Pass | v1::GateStatus::NotRun);
    let result = decision.gates.iter().find(stopped)?;
    Some((convert::gate(result.gate).unwrap(), result.status(), result.reasons.first().cloned().unwrap_or_default()))
}

fn picture(name: &str) -> Option<Vec<u8>> {
    fs::read(found(&format!("portraits/{name}"))?).ok()
}

fn found(below_target: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(below_target);
    path.exists().then_some(path)
}

fn library() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("COUNTERSIGN_ONNXRUNTIME") {
        return Some(path.into());
    }
    let entries = fs::read_dir(found("onnxruntime")?).ok()?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().contains("libonnxruntime.so"))
}

fn config(folder: &Path, manifest: &Path, library: &Path) -> Config {
    let file = |name: &str| folder.join(name);
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        admin_listen: ([127, 0, 0, 1], 0).into(),
        tls: Tls {
            cert: file("worker.pem"),
            key: file("worker.key"),
            client_ca: file("ca.pem"),
            allowed_peers: vec!["gateway.test".into()],
        },
        kms: KmsConfig::File { directory: folder.to_owned() },
        issuers: Issuers { production: ISSUER.into(), test: TEST_ISSUER.into() },
        models: Models {
            pack: manifest.parent().unwrap().to_owned(),
            previous_pack: None,
            onnxruntime: library.to_owned(),
        },
        engine: EngineSettings { threads: 1, ..EngineSettings::default() },
        limits: service::serve::ServeLimits::default(),
        telemetry: service::telemetry::TelemetryConfig::default(),
    }
}

fn make_keys(config: &Config) {
    let KmsConfig::File { directory } = &config.kms else { panic!("files") };
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
    Kms::make_room_for_keks(directory).unwrap();
    let kms = Kms::open(&config.kms, Clock::system()).unwrap();
    kms.make_signing_key(KeyUse::Receipt).unwrap();
    kms.make_signing_key(KeyUse::TestReceipt).unwrap();
}
