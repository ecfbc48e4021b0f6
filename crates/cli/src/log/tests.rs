//! The commands on logs of their own: in directories, and behind a server that can also misbehave.

use crate::{
    Arguments, Command, keys,
    outcome::Outcome,
    small_server::{Manner, serve},
};
use clap::Parser as _;
use custody::PemKey;
use receipt::{Growth, Leaf, LogEvent, LogProof, Salt, TreeHead, checkpoint_note, edge, grow};
use service::Clock;
use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
};

const SIGNED: i64 = 1_800_000_000;

/// Keys of a deployment and a log in a directory.
struct Desk {
    folder: tempfile::TempDir,
    root: String,
    issuer: String,
    head: TreeHead,
}

impl Desk {
    fn new(public_url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let issuers = keys::Issuers::below(public_url).unwrap();
        let keys = folder.path().join("keys");
        let root = keys::init(&keys, (public_url, None), Clock::manual(SIGNED * 1000)).unwrap();
        let desk = Self { folder, root, issuer: issuers.ledger, head: TreeHead::EMPTY };
        desk.publish();
        desk
    }

    fn with(count: i64) -> Self {
        let mut desk = Self::new("https://countersign.test");
        desk.add(0..count);
        desk
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> PathBuf {
        self.file("log")
    }

    fn add(&mut self, seqs: impl IntoIterator<Item = i64>) {
        let entries: Vec<_> = seqs.into_iter().map(|seq| leaf(seq).entry()).collect();
        let bytes = |tile: receipt::Tile| (tile, fs::read(self.log().join(tile.path())).unwrap());
        let edge: Vec<_> = edge(self.head.size).into_iter().map(bytes).collect();
        let Growth { head, tiles } = grow(&self.head, &edge, &entries).unwrap();
        for (tile, bytes) in tiles {
            let path = self.log().join(tile.path());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        self.head = head;
        self.publish();
    }

    fn publish(&self) {
        fs::create_dir_all(self.log()).unwrap();
        fs::write(self.log().join("checkpoint"), self.note(&self.head)).unwrap();
    }

    fn note(&self, head: &TreeHead) -> String {
        let signer = PemKey::open(self.file("keys/gateway/ledger.pem")).unwrap();
        let sign = |message: &[u8]| Ok::<_, Infallible>(signer.sign(message));
        checkpoint_note(head, &self.issuer, &signer.public(), sign).unwrap()
    }

    /// Runs `countersign log ...` with the ledger's trust behind it.
    fn run(&self, line: &[&str]) -> anyhow::Result<Outcome> {
        let jwks = self.file("keys/public/ledger-jwks.json").display().to_string();
        let trust = ["--ledger-jwks", &jwks, "--root", &self.root, "--ledger-issuer", &self.issuer];
        let line = ["countersign", "log"].iter().chain(line).chain(&trust);
        let Command::Log(command) = Arguments::try_parse_from(line)?.command else { panic!("not a log command") };
        command.run()
    }

    fn prove(&self, log: &str, leaf: &Path, more: &[&str]) -> anyhow::Result<Outcome> {
        let (leaf, out) = (leaf.display().to_string(), self.file("proof").display().to_string());
        self.run(&[&["prove", log, "--leaf", &leaf, "--out", &out, "--timeout", "1"], more].concat())
    }

    fn watch(&self, log: &str) -> anyhow::Result<Outcome> {
        let state = self.file("state").display().to_string();
        self.run(&["watch", log, "--state", &state, "--once", "--timeout", "1"])
    }

    fn watch_directory(&self) -> anyhow::Result<Outcome> {
        self.watch(&self.log().display().to_string())
    }
}

fn leaf(seq: i64) -> Leaf {
    let event = LogEvent::AuditHead { aud: "tn_1".into(), seq, head: "AAAA".into(), at: SIGNED };
    let mut salt = [0; 32];
    salt[..8].copy_from_slice(&seq.to_be_bytes());
    Leaf::new(&event, Salt::new(salt)).unwrap()
}

#[test]
fn a_proof_is_made_from_a_directory_or_an_address_and_verifies() {
    let desk = Desk::with(300);
    let wanted = desk.file("leaf.json");
    fs::write(&wanted, leaf(270).to_json().unwrap()).unwrap();
    let address = serve(desk.log(), Manner::Honest);
    for log in [desk.log().display().to_string(), address] {
        for more in [["--index", "270"].as_slice(), &[]] {
            assert_eq!(desk.prove(&log, &wanted, more).unwrap(), Outcome::Done, "{log} {more:?}");
            let proof = desk.file("proof").display().to_string();
            assert_eq!(desk.run(&["verify", &proof]).unwrap(), Outcome::Done);
            assert_eq!(desk.run(&["verify", &proof, "--json"]).unwrap(), Outcome::Done);
            fs::remove_file(desk.file("proof")).unwrap();
        }
        assert_eq!(desk.prove(&log, &wanted, &["--index", "271"]).unwrap(), Outcome::Refused);
        assert_eq!(desk.prove(&log, &wanted, &["--index", "300"]).unwrap(), Outcome::Refused);
        assert!(!desk.file("proof").exists(), "nothing is written of what was refused");
    }
    fs::write(&wanted, leaf(9999).to_json().unwrap()).unwrap();
    assert_eq!(
        desk.prove(&desk.log().display().to_string(), &wanted, &[]).unwrap(),
        Outcome::Refused,
        "not in the log"
    );
}

#[test]
fn a_proof_is_renewed_at_a_later_checkpoint() {
    let mut desk = Desk::with(5);
    let (wanted, log) = (desk.file("leaf.json"), desk.log().display().to_string());
    fs::write(&wanted, leaf(3).to_json().unwrap()).unwrap();
    assert_eq!(desk.prove(&log, &wanted, &[]).unwrap(), Outcome::Done);
    let old = fs::read_to_string(desk.file("proof")).unwrap();
    desk.add(5..400);
    let earlier = desk.file("earlier.tlog-proof");
    fs::write(&earlier, &old).unwrap();
    assert_eq!(desk.prove(&log, &earlier, &[]).unwrap(), Outcome::Done);
    let new = LogProof::read(&fs::read_to_string(desk.file("proof")).unwrap()).unwrap();
    assert_eq!((new.index, new.leaf), (3, leaf(3)));
    assert_ne!(new.checkpoint, LogProof::read(&old).unwrap().checkpoint);
}

#[test]
fn proofs_of_another_deployment_or_receipt_are_refused() {
    let (desk, other) = (Desk::with(5), Desk::new("https://other.test"));
    let (wanted, log) = (desk.file("leaf.json"), desk.log().display().to_string());
    fs::write(&wanted, leaf(3).to_json().unwrap()).unwrap();
    assert_eq!(desk.prove(&log, &wanted, &[]).unwrap(), Outcome::Done);
    let proof = desk.file("proof").display().to_string();
    assert_eq!(other.run(&["verify", &proof]).unwrap(), Outcome::Refused);
    let same_name = Desk::with(5);
    assert_eq!(same_name.run(&["verify", &proof]).unwrap(), Outcome::Refused, "other keys under the same name");
    fs::write(desk.file("token"), "a.b.c").unwrap();
    let token = desk.file("token").display().to_string();
    assert_eq!(desk.run(&["verify", &proof, "--receipt", &token]).unwrap(), Outcome::Refused);
    assert!(desk.run(&["verify", "/nowhere"]).is_err());
    assert!(desk.run(&["prove", "/nowhere", "--leaf", &proof]).is_err());
}

#[test]
fn the_monitor_follows_a_log_that_grows() {
    let mut desk = Desk::with(0);
    for (size, step) in [(0, 3), (3, 250), (253, 10), (263, 500)] {
        assert_eq!(desk.watch_directory().unwrap(), Outcome::Done, "at {size}");
        assert_eq!(fs::read_to_string(desk.file("state")).unwrap(), desk.note(&desk.head));
        desk.add(size..size + step);
    }
    let address = serve(desk.log(), Manner::Honest);
    assert_eq!(desk.watch(&address).unwrap(), Outcome::Done);
    assert_eq!(fs::read_to_string(desk.file("state")).unwrap(), desk.note(&desk.head));
}

#[test]
fn a_fork_and_a_rollback_are_alarms_and_both_sides_are_kept() {
    for (rewritten, reason) in [(290, "LOG_ROLLBACK"), (300, "LOG_FORK"), (900, "LOG_FORK")] {
        let mut desk = Desk::with(300);
        assert_eq!(desk.watch_directory().unwrap(), Outcome::Done);
        let before = fs::read_to_string(desk.file("state")).unwrap();
        fs::remove_dir_all(desk.log()).unwrap();
        desk.head = TreeHead::EMPTY;
        desk.add((0..rewritten).map(|seq| if seq == 100 { 1_000_000 } else { seq }));
        assert_eq!(desk.watch_directory().unwrap(), Outcome::Alarm, "{reason}");
        assert_eq!(desk.watch_directory().unwrap(), Outcome::Alarm, "it stays one");
        assert_eq!(fs::read_to_string(desk.file("state")).unwrap(), before, "the state is not overwritten");
        let evidence: serde_json::Value =
            serde_json::from_slice(&fs::read(desk.file("state.evidence")).unwrap()).unwrap();
        let now = desk.note(&desk.head);
        assert_eq!(
            (&evidence["reason"], &evidence["before"], &evidence["now"]),
            (&reason.into(), &before.into(), &now.into())
        );
    }
}

#[test]
fn damaged_tiles_are_no_alarm_and_move_nothing() {
    let mut desk = Desk::with(300);
    assert_eq!(desk.watch_directory().unwrap(), Outcome::Done);
    let before = fs::read(desk.file("state")).unwrap();
    desk.add(300..600);
    let tile = desk.log().join("tile/0/001");
    let sound = fs::read(&tile).unwrap();
    for damaged in [sound[..8191].to_vec(), [sound.as_slice(), b"x"].concat(), vec![0; 8192]] {
        fs::write(&tile, damaged).unwrap();
        assert!(matches!(desk.watch_directory(), Ok(Outcome::Refused) | Err(_)));
        assert_eq!(fs::read(desk.file("state")).unwrap(), before);
    }
    fs::write(&tile, sound).unwrap();
    assert_eq!(desk.watch_directory().unwrap(), Outcome::Done, "control");
}

#[test]
fn a_state_file_that_is_not_good_is_never_overwritten() {
    let (desk, other) = (Desk::with(3), Desk::new("https://other.test"));
    for wrong in ["", "something of the user's", &other.note(&other.head)] {
        fs::write(desk.file("state"), wrong).unwrap();
        assert!(desk.watch_directory().is_err());
        assert_eq!(fs::read_to_string(desk.file("state")).unwrap(), wrong);
    }
}

#[test]
fn a_log_that_does_not_answer_well_is_an_error_in_time_and_no_verdict() {
    let desk = Desk::with(300);
    for manner in [Manner::Silent, Manner::Endless, Manner::Half, Manner::Error, Manner::Circle] {
        assert!(desk.watch(&serve(desk.log(), manner)).is_err());
        assert!(!desk.file("state").exists());
    }
    assert!(desk.watch("http://127.0.0.1:1").is_err(), "nobody there");
    assert!(desk.watch(&serve(desk.file("keys"), Manner::Honest)).is_err(), "no log there");
}
