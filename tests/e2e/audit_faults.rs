//! The audit cannot be written, in every way that there is, under every call that writes one: no answer leaves without its row,
//! and service goes on by itself (TARGETS R4).

use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{OpenOptionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use store::AuditEntry;
use support::{
    books::Books,
    caller::{Caller, action, challenge},
    cluster,
    database::Database,
    load::{Answered, Faces, Proved, Seen},
    scene::Scene,
    skips,
    surgery::{self, Reader},
    torture::{self, Report},
};
use tokio::time::{Instant, sleep};
use tonic::Code;
use wire::v1::Purpose;

/// Longer than the database waits for a lock would make a trial slow, shorter than that is enough to see no answer.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long service may take to go on after a fault.
const RECOVERED: Duration = Duration::from_secs(20);
const O_NONBLOCK: i32 = 0o4000;

/// Why no entry can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The table refuses entries.
    Trigger,
    /// The disk of the database's file is full.
    DiskFull,
    /// Somebody holds the database's write lock.
    DatabaseHangs,
    /// The second sink's disk is full.
    SinkFull,
    /// The second sink's disk is read-only.
    SinkReadOnly,
    /// The second sink hangs.
    SinkHangs,
}

const FAULTS: [Fault; 6] =
    [Fault::Trigger, Fault::DiskFull, Fault::DatabaseHangs, Fault::SinkFull, Fault::SinkReadOnly, Fault::SinkHangs];

/// A call that writes an entry.
#[derive(Debug, Clone, Copy)]
enum Call {
    CreateChallenge,
    Enroll,
    Accepted,
    Refused,
    ActionChanged,
    Delete,
    Revoke,
}

const CALLS: [Call; 7] = [
    Call::CreateChallenge,
    Call::Enroll,
    Call::Accepted,
    Call::Refused,
    Call::ActionChanged,
    Call::Delete,
    Call::Revoke,
];

/// Two small disks: one for the database's file, to be filled, and one that is read-only.
struct Disks {
    data: Option<PathBuf>,
    read_only: PathBuf,
}

impl Disks {
    /// Moves the database onto a disk of its own. Nothing where this machine mounts none.
    fn mount(scene: &mut Scene) -> Result<Option<Self>> {
        let folder = scene.cluster.folder().to_owned();
        let file = scene.database().file().is_some();
        let disks = Self { data: file.then(|| folder.join("data")), read_only: folder.join("read-only") };
        fs::create_dir(&disks.read_only)?;
        if mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], &disks.read_only).is_err() {
            return Ok(None);
        }
        fs::write(disks.read_only.join("audit.jsonl"), "")?;
        mount(&["-o", "remount,ro"], &disks.read_only)?;
        if let Some(data) = &disks.data {
            scene.cluster.gateway.kill()?;
            let kept = folder.join("data-kept");
            fs::rename(data, &kept)?;
            fs::create_dir(data)?;
            mount(&["-t", "tmpfs", "-o", "size=64m", "tmpfs"], data)?;
            for entry in fs::read_dir(&kept)? {
                let path = entry?.path();
                fs::copy(&path, data.join(path.file_name().context("a name")?))?;
            }
        }
        Ok(Some(disks))
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        for disk in self.data.iter().chain([&self.read_only]) {
            let _ = Command::new("umount").arg("-l").arg(disk).status();
        }
    }
}

fn mount(how: &[&str], at: &Path) -> Result<()> {
    cluster::output(Command::new("mount").args(how).arg(at)).map(drop)
}

/// A fault that holds until it is lifted.
struct Broken {
    fault: Fault,
    lock: Option<Reader>,
}

/// See the module.
struct Bench {
    scene: Scene,
    disks: Option<Disks>,
    books: Books,
    faces: Faces,
    seen: Seen,
}

