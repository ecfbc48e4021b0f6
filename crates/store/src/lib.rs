//! All SQL of Countersign behind one door: tenants, API keys, challenges, attempts, outcomes, references, audit, events.
//!
//! Owns every statement, the schema and its migrations, and the rules that only a transaction can keep: single use,
//! leases, strikes, the append-only audit chain. Must never know: the wire, keys in the clear, frames, features,
//! scores, receipts. Invariant: no outcome is visible without its audit entry, and what may happen once is judged by a
//! unique constraint and the database's own clock, never by a cache or the caller's clock.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "tests"))]
#![cfg_attr(test, allow(clippy::duplicate_mod, reason = "the contract's tests are compiled once for each engine"))]

mod attempts;
mod audit;
mod backup;
mod bulk;
mod challenges;
mod checkpoint;
mod codes;
mod conn;
mod copy;
mod door;
mod erasure;
mod error;
mod events;
mod failpoint;
mod frames;
mod holds;
mod jobs;
mod journal;
mod keys;
mod leader;
mod leases;
mod lifecycle;
mod log;
mod migrate;
mod opening;
mod outcomes;
mod policies;
mod postgres;
mod receipts;
mod references;
mod renewal;
mod rotation;
mod sink;
mod sqlite;
mod status;
mod strikes;
mod succession;
mod sweep;
mod tenants;
mod tx;

#[cfg(test)]
mod tests;

pub use attempts::{AttemptRow, AttemptState};
pub use audit::{About, AuditBody, AuditEntry, AuditQuery, AuditWindow, Chain, TERMINATED_AUDIT_DAYS, Walk};
pub use backup::BackedUp;
pub use bulk::{EraseBatch, Provable, ProveBatch};
pub use challenges::{ChallengeRow, CreateResult, Idempotency, NewChallenge};
pub use checkpoint::Checkpoint;
pub use copy::{Copied, CopyError, CopyProgress, copy};
pub use door::{Limits, Place, Store, StoreConfig};
pub use erasure::{EraseResult, Erased, OWN_CAUSES, may_be_cause};
pub use error::{Misfit, StoreError};
pub use events::{Event, EventState};
pub use failpoint::failpoint;
pub use frames::FrameHash;
pub use holds::{Hold, NewHold, ReleaseHold};
pub use jobs::{Job, JobKind, JobState, NewJob, QueueResult, Step};
pub use journal::JournalHead;
pub use keys::{ApiKeyRow, NewApiKey};
pub use leader::Candidate;
pub use leases::ReleaseResult;
pub use lifecycle::{Emptied, EndTenant, MoveTenant, Terminate, Termination};
pub use log::{EraseSalts, KeptLeaf, KeyStatement, LogHead, LogWork};
pub use opening::{OpenAttempt, OpenRefused, OpenResult, Opened};
pub use outcomes::{LiveReceipt, RecordOutcome, RecordResult, Recorded};
pub use policies::{PolicyVersion, PutPolicy};
pub use postgres::{PostgresConfig, Role};
pub use receipts::RevokeResult;
pub use references::{ReferenceCount, SealedRow, UserReferences};
pub use renewal::{RenewEnd, Renewed, ToRenew};
pub use rotation::{BatchResult, FenceResult, KekDestruction, Rewrapped, WrappedDek};
pub use sink::{SinkConfig, SinkPlace};
pub use sqlite::{COMMITS, COMMITTED, SqliteConfig};
pub use status::{StatusPosition, StatusSecret};
pub use succession::Succession;
pub use sweep::Dropped;
pub use tenants::{NewTenant, Tenant, TenantSecretsRow, TenantState};
