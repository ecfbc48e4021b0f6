//! Ports for processes that die and come back on the same one.
//!
//! Invariant: they lie below those that Linux gives to outgoing connections and to listeners that ask for any (32768 and up), so
//! that nobody takes one while its process is down.

use anyhow::{Context as _, Result};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// An address of this machine on which nobody listens. No two calls in this process get the same; other processes begin elsewhere.
///
/// # Errors
/// Where every port is taken.
pub(crate) fn free_port() -> Result<SocketAddr> {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let mut candidates = (0..COUNT).map(|_| {
        let number = process::id().wrapping_mul(997).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + (number % u32::from(COUNT)) as u16))
    });
    candidates.find(|address| TcpListener::bind(address).is_ok()).context("no port is free")
}
