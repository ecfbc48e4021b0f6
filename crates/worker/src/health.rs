//! gRPC health (grpc.health.v1) in step with readiness.
//!
//! Must never know: why the worker is or is not ready. Invariant: a worker that drains, or whose engines are gone, is never
//! told SERVING.

use service::Readiness;
use tonic_health::{
    ServingStatus,
    pb::health_server::{Health, HealthServer},
    server::HealthReporter,
};
use wire::v1::inference_service_server::SERVICE_NAME;

/// The health service; it follows `readiness` until the worker drains, which is for good.
pub(crate) async fn service(readiness: Readiness) -> HealthServer<impl Health> {
    let (reporter, service) = tonic_health::server::health_reporter();
    tell(&reporter, &readiness).await;
    tokio::spawn(follow(readiness, reporter));
    service
}

async fn follow(readiness: Readiness, reporter: HealthReporter) {
    let mut changes = readiness.subscribe();
    loop {
        tell(&reporter, &readiness).await;
        if readiness.is_draining() || changes.changed().await.is_err() {
            return;
        }
    }
}

async fn tell(reporter: &HealthReporter, readiness: &Readiness) {
    let status = if readiness.is_ready() { ServingStatus::Serving } else { ServingStatus::NotServing };
    for service in ["", SERVICE_NAME] {
        reporter.set_service_status(service, status).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus as Told, health_client::HealthClient,
    };

    #[tokio::test]
    async fn health_follows_readiness_into_the_drain() {
        let readiness = Readiness::starting();
        let mut client = HealthClient::new(service(readiness.clone()).await);
        let mut told = async |wanted: Told| {
            for service in ["", SERVICE_NAME] {
                loop {
                    let request = HealthCheckRequest { service: service.to_owned() };
                    if client.check(request).await.unwrap().into_inner().status() == wanted {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
        };
        told(Told::NotServing).await;
        readiness.set_ready();
        told(Told::Serving).await;
        readiness.set_draining();
        told(Told::NotServing).await;
    }
}