impl Bench {
    async fn open(mut scene: Scene) -> Result<Self> {
        let disks = Disks::mount(&mut scene)?;
        let bench = Self {
            books: Books::open(&scene.cluster, &scene.tenant).await?,
            faces: Faces::new(900, 90)?,
            seen: Seen::default(),
            scene,
            disks,
        };
        let whole = bench.file("whole.jsonl");
        fs::write(&whole, "")?;
        cluster::output(Command::new("mkfifo").arg(bench.file("pipe")))?;
        point(&bench.file("audit.jsonl"), &whole)?;
        let sink = bench.file("audit.jsonl");
        bench
            .scene
            .cluster
            .configure_gateway(&format!("[audit]\nsink = \"file\"\npath = \"{}\"\nwait_ms = 500\n", sink.display()))?;
        let mut bench = bench;
        bench.scene.cluster.restart_gateway(&[])?;
        bench.scene.bank = Caller::connect(&bench.scene.cluster, &bench.scene.tenant.api_key).await?;
        Ok(bench)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scene.cluster.folder().join(name)
    }

    fn can(&self, fault: Fault) -> bool {
        match fault {
            // A server's disk is the server's.
            Fault::DiskFull => self.disks.as_ref().is_some_and(|disks| disks.data.is_some()),
            Fault::SinkReadOnly => self.disks.is_some(),
            _ => true,
        }
    }

    fn break_it(&self, fault: Fault) -> Result<Broken> {
        let (database, sink) = (self.scene.database(), self.file("audit.jsonl"));
        let mut lock = None;
        match fault {
            Fault::Trigger => surgery::refuse_audit(database, true)?,
            Fault::DiskFull => fill(database)?,
            Fault::DatabaseHangs => lock = Some(Reader::locking(database)?),
            Fault::SinkFull => point(&sink, Path::new("/dev/full"))?,
            Fault::SinkReadOnly => {
                let disks = self.disks.as_ref().context("no disks")?;
                point(&sink, &disks.read_only.join("audit.jsonl"))?;
            }
            Fault::SinkHangs => point(&sink, &self.file("pipe"))?,
        }
        Ok(Broken { fault, lock })
    }

    fn mend(&self, broken: Broken) -> Result<Option<fs::File>> {
        point(&self.file("audit.jsonl"), &self.file("whole.jsonl"))?;
        match (broken.fault, broken.lock) {
            (Fault::Trigger, _) => surgery::refuse_audit(self.scene.database(), false)?,
            (Fault::DiskFull, _) => fs::remove_file(filler(self.scene.database())?)?,
            (_, Some(lock)) => lock.end()?,
            (Fault::SinkHangs, _) => {
                // Somebody reads at last: whoever hangs in the pipe comes free.
                return Ok(Some(fs::OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(self.file("pipe"))?));
            }
            _ => {}
        }
        Ok(None)
    }

