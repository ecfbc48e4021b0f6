//! `VerificationService` as gRPC: each method takes its call and hands it to the use case of the same name.
//!
//! Must never know: what a method does. Invariant: one line for one method, so that JSON and gRPC cannot differ.

use crate::{call::Call, gateway::Gateway};
use std::sync::Arc;
use tonic::{Request, Response, Status};
use wire::{
    Reason,
    frames::MAX_MESSAGE_BYTES,
    v1::{
        self,
        verification_service_server::{VerificationService, VerificationServiceServer},
    },
};

/// The service, with room for the largest request that the contract allows. One byte more is refused by the codec.
pub(crate) fn service(gateway: Arc<Gateway>) -> VerificationServiceServer<impl VerificationService> {
    VerificationServiceServer::new(Front(gateway)).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

struct Front(Arc<Gateway>);

fn opened<T>(request: Request<T>) -> Result<(Call, T), Reason> {
    Ok((Call::of(request.extensions())?, request.into_inner()))
}

#[tonic::async_trait]
impl VerificationService for Front {
    async fn create_challenge(
        &self,
        request: Request<v1::CreateChallengeRequest>,
    ) -> Result<Response<v1::CreateChallengeResponse>, Status> {
        let (call, message) = opened(request)?;
        let work = self.0.create_challenge(&call, message);
        Ok(Response::new(self.0.answer("CreateChallenge", &call, work).await?))
    }

    async fn enroll(&self, request: Request<v1::EnrollRequest>) -> Result<Response<v1::EnrollResponse>, Status> {
        let (call, message) = opened(request)?;
        let work = self.0.enroll(&call, message);
        Ok(Response::new(self.0.answer("Enroll", &call, work).await?))
    }

    async fn verify(&self, request: Request<v1::VerifyRequest>) -> Result<Response<v1::VerifyResponse>, Status> {
        let (call, message) = opened(request)?;
        let work = self.0.verify(&call, message);
        Ok(Response::new(self.0.answer("Verify", &call, work).await?))
    }

    async fn get_reference(
        &self,
        request: Request<v1::GetReferenceRequest>,
    ) -> Result<Response<v1::GetReferenceResponse>, Status> {
        let (call, message) = opened(request)?;
        let work = self.0.get_reference(&call, message);
        Ok(Response::new(self.0.answer("GetReference", &call, work).await?))
    }

    async fn delete_reference(
        &self,
        request: Request<v1::DeleteReferenceRequest>,
    ) -> Result<Response<v1::DeleteReferenceResponse>, Status> {
        let (call, message) = opened(request)?;
        let work = self.0.delete_reference(&call, message);
        Ok(Response::new(self.0.answer("DeleteReference", &call, work).await?))
    }

    async fn revoke_receipt(
        &self,
        request: Request<v1::RevokeReceiptRequest>,
    ) -> Result<Response<v1::RevokeReceiptResponse>, Status> {
        let (call, message) = opened(request)?;
        let work = self.0.revoke_receipt(&call, message);
        Ok(Response::new(self.0.answer("RevokeReceipt", &call, work).await?))
    }
}
