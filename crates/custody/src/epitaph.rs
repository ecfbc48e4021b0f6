//! What stays of a destroyed KEK version: when it was made, when destroyed, how often it may have wrapped. 24 bytes.
//!
//! Must never know: where it is written. Invariant: it holds nothing of the key.

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epitaph {
    pub(crate) made_at_s: i64,
    pub(crate) destroyed_at_s: i64,
    pub(crate) uses: u64,
}

impl Epitaph {
    /// Bytes of its encoding: three numbers of eight bytes, big endian.
    pub(crate) const LEN: usize = 24;

    pub(crate) fn encode(self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..8].copy_from_slice(&self.made_at_s.to_be_bytes());
        out[8..16].copy_from_slice(&self.destroyed_at_s.to_be_bytes());
        out[16..].copy_from_slice(&self.uses.to_be_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (made, rest) = bytes.split_first_chunk::<8>()?;
        let (destroyed, rest) = rest.split_first_chunk::<8>()?;
        let uses = u64::from_be_bytes(rest.try_into().ok()?);
        Some(Self { made_at_s: i64::from_be_bytes(*made), destroyed_at_s: i64::from_be_bytes(*destroyed), uses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epitaph_reads_back_and_another_length_does_not_read() {
        let epitaph = Epitaph { made_at_s: -1, destroyed_at_s: 1_800_000_000, uses: 1 << 40 };
        assert_eq!(Epitaph::decode(&epitaph.encode()), Some(epitaph));
        assert_eq!(Epitaph::decode(&epitaph.encode()[..23]), None);
        assert_eq!(Epitaph::decode(&[0; 25]), None);
    }
}
