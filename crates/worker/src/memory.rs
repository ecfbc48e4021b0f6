//! What the process does with the memory it gives back, and who may read it. The only module with `unsafe` in the house.
//!
//! Owns the calls into the C library: freed memory overwritten, no core dump, no debugger, no swap where
//! the limits allow it. Must never know: frames, keys, what the memory held. Invariant: settings act on the whole process and
//! are made before the first frame is read. What remains after them is measured (TARGETS R8), not promised.

use std::io;

/// Freed memory is filled with this byte, fresh memory with its complement.
const PERTURB: i32 = 0xa5;

/// Which settings took hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardening {
    /// `free` overwrites what it is given (glibc only).
    pub freed_memory_is_overwritten: bool,
    /// Freed memory is not kept aside per thread; see [`service::heap`].
    pub thread_cache_is_off: bool,
    /// No core file, and no other process of this user may attach.
    pub not_dumpable: bool,
    /// Pages stay out of swap; only where `RLIMIT_MEMLOCK` is unlimited, otherwise turn swap off on the host.
    pub locked_in_memory: bool,
}

/// Applies every setting that can be made at run time.
///
/// # Errors
/// When the kernel refuses to forbid core dumps or debuggers. Memory locking is tried, and its result reported.
pub fn harden() -> io::Result<Hardening> {
    forbid_dumps()?;
    Ok(Hardening {
        freed_memory_is_overwritten: overwrite_freed_memory(),
        thread_cache_is_off: service::heap::is_wiped(),
        not_dumpable: true,
        locked_in_memory: lock_pages(),
    })
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "mallopt has no safe binding")]
fn overwrite_freed_memory() -> bool {
    // SAFETY: mallopt takes two integers and touches only the allocator's own settings.
    unsafe { libc::mallopt(libc::M_PERTURB, PERTURB) == 1 }
}

#[cfg(not(target_env = "gnu"))]
fn overwrite_freed_memory() -> bool {
    false
}

#[expect(unsafe_code, reason = "setrlimit and prctl have no safe binding in the standard library")]
fn forbid_dumps() -> io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `none` outlives the call, which only reads it.
    if unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: PR_SET_DUMPABLE takes integers only.
    if unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[expect(unsafe_code, reason = "getrlimit and mlockall have no safe binding in the standard library")]
fn lock_pages() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the answer.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } == 0;
    // Under a finite limit later allocations would fail, so the lock is tried only without one.
    if !known || limit.rlim_cur != libc::RLIM_INFINITY {
        return false;
    }
    // SAFETY: mlockall takes flags only; ONFAULT keeps untouched pages unallocated.
    unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_dumps_are_off_after_hardening() -> io::Result<()> {
        let done = harden()?;
        assert!(done.not_dumpable);
        let limits = std::fs::read_to_string("/proc/self/limits");
        // A process that is not dumpable may be unable to read its own entry; root can.
        if let Ok(limits) = limits {
            let core = limits.lines().find(|line| line.starts_with("Max core file size"));
            assert!(core.is_some_and(|line| line.split_whitespace().filter(|word| *word == "0").count() == 2));
        }
        Ok(())
    }

    #[cfg(target_env = "gnu")]
    #[test]
    #[expect(unsafe_code, reason = "looks at memory as the allocator hands it out")]
    fn the_allocator_overwrites_what_passes_through_it() {
        assert!(overwrite_freed_memory());
        // SAFETY: the block is read within its size, by volatile reads, and freed once.
        let filled = unsafe {
            let block = libc::malloc(64 * 1024).cast::<u8>();
            let filled = (0..64 * 1024).all(|at| block.add(at).read_volatile() == !(PERTURB as u8));
            libc::free(block.cast());
            filled
        };
        assert!(filled);
    }
}
