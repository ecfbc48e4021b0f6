//! `google.protobuf.Timestamp`, with JSON as the proto3 mapping writes it: RFC 3339, always normalised to `Z`.
//!
//! Must never know: clocks. Invariant: what is written reads back; an instant in any other offset reads too.

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error as _};
use serde_json::Value;

/// An instant between the years 1 and 9999.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct Timestamp {
    /// Seconds since 1970.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds after the second, 0 to 999,999,999.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let same = pbjson_types::Timestamp { seconds: self.seconds, nanos: self.nanos };
        match serde_json::to_value(same) {
            Ok(Value::String(text)) => {
                let normalised = text.strip_suffix("+00:00").map(|instant| format!("{instant}Z"));
                serializer.serialize_str(&normalised.unwrap_or(text))
            }
            _ => Err(S::Error::custom("not an instant")),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        pbjson_types::Timestamp::deserialize(deserializer)
            .map(|pbjson_types::Timestamp { seconds, nanos }| Self { seconds, nanos })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_normalised_to_z_and_reads_back_from_any_offset() {
        for (nanos, text) in [(0, "2027-01-15T08:00:00Z"), (173_000_000, "2027-01-15T08:00:00.173Z")] {
            let instant = Timestamp { seconds: 1_800_000_000, nanos };
            assert_eq!(serde_json::to_value(instant).unwrap(), text);
            assert_eq!(serde_json::from_value::<Timestamp>(text.into()).unwrap(), instant);
            let elsewhere = text.replace("08:00:00", "10:00:00").replace('Z', "+02:00");
            assert_eq!(serde_json::from_value::<Timestamp>(elsewhere.into()).unwrap(), instant);
        }
        assert!(serde_json::from_str::<Timestamp>("\"yesterday\"").is_err());
    }
}
