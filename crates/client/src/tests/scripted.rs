//! A service over real TLS whose answers are written down beforehand, and which notes what it was asked.

use crate::{Client, ClientConfig};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use receipt::{Pin, TrustedKeys};
use serde_json::Value;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tonic::{
    Request, Response, Status,
    metadata::MetadataMap,
    transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming},
};
use wire::v1::{
    self, verification_service_server::VerificationService, verification_service_server::VerificationServiceServer,
};

/// One prepared answer.
pub(crate) enum Answer {
    Status(Status),
    Challenge(v1::CreateChallengeResponse),
    Enroll(v1::EnrollResponse),
    Verify(v1::VerifyResponse),
    Reference(v1::GetReferenceResponse),
    Deletion(v1::DeleteReferenceResponse),
    Silence,
}

/// What the service was asked: metadata and, for captures, the attempt.
pub(crate) struct Asked {
    pub(crate) metadata: MetadataMap,
    pub(crate) attempt: u32,
}

#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Scripted {
    async fn next(&self, metadata: MetadataMap, attempt: u32) -> Result<Answer, Status> {
        self.asked.lock().unwrap().push(Asked { metadata, attempt });
        let answer = self.answers.lock().unwrap().pop_front();
        match answer {
            Some(Answer::Status(status)) => Err(status),
            Some(Answer::Silence) => std::future::pending().await,
            Some(answer) => Ok(answer),
            None => Err(Status::internal("the script ended")),
        }
    }
}

macro_rules! scripted {
    ($($name:ident $request:ident $response:ident $answer:ident $attempt:expr;)+) => {
        #[tonic::async_trait]
        impl VerificationService for Scripted {
            $(async fn $name(&self, request: Request<v1::$request>) -> Result<Response<v1::$response>, Status> {
                let (metadata, _, message) = request.into_parts();
                let attempt: fn(v1::$request) -> u32 = $attempt;
                match self.next(metadata, attempt(message)).await? {
                    Answer::$answer(answer) => Ok(Response::new(answer)),
                    _ => Err(Status::internal("the script expected another call")),
                }
            })+
            async fn revoke_receipt(
                &self,
                _: Request<v1::RevokeReceiptRequest>,
            ) -> Result<Response<v1::RevokeReceiptResponse>, Status> {
                Err(Status::unimplemented("not scripted"))
            }
        }
    };
}

scripted! {
    create_challenge CreateChallengeRequest CreateChallengeResponse Challenge |_| 0;
    enroll EnrollRequest EnrollResponse Enroll |request| request.attempt;
    verify VerifyRequest VerifyResponse Verify |request| request.attempt;
    get_reference GetReferenceRequest GetReferenceResponse Reference |_| 0;
    delete_reference DeleteReferenceRequest DeleteReferenceResponse Deletion |_| 0;
}

pub(crate) fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../tests/vectors/receipt.json")).unwrap()
}

fn trusted(vectors: &Value, document: &str, issuer: &str) -> TrustedKeys {
    let pin = Pin {
        issuer: vectors["issuers"][issuer].as_str().unwrap(),
        root_thumbprint: vectors["root_thumbprint"].as_str().unwrap(),
    };
    TrustedKeys::from_document(&vectors[document].to_string(), pin).unwrap()
}

pub(crate) struct Authority {
    key: KeyPair,
    params: CertificateParams,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "client tests CA");
        Self { key: KeyPair::generate().unwrap(), params }
    }
    pub(crate) fn pem(&self) -> Vec<u8> {
        self.params.self_signed(&self.key).unwrap().pem().into_bytes()
    }
    fn identity(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let cert = leaf.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        Identity::from_pem(cert.pem(), key.serialize_pem())
    }
}

pub(crate) fn config(address: SocketAddr, ca_pem: Vec<u8>) -> ClientConfig {
    let vectors = vectors();
    let now = vectors["expected"]["now"].as_i64().unwrap();
    ClientConfig {
        endpoint: format!("https://localhost:{}", address.port()),
        ca_pem,
        identity: None,
        api_key: "cs_test_planted".into(),
        trusted: trusted(&vectors, "jwks", "receipts"),
        ledger: trusted(&vectors, "ledger_jwks", "ledger"),
        deadline: Duration::from_secs(20),
        now: Arc::new(move || now),
    }
}

/// Starts the service with these answers; returns it with the configuration of a client that reaches it.
pub(crate) fn served(answers: impl IntoIterator<Item = Answer>) -> (Scripted, ClientConfig) {
    let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
    let scripted = Scripted { asked: Arc::default(), answers };
    let authority = Authority::new();
    let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let config = config(incoming.local_addr().unwrap(), authority.pem());
    let tls = ServerTlsConfig::new().identity(authority.identity());
    let router =
        Server::builder().tls_config(tls).unwrap().add_service(VerificationServiceServer::new(scripted.clone()));
    tokio::spawn(router.serve_with_incoming(incoming));
    (scripted, config)
}

/// [`served`] with a connected client.
pub(crate) async fn client(answers: impl IntoIterator<Item = Answer>) -> (Scripted, Client) {
    let (scripted, config) = served(answers);
    (scripted, Client::connect(config).await.unwrap())
}
