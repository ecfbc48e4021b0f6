//! What takes the audit beside the database: a file or the machine's syslog. Owns the wait for it. Must never know: what an entry
//! says. Invariants: a transaction commits only after its lines were taken, or, where the sink may fail, after its failure was
//! told of; a sink that hangs holds nobody up for longer than its deadline, and later callers not at all.

mod file;
mod syslog;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};
use tokio::{sync::oneshot, time::timeout};

/// Lines that wait for the sink at once.
const WAITING: usize = 1024;

/// Which sink there is beside the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkConfig {
    /// Where lines go.
    pub place: SinkPlace,
    /// Whether a line that it does not take fails the request.
    pub required: bool,
    /// How long a request waits for it.
    pub wait: Duration,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkPlace {
    /// A file that is appended to and synced; made for this user alone when it is missing.
    File(PathBuf),
    /// A datagram socket that takes RFC 5424 messages, such as `/dev/log`.
    Syslog(PathBuf),
}

/// The lines of one transaction.
struct Batch {
    lines: Vec<String>,
    taken: oneshot::Sender<io::Result<()>>,
}

/// A sink with a thread of its own, which alone may hang. It ends with the last clone.
#[derive(Debug, Clone)]
pub(crate) struct AuditSink {
    to_writer: mpsc::SyncSender<Batch>,
    hangs: Arc<AtomicBool>,
    required: bool,
    wait: Duration,
}

impl AuditSink {
    /// A sink; nothing is opened before there is something to write.
    pub(crate) fn open(config: SinkConfig) -> Self {
        let (to_writer, batches) = mpsc::sync_channel(WAITING);
        let hangs = Arc::new(AtomicBool::new(false));
        let (place, moves) = (config.place, Arc::clone(&hangs));
        thread::spawn(move || work(&place, &batches, &moves));
        Self { to_writer, hangs, required: config.required, wait: config.wait }
    }

    /// Has the sink take a transaction's lines.
    ///
    /// # Errors
    /// Where it must take them and does not.
    pub(crate) async fn take(&self, lines: Vec<String>) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let Err(error) = self.try_take(lines).await else { return Ok(()) };
        metrics::counter!("countersign_audit_sink_failures_total").increment(1);
        tracing::error!(%error, alarm = true, required = self.required, "the audit's second sink takes no entry");
        if self.required { Err(error) } else { Ok(()) }
    }

    async fn try_take(&self, lines: Vec<String>) -> io::Result<()> {
        let hangs = || io::Error::from(io::ErrorKind::TimedOut);
        if self.hangs.load(Ordering::SeqCst) {
            return Err(hangs());
        }
        let (taken, mut answer) = oneshot::channel();
        self.to_writer.try_send(Batch { lines, taken }).map_err(|_| io::Error::from(io::ErrorKind::WouldBlock))?;
        match timeout(self.wait, &mut answer).await {
            Ok(Ok(taken)) => taken,
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => {
                self.hangs.store(true, Ordering::SeqCst);
                // It answered meanwhile, and may have said that it does not hang before we said that it does.
                let Ok(taken) = answer.try_recv() else { return Err(hangs()) };
                self.hangs.store(false, Ordering::SeqCst);
                taken
            }
        }
    }
}

/// Writes whatever waits, together, until nobody is left who may write.
fn work(place: &SinkPlace, batches: &mpsc::Receiver<Batch>, hangs: &AtomicBool) {
    while let Ok(first) = batches.recv() {
        // Whoever gave up waiting has rolled back: its lines tell of nothing.
        let waiting: Vec<Batch> =
            std::iter::once(first).chain(batches.try_iter()).filter(|batch| !batch.taken.is_closed()).collect();
        let lines: Vec<&str> = waiting.iter().flat_map(|batch| &batch.lines).map(String::as_str).collect();
        let written = match place {
            SinkPlace::File(path) => file::append(path, &lines),
            SinkPlace::Syslog(path) => syslog::send(path, &lines),
        };
        for batch in waiting {
            // Nobody may be waiting any more.
            let _gone = batch.taken.send(written.as_ref().copied().map_err(|error| error.kind().into()));
        }
        // After the answers: whoever says that it hangs looks for his once more.
        hangs.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
