//! A stand-in at the worker's end of the wire: the real service over real mTLS, deciding as it is told.

use super::house::Ca;
use axum::Router;
use biometrics::{GateResult, GateStatus, Verdict, decide, policy::Policy};
use service::{
    serve::{Listening, ServeLimits, serve},
    tls::{ServerTls, server_config},
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, service::Routes};
use wire::{
    Reason, convert,
    v1::{
        self,
        inference_service_server::{InferenceService, InferenceServiceServer},
    },
};

use GateStatus::{Fail, Inconclusive, NotRun, Pass};

/// Every gate of a test tenant's policy passes.
pub(super) const ACCEPTED: [GateStatus; 5] = [Pass, Pass, NotRun, NotRun, Pass];
/// The comparison fails.
pub(super) const NON_MATCH: [GateStatus; 5] = [Pass, Pass, NotRun, NotRun, Fail];
/// Quality could not be judged.
pub(super) const BLURRED: [GateStatus; 5] = [Pass, Inconclusive, NotRun, NotRun, NotRun];

/// Another capture has shown one of the frames.
pub(super) const REPLAYED: [GateStatus; 5] = [Fail, Pass, NotRun, NotRun, NotRun];

/// What the stand-in does with the next captures.
#[derive(Clone)]
pub(super) enum Act {
    /// Decides with these findings.
    Decide([GateStatus; 5]),
    /// Refuses.
    Fail(Reason),
    /// Decides once it is let go.
    Wait(Arc<Semaphore>, [GateStatus; 5]),
}

/// What a verification says of the user's two references, and with what it last came.
#[derive(Clone, Default)]
pub(super) struct Succession {
    /// The successor that it makes.
    pub(super) successor: Option<v1::SealedReference>,
    /// Whether the successor that came matched.
    pub(super) succeeded: bool,
    /// The successor that came, with its secrets.
    pub(super) came: Option<(v1::SealedReference, v1::WrappedTenantSecrets)>,
    /// The secrets of a new successor.
    pub(super) present: Option<v1::WrappedTenantSecrets>,
    /// Whether it says that it compares in the feature space `newer` alone.
    pub(super) newer: bool,
}

/// See the module.
pub(super) struct Peer {
    pub(super) addr: SocketAddr,
    act: Arc<Mutex<Act>>,
    seen: Arc<Mutex<Vec<v1::AttemptContext>>>,
    pub(super) succession: Arc<Mutex<Succession>>,
    shutdown: CancellationToken,
    join: Mutex<Option<JoinHandle<()>>>,
}

impl Peer {
    pub(super) async fn serve(ca: &Ca) -> Self {
        let (cert, key) = ca.issue("worker");
        let tls = ServerTls { cert, key, client_ca: Some(ca.pem.clone()), allowed_peers: vec!["gateway".to_owned()] };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let limits = ServeLimits { drain_ms: 10, ..ServeLimits::default() };
        let listening = Listening { listener, tls: Some(server_config(&tls).unwrap()), limits };
        let (act, seen) = (Arc::new(Mutex::new(Act::Decide(ACCEPTED))), Arc::default());
        let succession = Arc::default();
        let service = StandIn { act: Arc::clone(&act), seen: Arc::clone(&seen), succession: Arc::clone(&succession) };
        let service = InferenceServiceServer::new(service).max_decoding_message_size(64 << 20);
        let router: Router = Routes::new(service).into_axum_router();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let join = tokio::spawn(async move {
            serve(listening, router, stop).await;
        });
        Self { addr, act, seen, succession, shutdown, join: Mutex::new(Some(join)) }
    }

    /// What it does from now on.
    pub(super) fn act(&self, act: Act) {
        *self.act.lock().unwrap() = act;
    }

    /// Contexts of the captures that arrived.
    pub(super) fn seen(&self) -> Vec<v1::AttemptContext> {
        self.seen.lock().unwrap().clone()
    }