    /// One call under one fault: it gets no answer, or one whose row is there, and afterwards the same call is answered.
    async fn trial(&mut self, fault: Fault, call: Call, name: &str) -> Result<()> {
        let ready = self.prepare(call, name).await?;
        let before = self.entries().await?;
        let broken = self.break_it(fault)?;
        let mut hasty = Caller { deadline: Some(DEADLINE), ..self.scene.bank.clone() };
        let begun = Instant::now();
        let answered = self.call(&mut hasty, call, &ready).await;
        let took = begun.elapsed();
        let reader = self.mend(broken)?;
        let row = self.entries().await? > before;
        match answered {
            Ok(()) => ensure!(row, "{call:?} under {fault:?} was answered without its row"),
            Err(code) => {
                // Cancelled is the client's own word where its timer was the first to end.
                let known = matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled);
                ensure!(known, "{call:?} under {fault:?} ended as {code:?}");
            }
        }
        ensure!(took < DEADLINE + Duration::from_secs(3), "{call:?} under {fault:?} took {took:?}");
        self.goes_on(call, name).await.with_context(|| format!("{call:?} after {fault:?}"))?;
        drop(reader);
        Ok(())
    }

    /// What must be there before the call.
    async fn prepare(&mut self, call: Call, name: &str) -> Result<Ready> {
        let mut ready = Ready { user: name.to_owned(), ..Ready::default() };
        let mut bank = self.scene.bank.clone();
        if !matches!(call, Call::CreateChallenge | Call::Enroll) {
            let answer = bank.enroll_user(name, self.faces.enroll.clone()).await?;
            ready.commitment = answer.reference.context("no reference")?.commitment;
        }
        match call {
            Call::Enroll => {
                ready.challenge = bank.create_challenge(challenge(name, Purpose::Enroll)).await?.challenge_id
            }
            Call::Accepted | Call::Refused | Call::ActionChanged => {
                ready.challenge = bank.create_challenge(challenge(name, Purpose::Verify)).await?.challenge_id;
            }
            Call::Revoke => {
                let (_, answer) = bank.verify_user(name, self.faces.owner.clone()).await?;
                ready.jti =
                    receipt::inspect_unverified(&answer.receipt)?.claims["jti"].as_str().context("jti")?.to_owned();
            }
            Call::CreateChallenge | Call::Delete => {}
        }
        Ok(ready)
    }

    async fn call(&mut self, bank: &mut Caller, call: Call, ready: &Ready) -> Result<(), Code> {
        let code = |status: Box<tonic::Status>| status.code();
        match call {
            Call::CreateChallenge => {
                let opened = bank.create_challenge(challenge(&ready.user, Purpose::Enroll)).await.map_err(code)?;
                self.seen.challenges.push(opened.challenge_id);
            }
            Call::Enroll => {
                let answer = bank.enroll(&ready.challenge, self.faces.enroll.clone()).await.map_err(code)?;
                self.answered(ready, (answer.receipt, true), false);
            }
            Call::Accepted => {
                let answer = bank.verify(&ready.challenge, self.faces.owner.clone()).await.map_err(code)?;
                self.answered(ready, (answer.receipt, true), false);
            }
            Call::Refused => {
                let answer = bank.verify(&ready.challenge, self.faces.stranger.clone()).await.map_err(code)?;
                self.answered(ready, (answer.receipt, false), true);
            }
            Call::ActionChanged => {
                let other = wire::v1::Action { payee: "Mallory".into(), ..action() };
                let answer = bank.verify_action(&ready.challenge, self.faces.owner.clone(), other).await;
                match answer.map_err(code) {
                    Err(Code::FailedPrecondition) => {}
                    Err(other) => return Err(other),
                    Ok(_) => return Err(Code::Internal),
                }
            }
            Call::Delete => {
                let proof = bank.delete(&ready.user).await.map_err(code)?.deletion_proof;
                self.seen.proofs.push(Proved { proof, commitment: ready.commitment.clone() });
            }
            Call::Revoke => {
                let request = bank.request(wire::v1::RevokeReceiptRequest { jti: ready.jti.clone() });
                bank.client.revoke_receipt(request).await.map_err(|status| status.code())?;
            }
        }
        Ok(())
    }

    fn answered(&mut self, ready: &Ready, (receipt, accepted): (String, bool), stranger: bool) {
        let challenge = ready.challenge.clone();
        self.seen.challenges.push(challenge.clone());
        self.seen.answers.push(Answered { challenge, accepted, receipt, stranger });
    }

    /// The same kind of call, of another user, is answered before long.
    async fn goes_on(&mut self, call: Call, name: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let next = format!("{name}-after-{}", begun.elapsed().as_millis());
            let done = match self.prepare(call, &next).await {
                Ok(ready) => self
                    .call(&mut self.scene.bank.clone(), call, &ready)
                    .await
                    .map_err(|code| anyhow::anyhow!("{code:?}")),
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => return Ok(()),
                Err(error) if begun.elapsed() > RECOVERED => return Err(error.context("service does not go on")),
                Err(_) => sleep(Duration::from_millis(200)).await,
            }
        }
    }

    async fn entries(&self) -> Result<usize> {
        Ok(self.books.all().await?.len())
    }

    /// Every entry since the sink was configured stands in its file.
    async fn sink_has_all(&self, from: usize) -> Result<()> {
        let text = fs::read_to_string(self.file("whole.jsonl"))?;
        let taken: BTreeSet<_> = text.lines().filter_map(AuditEntry::read_line).map(|(_, entry)| entry.hash).collect();
        let missing =
            self.books.all().await?.into_iter().skip(from).filter(|entry| !taken.contains(&entry.hash)).count();
        ensure!(missing == 0, "{missing} entries are not in the sink's file");
        Ok(())
    }
}

