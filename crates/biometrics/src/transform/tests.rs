//! Tests of the keyed transform.
