//! Owns the way to the workers: one channel each over mutual TLS, calls in turn, a worker that failed rests for a moment.
//!
//! Must never know: what is asked, the database. Invariants: a call ends by its deadline; another worker is tried only when
//! the one before gave no decision; no word of a worker's error goes further than the reasons a worker may send.

pub(crate) mod context;

use crate::{GatewayError, capture::Capture, config};
use biometrics::Purpose;
use service::clock::Clock;
use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use store::Opened;
use tonic::{
    Code, Request, Response, Status,
    transport::{Channel, ClientTlsConfig, Endpoint},
};
use wire::{
    Reason, frames,
    v1::{self, inference_service_client::InferenceServiceClient},
};

/// How long a worker that failed is left alone while another one answers.
const REST: Duration = Duration::from_millis(500);
/// Time kept back from the caller's deadline for the way to the worker and the second transaction: a tenth of what is
/// left, within these bounds.
const SHAVE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// How long a probe waits for a worker.
const PROBE: Duration = Duration::from_secs(2);
/// Flow-control window: a whole capture without waiting for the peer's credit.
const WINDOW_BYTES: u32 = 16 << 20;
/// How much earlier than asked a timer of the transport may be seen to ring.
const TIMER_SLACK: Duration = Duration::from_millis(5);
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A connection to one worker, ready for a call.
pub(crate) type Client = InferenceServiceClient<Channel>;

/// All workers.
pub(crate) struct Inference {
    workers: Vec<Worker>,
    turn: AtomicUsize,
    clock: Clock,
    /// What the workers that answered the last probe run.
    runs: RwLock<Vec<Runs>>,
}

/// What a worker runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Runs {
    /// In which feature spaces it compares; the first is that of new references.
    pub(crate) feature_spaces: Vec<String>,
    /// Digests of its models, by role, as 64 hexadecimal digits.
    pub(crate) models: BTreeMap<String, String>,
    /// Thumbprint of the key that signs its receipts.
    pub(crate) receipt_kid: String,
}

impl Runs {
    fn of(answer: v1::DescribeResponse) -> Self {
        let models = answer.models.into_iter().map(|model| (model.role, hex::encode(model.sha256))).collect();
        let feature_spaces = match answer.comparable_feature_spaces {
            // A worker of an earlier release.
            none if none.is_empty() => vec![answer.feature_space],
            all => all,
        };
        Self { feature_spaces, models, receipt_kid: answer.receipt_kid }
    }
}

/// What a worker said of one attempt, as it came.
pub(crate) struct Answered {
    pub(crate) decision: Option<v1::Decision>,
    /// What an enrollment made, or the successor that a verification did.
    pub(crate) reference: Option<v1::SealedReference>,
    /// The successor that was sent matched too.
    pub(crate) succeeded: bool,
}

struct Worker {
    client: Client,
    /// Until when it rests, in milliseconds of the monotonic clock.
    rests_until_ms: AtomicU64,
}

/// Why one worker gave no answer.
enum Failed {
    /// It could not be reached or is not serving; another one may.
    Away(Reason),
    /// It answered, and no other would answer differently.
    Refused(Reason),
}

impl Inference {
    /// Prepares the channels; connections are made with the first call.
    ///
    /// # Errors
    /// [`GatewayError`] when a file does not read, an address is malformed or no worker is named.
    pub(crate) fn new(config: &config::Inference, clock: Clock) -> Result<Self, GatewayError> {
        let tls = service::tls::client_config(&config.tls)?;
        let connect_timeout = Duration::from_millis(config.connect_timeout_ms.max(1));
        let workers = config
            .workers
            .iter()
            .map(|address| Worker::new(address, tls.clone(), connect_timeout))
            .collect::<Result<Vec<_>, _>>()?;
        if workers.is_empty() {
            return Err(GatewayError::NoWorker);
        }
        Ok(Self { workers, turn: AtomicUsize::new(0), clock, runs: RwLock::default() })
    }

