//! The claims of a status list and its packing: one bit an index, zlib, base64url (draft §4.1, §4.2, §5.1).
//!
//! Must never know: keys, time. Invariant: nothing unpacks to more than [`MAX_LIST_BYTES`], whatever was packed.

use crate::{base64url, from_base64url, permutation::LIST_ENTRIES, refused::StatusFault};
use flate2::{Compression, bufread::ZlibDecoder, write::ZlibEncoder};
use serde::{Deserialize, Serialize};
use std::io::{Read as _, Write as _};

/// Largest list, unpacked, in bytes: two bits for each of 2^20 indexes.
pub const MAX_LIST_BYTES: usize = 256 * 1024;

/// Claims of a status list token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusListClaims {
    /// Issuer of the ledger; its keys are in the ledger key set.
    pub iss: String,
    /// Address of this list, as receipts name it.
    pub sub: String,
    /// Signed at, in seconds since 1970.
    pub iat: i64,
    /// Not to be used after, in seconds since 1970.
    pub exp: i64,
    /// How long a copy may be kept, in seconds, from `iat` on.
    pub ttl: i64,
    /// The list.
    pub status_list: PackedList,
}

/// A packed list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedList {
    /// Bits of each index: 1, 2, 4 or 8.
    pub bits: u8,
    /// The list, packed with zlib, base64url.
    pub lst: String,
}

/// Whose list it is, where and for how long.
#[derive(Debug, Clone, Copy)]
pub struct StatusListPlace<'a> {
    /// Issuer of the ledger.
    pub iss: &'a str,
    /// Address of the list.
    pub uri: &'a str,
    /// Signed at, in seconds since 1970.
    pub iat: i64,
    /// How long a copy may be kept, in seconds.
    pub ttl: i64,
    /// How long after `iat` the list ends, in seconds; at least `ttl`.
    pub life: i64,
}

impl StatusListClaims {
    /// The claims of a list of [`LIST_ENTRIES`] indexes, one bit each, of which `revoked` are INVALID.
    ///
    /// # Errors
    /// [`StatusFault::Index`] for an index that no list has, [`StatusFault::Encoding`] where packing fails.
    pub fn new(place: StatusListPlace<'_>, revoked: impl IntoIterator<Item = u32>) -> Result<Self, StatusFault> {
        let mut bytes = vec![0_u8; LIST_ENTRIES as usize / 8];
        for index in revoked {
            let byte = usize::try_from(index / 8).ok().and_then(|at| bytes.get_mut(at)).ok_or(StatusFault::Index)?;
            *byte |= 1 << (index % 8);
        }
        let StatusListPlace { iss, uri, iat, ttl, life } = place;
        Ok(Self {
            iss: iss.to_owned(),
            sub: uri.to_owned(),
            iat,
            exp: iat.saturating_add(life),
            ttl,
            status_list: PackedList { bits: 1, lst: pack(&bytes)? },
        })
    }
}

impl PackedList {
    /// Bits of each index, and the bytes.
    pub(super) fn unpack(&self) -> Result<(u8, Vec<u8>), StatusFault> {
        if !matches!(self.bits, 1 | 2 | 4 | 8) {
            return Err(StatusFault::Bits);
        }
        let packed = from_base64url(&self.lst).ok_or(StatusFault::Encoding)?;
        let mut reader = ZlibDecoder::new(packed.as_slice()).take(MAX_LIST_BYTES as u64 + 1);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|_| StatusFault::Encoding)?;
        if bytes.len() > MAX_LIST_BYTES {
            return Err(StatusFault::TooLarge);
        }
        let behind = reader.into_inner().into_inner();
        if behind.is_empty() { Ok((self.bits, bytes)) } else { Err(StatusFault::Encoding) }
    }
}

fn pack(bytes: &[u8]) -> Result<String, StatusFault> {
    let mut writer = ZlibEncoder::new(Vec::new(), Compression::best());
    let packed = writer.write_all(bytes).and_then(|()| writer.finish());
    packed.map(|packed| base64url(&packed)).map_err(|_| StatusFault::Encoding)
}
