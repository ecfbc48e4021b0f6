//! What end-to-end tests and the demo stand on: places, captures, a cluster of real processes, callers, scans.
//!
//! Owns nothing of the product: it uses programs as operators do and calls as tenants do.

pub mod answering;
pub mod books;
pub mod caller;
pub mod captures;
pub mod cluster;
pub mod damage;
pub mod database;
pub mod expect;
pub mod forger;
pub mod hoard;
pub mod inside;
pub mod json;
pub mod load;
pub mod performer;
pub mod places;
mod ports;
pub mod scan;
pub mod scene;
pub mod skips;
pub mod softhsm;
pub mod starts;
pub mod surgery;
pub mod torture;
