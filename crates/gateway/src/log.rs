//! The transparency log inside the gateway: entries get their places, the ledger signs the new root, and everybody may read it.
//!
//! Owns who lets the tree grow and what is served of it. Must never know: what a receipt says. Invariant: a checkpoint leaves
//! this process only out of the database, where it was committed together with its tiles.

pub(crate) mod audit;
pub(crate) mod documents;
pub(crate) mod prove;
pub(crate) mod sequence;
mod tell;

pub(crate) use documents::PREFIX;
