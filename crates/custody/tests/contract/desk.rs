//! A provider with nothing in it yet, and how to open it a second time, as another process would.

use custody::{Kms, KmsConfig};
use service::Clock;
use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt as _};

pub(crate) const NOW_S: i64 = 1_800_000_000;

/// See the module.
pub(crate) struct Desk {
    pub(crate) kms: Kms,
    pub(crate) config: KmsConfig,
    pub(crate) clock: Clock,
    /// First byte of what the provider wraps.
    pub(crate) format: u8,
    /// Whether it counts uses.
    pub(crate) counts: bool,
    _folder: Option<tempfile::TempDir>,
}

impl Desk {
    pub(crate) fn of_files() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("keys");
        DirBuilder::new().mode(0o700).create(&directory).unwrap();
        Kms::make_room_for_keks(&directory).unwrap();
        Self { _folder: Some(folder), ..Self::open(KmsConfig::File { directory }, (1, true)) }
    }

    pub(crate) fn open(config: KmsConfig, (format, counts): (u8, bool)) -> Self {
        let clock = Clock::manual(NOW_S * 1000);
        let kms = Kms::open(&config, clock.clone()).unwrap();
        Self { kms, config, clock, format, counts, _folder: None }
    }

    /// The same keys, opened anew.
    pub(crate) fn again(&self) -> Kms {
        Kms::open(&self.config, self.clock.clone()).unwrap()
    }
}
