//! Users who enroll, verify, are mistaken for somebody else and leave, again and again, until they are told to stop.
//!
//! Owns what its callers saw of the service. Must never know: the database. Invariant: every answer and every proof that
//! came is noted, and every call that failed is counted under its reason.

use crate::{
    caller::{self, Caller},
    captures, places,
};
use anyhow::Result;
use image::{DynamicImage, imageops::FilterType};
use service::Clock;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time::sleep};
use tonic::Status;
use wire::v1;

/// Three captures of one frame each.
#[derive(Debug, Clone)]
pub struct Faces {
    /// The owner, to enroll.
    pub enroll: Vec<v1::Frame>,
    /// The owner again, another picture.
    pub owner: Vec<v1::Frame>,
    /// Somebody else.
    pub stranger: Vec<v1::Frame>,
}

impl Faces {
    /// The portraits, shrunk so that neither side is over `longest` pixels.
    ///
    /// # Errors
    /// Where a portrait is missing.
    pub fn new(longest: u32, quality: u8) -> Result<Self> {
        let one = |name: &str| -> Result<Vec<v1::Frame>> {
            let picture = DynamicImage::from(captures::picture(&places::portrait(name)?)?);
            let fits = picture.width().max(picture.height()) <= longest;
            let picture = if fits { picture } else { picture.resize(longest, longest, FilterType::Triangle) };
            Ok(captures::frames(vec![captures::jpeg(&picture.to_rgb8(), quality)?]))
        };
        Ok(Self { enroll: one("obama.jpg")?, owner: one("obama2.jpg")?, stranger: one("biden.jpg")? })
    }
}

/// One decision as a caller got it.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The challenge it is about.
    pub challenge: String,
    /// The verdict beside the receipt.
    pub accepted: bool,
    /// The compact JWS.
    pub receipt: String,
    /// The frames showed somebody else.
    pub stranger: bool,
}

/// One deletion proof as a caller got it.
#[derive(Debug, Clone)]
pub struct Proved {
    /// The compact JWS.
    pub proof: String,
    /// What the enrollment had promised to name.
    pub commitment: Vec<u8>,
}

/// All that callers saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Every challenge that was opened.
    pub challenges: Vec<String>,
    /// Every decision that came.
    pub answers: Vec<Answered>,
    /// Every deletion proof that came.
    pub proofs: Vec<Proved>,
    /// Calls that failed, by code and reason.
    pub failed: BTreeMap<String, usize>,
    /// The longest that any call took.
    pub slowest: Duration,
}

impl Seen {
    /// Adds what others saw.
    pub fn join(&mut self, other: Self) {
        self.challenges.extend(other.challenges);
        self.answers.extend(other.answers);
        self.proofs.extend(other.proofs);
        for (reason, count) in other.failed {
            *self.failed.entry(reason).or_default() += count;
        }
        self.slowest = self.slowest.max(other.slowest);
    }
}

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub struct Crew<'a> {
    /// Names of users begin with it; no two crews of one tenant may share it.
    pub name: &'a str,
    /// How many call at once.
    pub users: usize,
}

/// A running crew.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    tasks: JoinSet<()>,
}

impl Load {
    /// Starts the crew; each user enrolls, verifies twice, is mistaken once, verifies again, and deletes.
    #[must_use]
    pub fn start(caller: &Caller, crew: Crew<'_>, faces: &Arc<Faces>) -> Self {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let mut tasks = JoinSet::new();
        for number in 0..crew.users {
            let user = User {
                caller: caller.clone(),
                name: format!("{}-{number}", crew.name),
                faces: Arc::clone(faces),
                seen: Arc::clone(&seen),
                clock: Clock::system(),
            };
            tasks.spawn(user.until(Arc::clone(&stop)));
        }
        Self { stop, seen, tasks }
    }

    /// Decisions that have come so far.
    #[must_use]
    pub fn answered(&self) -> usize {
        lock(&self.seen).answers.len()
    }

