//! A tenant's backend, or a device, calling a cluster over TLS: raw generated client, so that wrong calls can be made too.

use crate::cluster::Cluster;
use anyhow::{Context, Result};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
use tonic::{
    Request, Status,
    metadata::MetadataValue,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use tonic_types::StatusExt;
use wire::v1::{self, verification_service_client::VerificationServiceClient};

/// The nonce that tests give with their challenges.
pub const NONCE: [u8; 32] = *b"a nonce of a test, 32 bytes long";

/// A credential and a connection.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The generated client.
    pub client: VerificationServiceClient<Channel>,
    /// What stands behind `Bearer`.
    pub credential: String,
    /// The deadline of every call; `None` sends none.
    pub deadline: Option<Duration>,
}

/// A tenant and an API key of it.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// `tn_…`
    pub id: String,
    /// `cs_test_…` or `cs_live_…`
    pub api_key: String,
    /// The part of the key that names it.
    pub key_id: String,
}

/// The action of most tests.
#[must_use]
pub fn action() -> v1::Action {
    v1::Action {
        r#type: "withdrawal".into(),
        amount: "250.00".into(),
        currency: "EUR".into(),
        payee: "DE02120300000000202051".into(),
        fields: BTreeMap::from([("memo".to_owned(), "rent".to_owned())]),
    }
}

/// The consent of most tests.
#[must_use]
pub fn consent() -> v1::Consent {
    v1::Consent {
        text_sha256: vec![7; 32],
        locale: "en".into(),
        version: "1".into(),
        given_at: Some(wire::convert::timestamp(1_700_000_000_000)),
    }
}

/// A request for a passive challenge over [`action`].
#[must_use]
pub fn challenge(user: &str, purpose: v1::Purpose) -> v1::CreateChallengeRequest {
    v1::CreateChallengeRequest {
        user_id: user.to_owned(),
        purpose: purpose.into(),
        action: Some(action()),
        rp_nonce: NONCE.to_vec(),
        mode: v1::CaptureMode::Passive.into(),
        ..v1::CreateChallengeRequest::default()
    }
}

/// The stable reason code of a refusal to decide.
#[must_use]
pub fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map_or_else(|| "NONE".to_owned(), |info| info.reason.clone())
}

impl Caller {
    /// Connects to a cluster's gateway.
    ///
    /// # Errors
    /// Where no connection comes about.
    pub async fn connect(cluster: &Cluster, credential: &str) -> Result<Self> {
        Self::connect_to(cluster, cluster.gateway.address, credential).await
    }

    /// Connects to one of several gateways of a cluster.
    ///
    /// # Errors
    /// Where no connection comes about.
    pub async fn connect_to(cluster: &Cluster, gateway: SocketAddr, credential: &str) -> Result<Self> {
        let ca = Certificate::from_pem(std::fs::read(cluster.ca())?);
        let tls = ClientTlsConfig::new().ca_certificate(ca).domain_name("localhost");
        let url = format!("https://localhost:{}", gateway.port());
        let endpoint = Endpoint::from_shared(url)?.tls_config(tls)?.connect_timeout(Duration::from_secs(5));
        let client = VerificationServiceClient::new(endpoint.connect().await.context("no connection to the gateway")?);
        let client = client.max_encoding_message_size(64 << 20);
        Ok(Self { client, credential: credential.to_owned(), deadline: Some(Duration::from_secs(30)) })
    }

    /// The same connection under another credential, such as a capture token.
    #[must_use]
    pub fn with(&self, credential: &str) -> Self {
        Self { credential: credential.to_owned(), ..self.clone() }
    }

    /// A request with this caller's credential and deadline.
    #[must_use]
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Ok(value) = MetadataValue::try_from(format!("Bearer {}", self.credential)) {
            request.metadata_mut().insert("authorization", value);
        }
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline);
        }
        request
    }

    /// Opens a challenge.
    ///
    /// # Errors
    /// The gateway's status.
    pub async fn create_challenge(
        &mut self,
        request: v1::CreateChallengeRequest,
    ) -> Result<v1::CreateChallengeResponse, Box<Status>> {
        let request = self.request(request);
        Ok(self.client.create_challenge(request).await.map_err(Box::new)?.into_inner())
    }

    /// Answers a challenge of purpose ENROLL.
    ///
    /// # Errors
    /// The gateway's status.
    pub async fn enroll(&mut self, challenge: &str, frames: Vec<v1::Frame>) -> Result<v1::EnrollResponse, Box<Status>> {
        let request = self.request(v1::EnrollRequest {
            challenge_id: challenge.to_owned(),
            action: Some(action()),
            frames,
            consent: Some(consent()),
            ..v1::EnrollRequest::default()
        });
        Ok(self.client.enroll(request).await.map_err(Box::new)?.into_inner())
    }

    /// Answers a challenge of purpose VERIFY.
    ///
    /// # Errors
    /// The gateway's status.
    pub async fn verify(&mut self, challenge: &str, frames: Vec<v1::Frame>) -> Result<v1::VerifyResponse, Box<Status>> {
        self.verify_action(challenge, frames, action()).await
    }

    /// Answers a challenge of purpose VERIFY with the action as a device displayed it.
    ///
    /// # Errors
    /// The gateway's status.
    pub async fn verify_action(
        &mut self,
        challenge: &str,
        frames: Vec<v1::Frame>,
        action: v1::Action,
    ) -> Result<v1::VerifyResponse, Box<Status>> {
        let request = self.request(v1::VerifyRequest {
            challenge_id: challenge.to_owned(),
            action: Some(action),
            frames,
            consent: Some(consent()),
            ..v1::VerifyRequest::default()
        });
        Ok(self.client.verify(request).await.map_err(Box::new)?.into_inner())
    }

    /// A fresh ENROLL challenge and its answer.
    ///
    /// # Errors
    /// The gateway's status.
    pub async fn enroll_user(&mut self, user: &str, frames: Vec<v1::Frame>) -> Result<v1::EnrollResponse, Box<Status>> {
        let opened = self.create_challenge(challenge(user, v1::Purpose::Enroll)).await?;
        self.enroll(&opened.challenge_id, frames).await
    }

    /// A fresh VERIFY challenge and its answer, with the challenge's id.
    ///
    /// # Errors
    /// The gateway's status.
    pub async fn verify_user(
        &mut self,
        user: &str,
        frames: Vec<v1::Frame>,
    ) -> Result<(String, v1::VerifyResponse), Box<Status>> {
        let opened = self.create_challenge(challenge(user, v1::Purpose::Verify)).await?;
        let answer = self.verify(&opened.challenge_id, frames).await?;
        Ok((opened.challenge_id, answer))
    }

    /// Destroys a user's reference.
    ///
    /// # Errors
    /// The gateway's status.
    pub async fn delete(&mut self, user: &str) -> Result<v1::DeleteReferenceResponse, Box<Status>> {
        let message = v1::DeleteReferenceRequest { user_id: user.to_owned(), cause: "user-request".to_owned() };
        let request = self.request(message);
        Ok(self.client.delete_reference(request).await.map_err(Box::new)?.into_inner())
    }
}
