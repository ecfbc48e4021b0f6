//! Bounds of the accept loop, with defaults that suit both processes.

use serde::Deserialize;
use std::time::Duration;

/// Bounds of every wait and of what a connection may hold. As TOML every field is optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeLimits {
    /// Connections at once; one more is closed at once. Default 1024.
    pub max_connections: u32,
    /// TLS handshake, in milliseconds. Default 5000.
    pub handshake_ms: u64,
    /// From handshake to the first request's header, and for each header of HTTP/1.1, in milliseconds. Default 10,000.
    pub header_ms: u64,
    /// Without a request in flight, in milliseconds; then the connection ends politely. Default 600,000.
    pub idle_ms: u64,
    /// From shutdown until connections are cut, in milliseconds. Default 20,000.
    pub drain_ms: u64,
    /// HTTP/2 streams of one connection at once. Default 128.
    pub max_concurrent_streams: u32,
    /// Bytes of a header list. Default 16,384.
    pub max_header_bytes: u32,
    /// HTTP/2 ping interval, in milliseconds; a peer that does not answer within half of it is gone. Default 20,000.
    pub ping_ms: u64,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            handshake_ms: 5_000,
            header_ms: 10_000,
            idle_ms: 600_000,
            drain_ms: 20_000,
            max_concurrent_streams: 128,
            max_header_bytes: 16 << 10,
            ping_ms: 20_000,
        }
    }
}

impl ServeLimits {
    pub(super) const fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_ms)
    }
    pub(super) const fn header(&self) -> Duration {
        Duration::from_millis(self.header_ms)
    }
    pub(super) const fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }
    pub(super) const fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
    pub(super) const fn ping(&self) -> Duration {
        Duration::from_millis(self.ping_ms)
    }
}
