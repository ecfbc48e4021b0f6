//! Everything that is drawn for a capture: whom it shows, under which conditions, for which script.
//!
//! Must never know: pixels, gates. Invariant: what is drawn is a function of seed, kind and number alone.

use super::hash::{leading, sha256};
use biometrics::{CaptureMode, CaptureScript, ScriptInputs, TenantId};
use simulator::Species;

/// What a capture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A person performs the script.
    BonaFide,
    /// An attack.
    Attack(Species),
}

impl Kind {
    /// A name for reports and draws.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::BonaFide => "bona_fide",
            Self::Attack(species) => species.name(),
        }
    }
}

/// One capture to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Job {
    /// What it is.
    pub(super) kind: Kind,
    /// Index of the victim, or of the capture subject.
    pub(super) person: usize,
    /// Index of somebody else: the attacker.
    pub(super) attacker: usize,
    /// Everything random of the capture.
    pub(super) seed: u64,
}

/// How many captures of what.
pub(super) struct Wanted<'a> {
    /// Bona fide captures.
    pub(super) bona_fide: usize,
    /// Captures of each species.
    pub(super) attacks: usize,
    /// The species.
    pub(super) species: &'a [Species],
    /// Draws everything.
    pub(super) seed: u64,
}

impl Wanted<'_> {
    /// All captures, over `people` in turn: nobody comes again before everybody had a turn. Each species begins with others.
    pub(super) fn jobs(&self, people: usize) -> Vec<Job> {
        let attacks = self.species.iter().map(|&species| (Kind::Attack(species), self.attacks));
        let kinds = std::iter::once((Kind::BonaFide, self.bona_fide)).chain(attacks);
        let job = |kind: Kind, first: usize, number: usize| {
            let person = (first + number) % people.max(1);
            let drawn = self.draw(kind, number);
            Job { kind, person, attacker: (person + 1) % people.max(1), seed: leading(&drawn) }
        };
        kinds
            .enumerate()
            .flat_map(|(place, (kind, count))| (0..count).map(move |number| job(kind, place * self.attacks, number)))
            .collect()
    }

    fn draw(&self, kind: Kind, number: usize) -> [u8; 32] {
        let number = (number as u64).to_be_bytes();
        sha256(&[b"countersign/evaluate/capture/v1", &self.seed.to_be_bytes(), kind.name().as_bytes(), &number])
    }
}

/// The live script and the older one that recordings were made for.
pub(super) struct Scripts {
    /// What the capture is judged by.
    pub(super) live: CaptureScript,
    /// What was recorded before.
    pub(super) older: CaptureScript,
}

impl Scripts {
    /// Draws the scripts of a job's first attempt; `constant` gives every capture one and the same, older ones too.
    pub(super) fn of(job: &Job, mode: CaptureMode, constant: bool) -> Self {
        let bytes = |what: &str| match constant {
            true => sha256(&[b"countersign/evaluate/constant"]),
            false => sha256(&[b"countersign/evaluate/script/v1", what.as_bytes(), &job.seed.to_be_bytes()]),
        };
        let (nonce, action) = (bytes("nonce"), bytes("action"));
        // Another action of the same challenge, another challenge for the same action, or both: what its name says.
        let (older_nonce, older_action) = match job.kind {
            Kind::Attack(Species::OtherAction) => (nonce, bytes("older action")),
            Kind::Attack(Species::WrongNonce) => (bytes("older nonce"), action),
            _ => (bytes("older nonce"), bytes("older action")),
        };
        Self { live: derive(&nonce, &action, mode), older: derive(&older_nonce, &older_action, mode) }
    }
}

/// A script that the job's capture was not made for, by number.
pub(super) fn another(job: &Job, mode: CaptureMode, number: u64) -> CaptureScript {
    let nonce = sha256(&[b"countersign/evaluate/another/v1", &job.seed.to_be_bytes(), &number.to_be_bytes()]);
    derive(&nonce, &sha256(&[&nonce]), mode)
}

fn derive(nonce: &[u8], action_sha256: &[u8; 32], mode: CaptureMode) -> CaptureScript {
    let tenant = TenantId::new(uuid::Uuid::nil());
    CaptureScript::derive(&ScriptInputs { nonce, tenant, action_sha256, mode, attempt: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted<'_> =
        Wanted { bona_fide: 4, attacks: 3, species: &[Species::WrongNonce, Species::OtherAction], seed: 1 };

    #[test]
    fn captures_go_round_and_the_attacker_is_somebody_else() {
        let jobs = WANTED.jobs(5);
        assert_eq!(jobs.len(), 10);
        assert_eq!(jobs.iter().map(|job| job.person).collect::<Vec<_>>(), [0, 1, 2, 3, 3, 4, 0, 1, 2, 3]);
        assert!(jobs.iter().all(|job| job.person != job.attacker));
        assert_eq!(jobs, WANTED.jobs(5));
        assert_ne!(jobs, Wanted { seed: 2, ..WANTED }.jobs(5));
    }

    #[test]
    fn older_scripts_differ_from_live_ones_unless_all_are_one() {
        for job in WANTED.jobs(5) {
            let scripts = Scripts::of(&job, CaptureMode::LightAndMotion, false);
            assert_ne!(scripts.live, scripts.older, "{job:?}");
            let same = Scripts::of(&job, CaptureMode::LightAndMotion, true);
            assert_eq!(same.live, same.older);
        }
    }
}
