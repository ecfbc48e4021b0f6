//! Where one person's two templates lie, and what they become there.
//!
//! Must never know: scores. Invariant: keys and ids are a function of seed, draw and person alone.

use crate::evaluate::hash::sha256;
use biometrics::{Features, KeyedTransform, ReferenceId, TenantId};
use serde::Serialize;
use uuid::Uuid;

/// What lies between two templates of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Between {
    /// Two tenants: another key, another tenant id, another reference.
    Tenants,
    /// Two users of one tenant: one key, another reference.
    Users,
    /// Two renewals of one reference: one key, epochs 1 and 2.
    Renewals,
}

/// One person's two samples.
#[derive(Clone, Copy)]
pub(super) struct Samples<'a> {
    /// Of the first template.
    pub(super) first: &'a Features,
    /// Of the second; `None` where both are of the same sample.
    pub(super) second: Option<&'a Features>,
}

/// One draw of all keys and ids.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    pub(super) between: Between,
    pub(super) seed: u64,
    pub(super) number: u64,
    /// Whether the attacker holds the keys and undoes the transforms.
    pub(super) keys_known: bool,
}

impl Between {
    pub(super) const ALL: [Self; 3] = [Self::Tenants, Self::Users, Self::Renewals];

    /// Its name in tables and file names.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tenants => "tenants",
            Self::Users => "users",
            Self::Renewals => "renewals",
        }
    }
}

impl Draw {
    /// Both templates of a person as the attacker has them.
    pub(super) fn templates(&self, person: u64, samples: Samples<'_>) -> [Features; 2] {
        let [here, there] = self.transforms(person);
        let first = here.apply(samples.first);
        let second = match (self.between, samples.second) {
            // As the worker renews: opened, undone and applied anew, without the sample.
            (Between::Renewals, None) => there.apply(&here.invert(&first)),
            (_, second) => there.apply(second.unwrap_or(samples.first)),
        };
        if self.keys_known { [here.invert(&first), there.invert(&second)] } else { [first, second] }
    }

    /// What a person's first template goes through.
    pub(super) fn transform(&self, person: u64) -> KeyedTransform {
        let [here, _] = self.transforms(person);
        here
    }

    fn transforms(&self, person: u64) -> [KeyedTransform; 2] {
        let (tenants, references, epochs) = match self.between {
            Between::Tenants => ([0, 1], [0, 1], [1, 1]),
            Between::Users => ([0, 0], [0, 1], [1, 1]),
            Between::Renewals => ([0, 0], [0, 0], [1, 2]),
        };
        [0, 1].map(|at| {
            let key = self.drawn("key", [tenants[at], 0]);
            let tenant = TenantId::new(uuid(&self.drawn("tenant", [tenants[at], 0])));
            let reference = ReferenceId::new(uuid(&self.drawn("reference", [references[at], person])));
            KeyedTransform::derive(&key, tenant, reference, epochs[at])
        })
    }

    fn drawn(&self, what: &str, numbers: [u64; 2]) -> [u8; 32] {
        let [a, b] = numbers.map(u64::to_be_bytes);
        let (seed, draw) = (self.seed.to_be_bytes(), self.number.to_be_bytes());
        sha256(&[b"countersign/evaluate/unlinkability/v1/", what.as_bytes(), &seed, &draw, &a, &b])
    }
}

fn uuid(digest: &[u8; 32]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(bytes)
}
