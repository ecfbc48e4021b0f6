//! Tests of the reference envelope.
