//! Where a call comes from: the peer's address, or what the operator's own proxies say of it, and its country where a database
//! tells.
//!
//! Must never know: anything else of a device. Invariants: a header is believed only from a configured proxy; an address goes to
//! the audit and nowhere else, least of all to the log.

use crate::{GatewayError, config};
use http::HeaderMap;
use ipnet::IpNet;
use maxminddb::{Reader, path};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};
use store::AuditBody;

/// The header that proxies add the address of their peer to.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// What tells where calls come from.
pub(crate) struct Origins {
    proxies: Vec<IpNet>,
    countries: Option<Reader<Vec<u8>>>,
}

/// Where one call comes from.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    ip: Option<IpAddr>,
    /// ISO 3166-1 alpha-2, in ASCII.
    country: Option<[u8; 2]>,
}

/// An address is never printed.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").finish_non_exhaustive()
    }
}

impl Origins {
    /// Reads the country database where one is configured.
    ///
    /// # Errors
    /// `CountryDatabase` where it does not read.
    pub(crate) fn open(config: &config::Network) -> Result<Self, GatewayError> {
        let open = |path: &std::path::PathBuf| {
            Reader::open_readfile(path).map_err(|source| GatewayError::CountryDatabase { path: path.clone(), source })
        };
        Ok(Self {
            proxies: config.trusted_proxies.clone(),
            countries: config.country_database.as_ref().map(open).transpose()?,
        })
    }

    /// Where a call from this peer with these headers comes from.
    pub(crate) fn of(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Origin {
        let Some(peer) = peer.map(|peer| peer.ip().to_canonical()) else { return Origin::default() };
        let ip = self.behind(peer, headers);
        Origin { ip: Some(ip), country: self.country(ip) }
    }

    /// The nearest address that is none of our proxies, from the last that was added. What does not read ends the search.
    fn behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut nearest = peer;
        let lists = headers.get_all(FORWARDED_FOR).iter().rev().map(|list| list.to_str().unwrap_or_default());
        for added in lists.flat_map(|list| list.rsplit(',')) {
            if !self.proxies.iter().any(|proxies| proxies.contains(&nearest)) {
                break;
            }
            let Ok(address) = added.trim().parse::<IpAddr>() else { break };
            nearest = address.to_canonical();
        }
        nearest
    }

    fn country(&self, ip: IpAddr) -> Option<[u8; 2]> {
        let found = self.countries.as_ref()?.lookup(ip).ok()?;
        let code: Option<&str> = found.decode_path(&path!["country", "iso_code"]).ok()?;
        code?.as_bytes().try_into().ok()
    }
}

impl Origin {
    /// The audit's words for it.
    pub(crate) fn told(&self, mut body: AuditBody) -> AuditBody {
        if let Some(ip) = self.ip {
            body.set("ip", ip.to_string());
        }
        if let Some(country) = self.country.as_ref().and_then(|code| std::str::from_utf8(code).ok()) {
            body.set("country", country);
        }
        body
    }
}

#[cfg(test)]
mod tests;
