//! Tests of `kms`.
