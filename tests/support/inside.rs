//! Calling a worker as only a gateway may: with the gateway's certificate, over mutual TLS.
//!
//! Invariant: what is asked here is asked of the real process, so that no test opens a reference by other means than the product.

use crate::cluster::Cluster;
use anyhow::{Context, Result};
use std::{fs, time::Duration};
use store::SealedRow;
use tonic::{
    Request,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use wire::v1::{self, inference_service_client::InferenceServiceClient};

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to the cluster's first worker.
///
/// # Errors
/// Where none comes about.
pub async fn connect(cluster: &Cluster) -> Result<InferenceServiceClient<Channel>> {
    let tls = cluster.folder().join("tls");
    let identity = Identity::from_pem(fs::read(tls.join("gateway.pem"))?, fs::read(tls.join("gateway.key"))?);
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(fs::read(cluster.ca())?))
        .identity(identity)
        .domain_name("worker.countersign.internal");
    let worker = cluster.workers.first().context("no worker")?;
    let endpoint = Endpoint::from_shared(format!("https://{}", worker.address))?.tls_config(tls)?;
    Ok(InferenceServiceClient::new(endpoint.connect().await.context("no connection to the worker")?))
}

/// A message with a deadline.
#[must_use]
pub fn ask<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(PATIENCE);
    request
}

/// A stored reference as a gateway sends it.
#[must_use]
pub fn on_the_wire(row: &SealedRow) -> v1::SealedReference {
    v1::SealedReference {
        reference_id: row.id.to_string(),
        epoch: row.epoch,
        feature_space: row.feature_space.clone(),
        transform_version: row.transform_version,
        schema: row.schema,
        kek_version: row.kek_version,
        wrapped_dek: row.wrapped_dek.clone(),
        ciphertext: row.ciphertext.clone(),
        commitment: row.commitment.to_vec(),
    }
}
