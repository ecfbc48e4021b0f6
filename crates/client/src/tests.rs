//! The client against a service over real TLS, with the receipts of the committed vectors.

mod answers;
mod calls;
mod scripted;
