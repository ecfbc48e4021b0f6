//! Tests of the rates.