    /// Has one opened attempt judged; takes the frames out of `capture`. `told` is the gateway's clock, in milliseconds, and where
    /// the status list of the attempt's position is published.
    ///
    /// # Errors
    /// What a worker may refuse for, `UNAVAILABLE_WORKER`, or `DEADLINE_EXCEEDED`.
    pub(crate) async fn judge(
        &self,
        opened: &Opened,
        capture: &mut Capture,
        told: (i64, String),
    ) -> Result<Answered, Reason> {
        let context = Some(context::of(opened, capture, told));
        let frames = capture.frames.take();
        match opened.challenge.purpose {
            Purpose::Enroll => {
                let request = v1::InferenceServiceEnrollRequest { context, frames };
                let send = |mut client: Client, request| async move { client.enroll(request).await };
                let answer = self.call(request, capture.deadline, send).await?;
                Ok(Answered { decision: answer.decision, reference: answer.reference, succeeded: false })
            }
            Purpose::Verify => {
                let request = context::verification(opened, (context, frames));
                let send = |mut client: Client, request| async move { client.verify(request).await };
                let answer = self.call(request, capture.deadline, send).await?;
                Ok(Answered { decision: answer.decision, reference: answer.successor, succeeded: answer.succeeded })
            }
        }
    }

    /// Makes a tenant's KEK and wrapped secrets.
    pub(crate) async fn make_tenant_secrets(
        &self,
        request: v1::MakeTenantSecretsRequest,
        deadline: Duration,
    ) -> Result<v1::MakeTenantSecretsResponse, Reason> {
        let send = |mut client: Client, request| async move { client.make_tenant_secrets(request).await };
        self.call(request, deadline, send).await
    }

    /// How worn a tenant's newest KEK version is.
    pub(crate) async fn describe_kek(
        &self,
        request: v1::DescribeKekRequest,
        deadline: Duration,
    ) -> Result<v1::DescribeKekResponse, Reason> {
        let send = |mut client: Client, request| async move { client.describe_kek(request).await };
        self.call(request, deadline, send).await
    }

    /// Lays a reference out anew.
    pub(crate) async fn renew(
        &self,
        request: v1::RenewRequest,
        deadline: Duration,
    ) -> Result<v1::SealedReference, Reason> {
        let send = |mut client: Client, request| async move { client.renew(request).await };
        self.call(request, deadline, send).await?.reference.ok_or(Reason::Internal)
    }

    /// Makes a tenant's next KEK version, unless a newer one is there.
    pub(crate) async fn make_kek(&self, request: v1::MakeKekRequest, deadline: Duration) -> Result<u32, Reason> {
        let send = |mut client: Client, request| async move { client.make_kek(request).await };
        Ok(self.call(request, deadline, send).await?.kek_version)
    }

    /// Destroys an old KEK version.
    pub(crate) async fn destroy_kek(
        &self,
        request: v1::DestroyKekRequest,
        deadline: Duration,
    ) -> Result<v1::DestroyKekResponse, Reason> {
        let send = |mut client: Client, request| async move { client.destroy_kek(request).await };
        self.call(request, deadline, send).await
    }

    /// Wraps DEKs and secrets anew.
    pub(crate) async fn rewrap(
        &self,
        request: v1::RewrapRequest,
        deadline: Duration,
    ) -> Result<v1::RewrapResponse, Reason> {
        let send = |mut client: Client, request| async move { client.rewrap(request).await };
        self.call(request, deadline, send).await
    }

    /// Asks every worker what it runs, for readiness; answers how many did. What they run is remembered.
    pub(crate) async fn probe(&self) -> usize {
        let asked = self.workers.iter().map(|worker| async {
            let mut request = Request::new(v1::DescribeRequest {});
            request.set_timeout(PROBE);
            let answer = tokio::time::timeout(PROBE, worker.client.clone().describe(request)).await;
            answer.ok()?.ok().map(|answer| Runs::of(answer.into_inner()))
        });
        let runs: Vec<_> = futures::future::join_all(asked).await.into_iter().flatten().collect();
        let answered = runs.len();
        *self.runs.write().unwrap_or_else(PoisonError::into_inner) = runs;
        answered
    }

    /// What every worker that answered the last probe runs, where that is one thing.
    pub(crate) fn runs(&self) -> Option<Runs> {
        self.common(Runs::clone)
    }

    /// What they compare, where that is one thing.
    pub(crate) fn feature_spaces(&self) -> Option<Vec<String>> {
        self.common(|runs| runs.feature_spaces.clone())
    }

    fn common<T: PartialEq>(&self, part: impl Fn(&Runs) -> T) -> Option<T> {
        let all = self.runs.read().unwrap_or_else(PoisonError::into_inner);
        let first = all.first().map(&part)?;
        all.iter().all(|other| part(other) == first).then_some(first)
    }