    /// Lets every user finish the call at hand and returns what they saw.
    pub async fn stop(mut self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        while self.tasks.join_next().await.is_some() {}
        std::mem::take(&mut lock(&self.seen))
    }
}

struct User {
    caller: Caller,
    name: String,
    faces: Arc<Faces>,
    seen: Arc<Mutex<Seen>>,
    clock: Clock,
}

impl User {
    async fn until(mut self, stop: Arc<AtomicBool>) {
        for life in 0_u32.. {
            let name = format!("{}-{life}", self.name);
            if self.live(&name, &stop).await.is_none() {
                // What failed is counted; a process that is gone needs no hundred calls a second.
                sleep(Duration::from_millis(20)).await;
            }
            if stop.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    /// One user from enrollment to deletion; `None` where a call failed or the crew stops.
    async fn live(&mut self, name: &str, stop: &AtomicBool) -> Option<()> {
        let going = || (!stop.load(Ordering::SeqCst)).then_some(());
        let faces = Arc::clone(&self.faces);
        let commitment = self.enroll(name, faces.enroll.clone()).await?;
        for (frames, stranger) in [(&faces.owner, false), (&faces.stranger, true), (&faces.owner, false)] {
            going()?;
            self.verify(name, frames.clone(), stranger).await?;
        }
        going()?;
        let begun = self.clock.monotonic();
        let answer = self.caller.delete(name).await;
        let proof = self.noted(begun, answer)?.deletion_proof;
        lock(&self.seen).proofs.push(Proved { proof, commitment });
        Some(())
    }

    async fn enroll(&mut self, name: &str, frames: Vec<v1::Frame>) -> Option<Vec<u8>> {
        let challenge = self.open(name, v1::Purpose::Enroll).await?;
        let begun = self.clock.monotonic();
        let answer = self.caller.enroll(&challenge, frames).await;
        let answer = self.noted(begun, answer)?;
        let accepted = answer.verdict() == v1::Verdict::Accept;
        let answered = Answered { challenge, accepted, receipt: answer.receipt, stranger: false };
        lock(&self.seen).answers.push(answered);
        answer.reference.map(|reference| reference.commitment)
    }

    async fn verify(&mut self, name: &str, frames: Vec<v1::Frame>, stranger: bool) -> Option<()> {
        let challenge = self.open(name, v1::Purpose::Verify).await?;
        let begun = self.clock.monotonic();
        let answer = self.caller.verify(&challenge, frames).await;
        let answer = self.noted(begun, answer)?;
        let accepted = answer.verdict() == v1::Verdict::Accept;
        lock(&self.seen).answers.push(Answered { challenge, accepted, receipt: answer.receipt, stranger });
        Some(())
    }

    async fn open(&mut self, name: &str, purpose: v1::Purpose) -> Option<String> {
        let begun = self.clock.monotonic();
        let answer = self.caller.create_challenge(caller::challenge(name, purpose)).await;
        let challenge = self.noted(begun, answer)?.challenge_id;
        lock(&self.seen).challenges.push(challenge.clone());
        Some(challenge)
    }

    fn noted<T>(&self, begun: Duration, answer: Result<T, Box<Status>>) -> Option<T> {
        let took = self.clock.monotonic().saturating_sub(begun);
        let mut seen = lock(&self.seen);
        seen.slowest = seen.slowest.max(took);
        answer
            .map_err(|status| {
                let why = why(&status);
                *seen.failed.entry(why).or_default() += 1;
            })
            .ok()
    }
}

/// Code and reason; where the service gave none, what broke the transport.
fn why(status: &Status) -> String {
    let reason = caller::reason(status);
    if reason != "NONE" {
        return format!("{:?} {reason}", status.code());
    }
    let mut cause: &dyn std::error::Error = status;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let text = cause.to_string();
    format!("{:?} {}", status.code(), text.split(':').next().unwrap_or_default())
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
