//! Where `receipt verify` looks whether a receipt was revoked: a list in a file, or the one that the receipt names.
//!
//! Must never know: anything else of the receipt. Invariant: no list is used that the ledger has not signed for the address
//! that the receipt names; a list from the network is at most fifteen seconds old.

use crate::{fetch::Fetching, trust, whole_file};
use anyhow::Context as _;
use receipt::{ONLINE_SECONDS, Refused, StatusList, TrustedKeys};
use std::{fs, io::ErrorKind, path::PathBuf};

/// Largest list token that is read, in bytes.
const MAX_BYTES: usize = 512 * 1024;

/// Where revocation is looked up. Without either option it is not.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Revocation {
    /// Status list token. With --online it is a cache: used while it is fresh, else fetched anew and replaced.
    #[arg(long, value_name = "FILE", requires = "ledger_jwks")]
    status_list: Option<PathBuf>,
    /// Fetch the list that the receipt names.
    #[arg(long, requires = "ledger_jwks")]
    online: bool,
    /// Key set document of the ledger, which signs status lists.
    #[arg(long, value_name = "FILE", requires = "ledger_issuer")]
    ledger_jwks: Option<PathBuf>,
    /// Issuer of the ledger.
    #[arg(long, value_name = "URL")]
    ledger_issuer: Option<String>,
    #[command(flatten)]
    fetching: Fetching,
}

impl Revocation {
    /// Whether it is looked up at all.
    pub(crate) const fn is_asked(&self) -> bool {
        self.status_list.is_some() || self.online
    }

    /// The list at `uri`, fresh at `now_s`, or why it is refused.
    pub(crate) fn list(&self, uri: &str, root: &str, now_s: i64) -> anyhow::Result<Result<StatusList, Refused>> {
        let jwks = self.ledger_jwks.as_deref().context("--ledger-jwks is missing")?;
        let issuer = self.ledger_issuer.as_deref().context("--ledger-issuer is missing")?;
        let keys = match trust::keys(jwks, root, issuer)? {
            Ok(keys) => keys,
            Err(refused) => return Ok(Err(refused)),
        };
        let kept = self.kept(&keys, uri, now_s)?;
        match kept {
            Some(Ok(list)) => Ok(Ok(list)),
            Some(Err(refused)) if !self.online => Ok(Err(refused)),
            _ => self.fetched(&keys, uri, now_s),
        }
    }

    fn kept(&self, keys: &TrustedKeys, uri: &str, now_s: i64) -> anyhow::Result<Option<Result<StatusList, Refused>>> {
        let Some(path) = &self.status_list else { return Ok(None) };
        let token = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound && self.online => return Ok(None),
            read => read.with_context(|| format!("{} does not read", path.display()))?,
        };
        let list = StatusList::verify(token.trim(), keys, uri, now_s);
        Ok(Some(list.and_then(|list| self.aged(list, now_s))))
    }

    fn fetched(&self, keys: &TrustedKeys, uri: &str, now_s: i64) -> anyhow::Result<Result<StatusList, Refused>> {
        let token =
            self.fetching.fetcher()?.get(uri, MAX_BYTES)?.with_context(|| format!("{uri}: there is no list"))?;
        let token = String::from_utf8(token).with_context(|| format!("{uri} is no token"))?;
        let list = StatusList::verify(token.trim(), keys, uri, now_s).and_then(|list| self.aged(list, now_s));
        if let (Ok(_), Some(path)) = (&list, &self.status_list) {
            whole_file::replace(path, token.trim().as_bytes())?;
        }
        Ok(list)
    }

    fn aged(&self, list: StatusList, now_s: i64) -> Result<StatusList, Refused> {
        let list = if self.online { list.at_most(ONLINE_SECONDS) } else { list };
        list.check_age(now_s)?;
        Ok(list)
    }
}