    /// Asks the workers in turn until one answers or the deadline, on the monotonic clock, is near.
    async fn call<Q, A, F, Fut>(&self, request: Q, deadline: Duration, send: F) -> Result<A, Reason>
    where
        Q: Clone,
        F: Fn(Client, Request<Q>) -> Fut,
        Fut: Future<Output = Result<Response<A>, Status>>,
    {
        let order = self.order();
        let last = order.len() - 1;
        let mut request = Some(request);
        let mut away = Reason::UnavailableWorker;
        for (at, worker) in order.into_iter().enumerate() {
            // The last one gets the request itself: a capture is copied only where a further worker may need it.
            let Some(message) = (if at == last { request.take() } else { request.clone() }) else { break };
            let Some(allowed) = self.allowance(deadline) else { return Err(Reason::DeadlineExceeded) };
            let ends = self.clock.monotonic() + allowed;
            let mut message = Request::new(message);
            message.set_timeout(allowed);
            let answer = tokio::time::timeout(allowed, send(worker.client.clone(), message)).await;
            match answer.unwrap_or_else(|_| Err(Reason::DeadlineExceeded.status())) {
                Ok(answer) => {
                    worker.rests_until_ms.store(0, Ordering::Relaxed);
                    return Ok(answer.into_inner());
                }
                Err(status) => match judge(&status) {
                    Failed::Refused(reason) => return Err(reason),
                    // The transport's own timer may win the race against ours, in words of its own.
                    Failed::Away(_) if self.clock.monotonic() + TIMER_SLACK >= ends => {
                        return Err(Reason::DeadlineExceeded);
                    }
                    Failed::Away(reason) => {
                        self.rest(worker, &status);
                        away = reason;
                    }
                },
            }
        }
        Err(away)
    }

    /// What is left for one worker of the time until `deadline`, if anything.
    fn allowance(&self, deadline: Duration) -> Option<Duration> {
        let left = deadline.checked_sub(self.clock.monotonic())?;
        left.checked_sub((left / 10).clamp(SHAVE.0, SHAVE.1)).filter(|allowed| !allowed.is_zero())
    }

    /// Workers in the order of this call: the next in turn first, resting ones last.
    fn order(&self) -> Vec<&Worker> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.workers.len();
        let now_ms = millis(self.clock.monotonic());
        let mut order: Vec<_> = (0..count).map(|offset| &self.workers[(turn.wrapping_add(offset)) % count]).collect();
        order.sort_by_key(|worker| worker.rests_until_ms.load(Ordering::Relaxed) > now_ms);
        order
    }

    fn rest(&self, worker: &Worker, status: &Status) {
        worker.rests_until_ms.store(millis(self.clock.monotonic() + REST), Ordering::Relaxed);
        metrics::counter!("countersign_worker_failures_total").increment(1);
        tracing::warn!(code = ?status.code(), "a worker gave no answer");
    }
}

impl Worker {
    fn new(address: &str, tls: ClientTlsConfig, connect_timeout: Duration) -> Result<Self, GatewayError> {
        let endpoint = Endpoint::from_shared(format!("https://{address}"))
            .and_then(|endpoint| endpoint.tls_config(tls))
            .map_err(GatewayError::WorkerAddress)?
            .connect_timeout(connect_timeout)
            .tcp_nodelay(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        let client = InferenceServiceClient::new(endpoint.connect_lazy())
            .max_decoding_message_size(frames::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(2 * frames::MAX_MESSAGE_BYTES);
        Ok(Self { client, rests_until_ms: AtomicU64::new(0) })
    }
}

/// Reads a worker's status. One without a reason of ours comes from the transport: the worker is away.
fn judge(status: &Status) -> Failed {
    let Some(received) = Reason::from_status(status) else { return Failed::Away(Reason::UnavailableWorker) };
    let reason = received.reason().unwrap_or_else(|| {
        tracing::error!(code = ?status.code(), reason = received.code, "a worker refused for an unexpected reason");
        Reason::Internal
    });
    match status.code() {
        Code::Unavailable | Code::ResourceExhausted => Failed::Away(reason),
        // Ours to put right, not the caller's; a worker whose clock agrees may answer.
        _ if reason == Reason::ClockSkew => {
            tracing::error!(alarm = true, "a worker's clock and ours differ by more than 5 s");
            Failed::Away(Reason::UnavailableWorker)
        }
        _ => Failed::Refused(reason),
    }
}

fn millis(instant: Duration) -> u64 {
    u64::try_from(instant.as_millis()).unwrap_or(u64::MAX)
}
