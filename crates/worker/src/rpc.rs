//! `InferenceService` as gateways call it: takes requests off the wire, hands captures to the engine threads, answers.
//!
//! Must never see: an opened key, features. Invariants: a capture is admitted by trying, never by waiting; nothing in the clear
//! but the request itself crosses an await.

use crate::{
    queue::{Job, NotAdmitted, Queue},
    renewal,
    room::Room,
    rotation, tenant_secrets,
    work::{Answer, Capture, Given, Work},
};
use biometrics::TenantId;
use service::deadline::Deadline;
use std::{mem, sync::Arc, time::Duration};
use tokio::{sync::oneshot, task::spawn_blocking};
use tonic::{Request, Response, Status, async_trait};
use wire::{Reason, convert, v1};

/// When a caller that met a full queue is asked to come back, in seconds.
const OVERLOAD_RETRY_S: u32 = 1;

/// See the module.
#[derive(Clone)]
pub(crate) struct Inference {
    room: Arc<Room>,
    queue: Arc<Queue>,
}

impl Inference {
    /// The service over one room and its queue.
    pub(crate) const fn new(room: Arc<Room>, queue: Arc<Queue>) -> Self {
        Self { room, queue }
    }

    async fn submit(&self, work: Work, deadline: Duration) -> Result<Answer, Reason> {
        let (reply, answer) = oneshot::channel();
        self.queue.offer(Job { work, deadline, reply }).map_err(|refused| match refused {
            NotAdmitted::Full => Reason::Overloaded { retry_s: OVERLOAD_RETRY_S },
            NotAdmitted::Closed => Reason::Draining,
        })?;
        // A job is dropped unanswered only when its deadline passed or its thread ended.
        answer.await.unwrap_or_else(|_| {
            let late = self.room.clock.monotonic() >= deadline;
            Err(if late { Reason::DeadlineExceeded } else { Reason::Internal })
        })
    }

    /// Key work that needs no engine, on a thread that may block.
    async fn with_keys<A: Send + 'static>(
        &self,
        work: impl FnOnce(&Room) -> Result<A, Reason> + Send + 'static,
    ) -> Result<A, Reason> {
        let room = Arc::clone(&self.room);
        spawn_blocking(move || work(&room)).await.unwrap_or(Err(Reason::Internal))
    }
}

#[async_trait]
impl v1::inference_service_server::InferenceService for Inference {
    async fn enroll(
        &self,
        request: Request<v1::InferenceServiceEnrollRequest>,
    ) -> Result<Response<v1::InferenceServiceEnrollResponse>, Status> {
        let deadline = deadline_of(&request)?;
        let mut request = request.into_inner();
        let capture = Capture::new(mem::take(&mut request.frames));
        let context = convert::required(request.context.take(), "context")?;
        match self.submit(Work::Enroll { context, capture }, deadline).await? {
            Answer::Enroll(answer) => Ok(Response::new(answer)),
            Answer::Verify(_) => Err(Reason::Internal.into()),
        }
    }

    async fn verify(
        &self,
        request: Request<v1::InferenceServiceVerifyRequest>,
    ) -> Result<Response<v1::InferenceServiceVerifyResponse>, Status> {
        let deadline = deadline_of(&request)?;
        let mut request = request.into_inner();
        let capture = Capture::new(mem::take(&mut request.frames));
        let context = convert::required(request.context.take(), "context")?;
        let given = Box::new(Given {
            reference: convert::required(request.reference.take(), "reference")?,
            successor: match request.successor.take() {
                Some(row) => Some((row, convert::required(request.successor_secrets.take(), "successor_secrets")?)),
                None => None,
            },
            present_secrets: request.present_secrets.take(),
        });
        match self.submit(Work::Verify { context, capture, given }, deadline).await? {
            Answer::Verify(answer) => Ok(Response::new(answer)),
            Answer::Enroll(_) => Err(Reason::Internal.into()),
        }
    }

    async fn make_tenant_secrets(
        &self,
        request: Request<v1::MakeTenantSecretsRequest>,
    ) -> Result<Response<v1::MakeTenantSecretsResponse>, Status> {
        let tenant: TenantId = convert::parsed(&request.into_inner().tenant_id, "tenant_id")?;
        let secrets = self.with_keys(move |room| tenant_secrets::make(&room.keys, tenant)).await?;
        Ok(Response::new(v1::MakeTenantSecretsResponse { secrets: Some(secrets) }))
    }

    async fn rewrap(&self, request: Request<v1::RewrapRequest>) -> Result<Response<v1::RewrapResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.with_keys(move |room| rotation::rewrap(&room.keys, request)).await?))
    }

    async fn describe_kek(
        &self,
        request: Request<v1::DescribeKekRequest>,
    ) -> Result<Response<v1::DescribeKekResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.with_keys(move |room| rotation::describe_kek(&room.keys, &request)).await?))
    }

    async fn make_kek(&self, request: Request<v1::MakeKekRequest>) -> Result<Response<v1::MakeKekResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.with_keys(move |room| rotation::make_kek(&room.keys, &request)).await?))
    }

    async fn destroy_kek(
        &self,
        request: Request<v1::DestroyKekRequest>,
    ) -> Result<Response<v1::DestroyKekResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.with_keys(move |room| rotation::destroy_kek(room, &request)).await?))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        let request = request.into_inner();
        let reference = self.with_keys(move |room| renewal::renew(room, request)).await?;
        Ok(Response::new(v1::RenewResponse { reference: Some(reference) }))
    }

    async fn describe(&self, _: Request<v1::DescribeRequest>) -> Result<Response<v1::DescribeResponse>, Status> {
        Ok(Response::new(self.room.describe()))
    }
}

/// The caller's deadline, which the layer before this service has made sure of.
fn deadline_of<T>(request: &Request<T>) -> Result<Duration, Reason> {
    request.extensions().get::<Deadline>().map(|deadline| deadline.at).ok_or(Reason::DeadlineRequired)
}
