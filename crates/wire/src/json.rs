//! Strict reading of proto3 JSON. Must never let two readers disagree about one body.
//!
//! Invariant: a body that parses has no duplicate key in any object at any depth and no field its message does not know.
//! Bytes are base64, either alphabet, as the proto3 JSON mapping says.

use crate::Reason;
use serde::de::{Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::{collections::HashSet, fmt};

/// Most keys of one object: far more than any message has, so that remembering them stays cheap.
const MAX_KEYS: usize = 256;

/// Reads one message.
///
/// # Errors
/// `MALFORMED_JSON` with line and column, from 1: no JSON, a duplicate key, an unknown field, a value of another type.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reason> {
    let refused = |error: serde_json::Error| Reason::MalformedJson { line: error.line(), column: error.column() };
    serde_json::from_slice::<UniqueKeys>(body).map_err(refused)?;
    serde_json::from_slice(body).map_err(refused)
}

/// Any JSON value whose objects have no duplicate keys; keeps nothing of it.
struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self.deserialize(deserializer)
    }
}

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = Self;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Self;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !seen.insert(key) || seen.len() > MAX_KEYS {
                return Err(A::Error::custom("duplicate or too many keys"));
            }
            map.next_value::<Self>()?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
