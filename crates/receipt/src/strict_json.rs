//! JSON with one reading: a member named twice, at any depth, is refused before anything looks at the values.
//!
//! Must never know: what the JSON means. Invariant: a value that comes out had no duplicate members and no trailing data.

use crate::refused::Malformed;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{cell::Cell, fmt};

/// Parses one JSON value (RFC 8259), depth limited by the parser.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Malformed> {
    let duplicate = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let parsed = Strict(&duplicate).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    parsed.map_err(|_| if duplicate.get() { Malformed::DuplicateMember } else { Malformed::Json })
}

/// Parses one JSON object.
pub(crate) fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, Malformed> {
    match parse(bytes)? {
        Value::Object(members) => Ok(members),
        _ => Err(Malformed::Json),
    }
}

#[derive(Clone, Copy)]
struct Strict<'a>(&'a Cell<bool>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate members")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not finite"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            if object.insert(name, value).is_some() {
                self.0.set(true);
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_named_twice_is_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"b":[{"a":1,"a":2}]}"#, r#"{"a":1,"\u0061":1}"#] {
            assert_eq!(parse(text.as_bytes()), Err(Malformed::DuplicateMember), "{text}");
        }
        assert!(parse(br#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
    }

    #[test]
    fn trailing_data_and_other_shapes_are_refused() {
        for text in ["{} {}", "{}x", "", "\u{feff}{}", "{\"a\":1,}", "{'a':1}", "[NaN]", "1e999"] {
            assert_eq!(parse(text.as_bytes()), Err(Malformed::Json), "{text}");
        }
        assert_eq!(parse(b"{\"a\":\"\xff\"}"), Err(Malformed::Json));
        assert_eq!(parse_object(b"[]"), Err(Malformed::Json));
        assert_eq!(parse("[".repeat(100_000).as_bytes()), Err(Malformed::Json));
    }
}
