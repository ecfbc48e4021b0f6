//! The gateway over real TLS, gRPC and JSON, on a real database, with a stand-in for the worker at the other end of a real
//! mTLS connection. What needs models and keys is tested end to end in `tests/`.

mod attempts;
mod credentials;
mod drain;
mod erasure;
mod fronts;
mod house;
mod http;
mod limits;
mod log;
mod peer;
mod replay;
mod revocation;
mod succession;
mod tenancy;
mod tenant_life;
mod told;
mod workers;