/// What a call needs.
#[derive(Debug, Default)]
struct Ready {
    user: String,
    challenge: String,
    commitment: Vec<u8>,
    jti: String,
}

fn point(link: &Path, to: &Path) -> Result<()> {
    let fresh = link.with_extension("fresh");
    symlink(to, &fresh)?;
    Ok(fs::rename(&fresh, link)?)
}

/// Empties the write-ahead log, so that the next entry needs room, and leaves none.
fn fill(database: &Database) -> Result<()> {
    surgery::define(database, &["PRAGMA wal_checkpoint(TRUNCATE)"])?;
    let filler = format!("of={}", filler(database)?.display());
    let full = cluster::output(Command::new("dd").args(["if=/dev/zero", "bs=4096"]).arg(filler));
    ensure!(full.is_err(), "the disk never filled");
    Ok(())
}

fn filler(database: &Database) -> Result<PathBuf> {
    Ok(database.file().context("a server's disk is the server's")?.with_extension("filler"))
}

#[tokio::test(flavor = "multi_thread")]
async fn r4_no_answer_leaves_without_its_row_whatever_keeps_the_audit_from_being_written() -> Result<()> {
    let Some(()) = skips::or_skip("audit_faults", surgery::possible()) else { return Ok(()) };
    let Some(scene) = Scene::open("audit_faults").await? else { return Ok(()) };
    let on_server = scene.database().file().is_none();
    let mut bench = Bench::open(scene).await?;
    let from = bench.entries().await?;
    let faults: Vec<Fault> = FAULTS.into_iter().filter(|fault| bench.can(*fault)).collect();
    if faults.len() + usize::from(on_server) < FAULTS.len() {
        println!("skipped: audit_faults: this machine mounts no disks: full and read-only ones are left out");
    }
    let each = faults.len() * CALLS.len();
    let (mut report, trials) = (Report::of("R4"), torture::trials(each, 1_000 * faults.len()));
    for n in 0..trials {
        let (fault, call) = (faults[n % faults.len()], CALLS[(n / faults.len()) % CALLS.len()]);
        let outcome = bench.trial(fault, call, &format!("user-{n}")).await;
        report.count(outcome.with_context(|| format!("trial {n}")));
        report.progress(trials);
    }
    bench.books.settled(&bench.seen.challenges).await?;
    bench.books.check(&bench.seen).await?;
    bench.sink_has_all(from).await?;

    // The sabotage: a row, and a line of the sink, go after their answer has left.
    let last = "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit WHERE kind = 'attempt.decided')";
    let text = fs::read_to_string(bench.file("whole.jsonl"))?;
    let cut = text.lines().take(text.lines().count() - 1).collect::<Vec<_>>().join("\n");
    fs::write(bench.file("whole.jsonl"), cut)?;
    let sink_seen = bench.sink_has_all(from).await.is_err();
    surgery::unlock_audit(bench.scene.database())?;
    surgery::operate(bench.scene.database(), &[last])?;
    report.control_triggered = sink_seen && bench.books.check(&bench.seen).await.is_err();
    report.close()
}
