//! The syslog sink: one RFC 5424 message a line, to the machine's own socket. Must never know: who waits. Invariant: a message is
//! whole or not sent; what became of it is the syslog daemon's to know.

use std::{io, os::unix::net::UnixDatagram, path::Path, time::Duration};

/// Facility 13 (log audit), severity 5 (notice).
const PRIORITY: u8 = 13 * 8 + 5;
/// How long one message may wait for room in the daemon's queue.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sends the lines. The daemon stamps them with its own time; the entry holds the database's.
pub(super) fn send(path: &Path, lines: &[&str]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.connect(path)?;
    for line in lines {
        let message = format!("<{PRIORITY}>1 - - countersign {} audit - {line}", std::process::id());
        socket.send(message.as_bytes())?;
    }
    Ok(())
}