    /// Goes away, connections cut.
    pub(super) async fn leave(&self) {
        self.shutdown.cancel();
        let join = self.join.lock().unwrap().take();
        join.unwrap().await.unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

#[derive(Clone)]
struct StandIn {
    act: Arc<Mutex<Act>>,
    seen: Arc<Mutex<Vec<v1::AttemptContext>>>,
    succession: Arc<Mutex<Succession>>,
}

impl StandIn {
    async fn decide(&self, context: Option<v1::AttemptContext>) -> Result<v1::Decision, Status> {
        let context = context.unwrap();
        self.seen.lock().unwrap().push(context.clone());
        let act = self.act.lock().unwrap().clone();
        let found = match act {
            Act::Decide(found) => found,
            Act::Fail(reason) => return Err(reason.status()),
            Act::Wait(gate, found) => {
                gate.acquire().await.unwrap().forget();
                found
            }
        };
        Ok(decision(found, &context))
    }
}

fn decision(found: [GateStatus; 5], context: &v1::AttemptContext) -> v1::Decision {
    let gates: Vec<_> = biometrics::Gate::ALL
        .into_iter()
        .zip(found)
        .map(|(gate, status)| GateResult { gate, status, reasons: Vec::new(), version: "stand-in".into() })
        .collect();
    let verdict = decide(&gates, &Policy::testing().required_gates);
    let now_ms = service::Clock::system().now_ms();
    v1::Decision {
        verdict: convert::verdict_to_wire(verdict).into(),
        receipt: format!("receipt.of.{}", context.jti),
        gates: gates.iter().map(convert::gate_result_to_wire).collect(),
        instructions: if verdict == Verdict::Refuse { vec!["HOLD_STILL".into()] } else { Vec::new() },
        pseudonym: "pseudonym".into(),
        issued_at: Some(convert::timestamp(now_ms)),
        expires_at: Some(convert::timestamp(now_ms + 120_000)),
    }
}

pub(super) fn reference(number: u128) -> v1::SealedReference {
    v1::SealedReference {
        reference_id: biometrics::ReferenceId::new(uuid::Uuid::from_u128(number)).to_string(),
        epoch: 1,
        feature_space: "stand-in".into(),
        transform_version: 1,
        schema: 1,
        kek_version: 1,
        wrapped_dek: vec![3; 60],
        ciphertext: vec![4; 600],
        commitment: vec![5; 32],
    }
}

#[tonic::async_trait]
impl InferenceService for StandIn {
    async fn enroll(
        &self,
        request: Request<v1::InferenceServiceEnrollRequest>,
    ) -> Result<Response<v1::InferenceServiceEnrollResponse>, Status> {
        let context = request.into_inner().context.take();
        let jti: biometrics::Jti = context.as_ref().unwrap().jti.parse().unwrap();
        let decision = self.decide(context).await?;
        let accepted = decision.verdict == i32::from(v1::Verdict::Accept);
        let reference = accepted.then(|| reference(jti.uuid().as_u128()));
        Ok(Response::new(v1::InferenceServiceEnrollResponse { decision: Some(decision), reference }))
    }

    async fn verify(
        &self,
        request: Request<v1::InferenceServiceVerifyRequest>,
    ) -> Result<Response<v1::InferenceServiceVerifyResponse>, Status> {
        let mut request = request.into_inner();
        assert!(request.reference.is_some(), "a verification arrives with its reference");
        let decision = Some(self.decide(request.context.take()).await?);
        let mut succession = self.succession.lock().unwrap();
        succession.came = request.successor.take().zip(request.successor_secrets.take());
        succession.present = request.present_secrets.take();
        let (successor, succeeded) = (succession.successor.clone(), succession.succeeded);
        Ok(Response::new(v1::InferenceServiceVerifyResponse { decision, successor, succeeded }))
    }

    async fn make_tenant_secrets(
        &self,
        _request: Request<v1::MakeTenantSecretsRequest>,
    ) -> Result<Response<v1::MakeTenantSecretsResponse>, Status> {
        let secrets =
            v1::WrappedTenantSecrets { kek_version: 1, transform_key: vec![1; 60], pseudonym_key: vec![2; 60] };
        Ok(Response::new(v1::MakeTenantSecretsResponse { secrets: Some(secrets) }))
    }

    async fn rewrap(&self, _request: Request<v1::RewrapRequest>) -> Result<Response<v1::RewrapResponse>, Status> {
        Err(Reason::Unimplemented.status())
    }

    async fn describe_kek(
        &self,
        _request: Request<v1::DescribeKekRequest>,
    ) -> Result<Response<v1::DescribeKekResponse>, Status> {
        Ok(Response::new(v1::DescribeKekResponse { kek_version: 1, worn: false, made_at: None }))
    }

    async fn make_kek(&self, _request: Request<v1::MakeKekRequest>) -> Result<Response<v1::MakeKekResponse>, Status> {
        Err(Reason::Unimplemented.status())
    }

    async fn destroy_kek(
        &self,
        _request: Request<v1::DestroyKekRequest>,
    ) -> Result<Response<v1::DestroyKekResponse>, Status> {
        Err(Reason::Unimplemented.status())
    }

    async fn renew(&self, _request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        Err(Reason::Unimplemented.status())
    }

    async fn describe(&self, _request: Request<v1::DescribeRequest>) -> Result<Response<v1::DescribeResponse>, Status> {
        let newer = self.succession.lock().unwrap().newer;
        let feature_space = if newer { "newer" } else { "stand-in" }.to_owned();
        Ok(Response::new(v1::DescribeResponse { feature_space, ..Default::default() }))
    }
}
