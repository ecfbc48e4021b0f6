//! System calls of a running process that could put bytes into a file, by `strace`.
//!
//! Owns one trace. Must never know: what was written (the trace holds no data).

use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// Calls that make, open or fill files.
const CALLS: &str = "trace=open,openat,openat2,creat,memfd_create,write,writev,pwrite64,pwritev,pwritev2,sendfile,\
                     splice,copy_file_range,rename,renameat,renameat2,link,linkat";

/// A trace that runs.
pub(crate) struct Trace {
    strace: Child,
    file: PathBuf,
}

/// What a trace saw.
pub(crate) struct Written {
    /// How many calls could have written.
    pub(crate) calls: usize,
    /// Files that were opened for writing, made, or written to. Sockets, pipes and event counters are none.
    pub(crate) files: BTreeSet<String>,
}

impl Trace {
    /// Attaches to a process and all its threads.
    pub(crate) fn attach(pid: u32, file: &Path) -> Result<Self> {
        let mut command = Command::new("strace");
        command.args(["-f", "-q", "-y", "-s", "0", "-e", CALLS, "-p", &pid.to_string(), "-o"]).arg(file);
        let strace = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().context("strace is not installed")?;
        let mut trace = Self { strace, file: file.to_owned() };
        // Attached once every thread has a tracer.
        for _ in 0..100 {
            ensure!(trace.strace.try_wait()?.is_none(), "strace may not attach here");
            if traced(pid)? {
                return Ok(trace);
            }
            thread::sleep(Duration::from_millis(20));
        }
        anyhow::bail!("strace does not attach here")
    }

    /// Detaches and reads what was seen.
    pub(crate) fn end(mut self) -> Result<Written> {
        let status = Command::new("kill").args(["-INT", &self.strace.id().to_string()]).status()?;
        ensure!(status.success(), "strace was gone before its time");
        self.strace.wait()?;
        let text = fs::read_to_string(&self.file)?;
        let mut written = Written { calls: 0, files: BTreeSet::new() };
        for line in text.lines().filter(|line| line.contains('(')) {
            written.calls += 1;
            written.files.extend(target(line));
        }
        Ok(written)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

fn traced(pid: u32) -> Result<bool> {
    let mut all = true;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(task?.path().join("status")).unwrap_or_default();
        all &= !status.lines().any(|line| line == "TracerPid:\t0");
    }
    Ok(all)
}

/// The file that one line of the trace writes to, if it is one.
fn target(line: &str) -> Option<String> {
    let call = line.split('(').next()?.split_whitespace().last()?;
    if call.contains("open") && !["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| line.contains(flag)) {
        return None;
    }
    if line.contains("<unfinished") && call.contains("open") {
        return None; // the resumed line tells the rest
    }
    let path = match call {
        // What was opened stands behind the result: `= 9</path>`.
        "open" | "openat" | "openat2" | "creat" | "memfd_create" => between(line.rsplit(" = ").next()?)?,
        _ => between(line.split('(').nth(1)?)?,
    };
    let file = path.starts_with('/') && !path.starts_with("/dev/null") && !path.starts_with("/dev/pts");
    (file || path.starts_with("memfd:")).then(|| path.trim_end_matches("(deleted)").to_owned())
}

/// The path of `9</path>`.
fn between(text: &str) -> Option<&str> {
    let rest = text.split_once('<')?.1;
    rest.split_once('>').map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_trace_are_read() {
        let read = |line: &str| target(line);
        let open = "7 openat(AT_FDCWD</>, \"\"..., O_WRONLY|O_CREAT, 0644) = 9</tmp/x>";
        assert_eq!(read(open).as_deref(), Some("/tmp/x"));
        assert_eq!(read("7 openat(AT_FDCWD</>, \"\"..., O_RDONLY|O_CLOEXEC) = 9</etc/hosts>"), None);
        assert_eq!(read("7 write(2</tmp/worker.log>, \"\"..., 120) = 120").as_deref(), Some("/tmp/worker.log"));
        assert_eq!(read("7 writev(11<socket:[5]>, [...], 2) = 80"), None);
        assert_eq!(read("7 write(4<anon_inode:[eventfd]>, \"\"..., 8) = 8"), None);
        assert_eq!(read("7 memfd_create(\"\"..., 0) = 9</memfd:x>").as_deref(), Some("/memfd:x"));
    }
}
