//! What the C library does with memory that is given back: it overwrites it, and keeps none aside per thread. Frames pass
//! through buffers of TLS, HTTP/2 and protobuf that are not ours to wipe; this reaches them when they are freed.
//!
//! Must never know: what the memory held. Invariant: the settings stand before `main` begins, or the program says why not.
//! What remains in memory is measured (TARGETS R8), not promised.

use std::{ffi::OsString, io, os::unix::process::CommandExt as _, process::Command};

/// glibc's own switches; read by it once, before `main`.
const TUNABLES: &str = "GLIBC_TUNABLES";
/// `free` fills what it is given with this byte, `malloc` with its complement; and the per-thread free lists are off, as
/// what lies in them escapes that.
const WIPED: [&str; 2] = ["glibc.malloc.perturb=165", "glibc.malloc.tcache_count=0"];

/// Starts this program again, in the same process id, with [`is_wiped`] true; returns at once where it already is, or where
/// the C library is not glibc.
///
/// glibc reads the settings only before `main`, so there is no other way from inside. Deployments may set
/// `GLIBC_TUNABLES=glibc.malloc.perturb=165:glibc.malloc.tcache_count=0` themselves and save the second start.
///
/// # Errors
/// When the program's own file can no longer be found or started.
pub fn reexec_wiped() -> io::Result<()> {
    if !cfg!(target_env = "gnu") || is_wiped() {
        return Ok(());
    }
    let mut tunables = std::env::var_os(TUNABLES).unwrap_or_default();
    for setting in WIPED {
        if !tunables.is_empty() {
            tunables.push(":");
        }
        tunables.push(OsString::from(setting));
    }
    Err(Command::new(std::env::current_exe()?).args(std::env::args_os().skip(1)).env(TUNABLES, tunables).exec())
}

/// Whether this process was started with the settings.
#[must_use]
pub fn is_wiped() -> bool {
    let set = std::env::var(TUNABLES).unwrap_or_default();
    WIPED.iter().all(|setting| set.split(':').any(|one| one == *setting))
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;

    const VICTIM: &str = "COUNTERSIGN_HEAP_VICTIM";

    /// Does nothing unless the test below runs it in a process of its own.
    #[test]
    fn victim() {
        if std::env::var_os(VICTIM).is_none() {
            return;
        }
        reexec_wiped().unwrap();
        assert!(is_wiped());
    }

    #[test]
    fn a_program_starts_again_with_the_settings_beside_those_it_had() {
        let started = |tunables: &str| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "heap::tests::victim"])
                .env(VICTIM, "1")
                .env(TUNABLES, tunables)
                .output()
                .unwrap()
        };
        for before in ["", "glibc.malloc.arena_max=4", "glibc.malloc.tcache_count=0"] {
            let output = started(before);
            assert!(output.status.success(), "{before}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}
