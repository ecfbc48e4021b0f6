//! Whose address it is, and what a country database of the real format says of it.

mod country_database;

use super::*;
use country_database::country_database;

fn of(peer: &str, forwarded: &[&str]) -> String {
    let proxies = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).to_vec();
    let origins = Origins { proxies, countries: None };
    let mut headers = HeaderMap::new();
    for list in forwarded {
        headers.append(FORWARDED_FOR, list.parse().unwrap());
    }
    origins.of(Some(peer.parse().unwrap()), &headers).ip.unwrap().to_string()
}

#[test]
fn a_stranger_who_says_that_he_is_somebody_else_is_not_believed() {
    assert_eq!(of("203.0.113.9:1", &["198.51.100.1"]), "203.0.113.9");
}

#[test]
fn behind_our_proxies_stands_whoever_they_saw_last() {
    assert_eq!(of("10.0.0.1:1", &["198.51.100.1"]), "198.51.100.1", "positive control");
    assert_eq!(of("10.0.0.1:1", &["6.6.6.6, 198.51.100.1, 10.9.9.9"]), "198.51.100.1", "what came before is hearsay");
    assert_eq!(of("10.0.0.1:1", &["6.6.6.6", "198.51.100.1"]), "198.51.100.1", "a header in two lines is one list");
    assert_eq!(of("[::ffff:10.0.0.1]:1", &["2001:db8::1"]), "2001:db8::1");
    assert_eq!(of("10.0.0.1:1", &["198.51.100.1, unknown"]), "10.0.0.1");
    assert_eq!(of("10.0.0.1:1", &[]), "10.0.0.1");
}

#[test]
fn an_address_is_never_printed() {
    let origin = Origin { ip: Some("203.0.113.9".parse().unwrap()), country: Some(*b"CH") };
    assert!(!format!("{origin:?}").contains("203"));
    let told = format!("{:?}", origin.told(AuditBody::default()));
    assert!(told.contains("203.0.113.9") && told.contains("CH"), "control: the audit is told");
}

fn country(database: &[u8], peer: &str) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("countries.mmdb");
    std::fs::write(&path, database).unwrap();
    let network = config::Network { country_database: Some(path), ..Default::default() };
    let origin = Origins::open(&network).unwrap().of(Some(peer.parse().unwrap()), &HeaderMap::new());
    let told = format!("{:?}", origin.told(AuditBody::default()));
    told.split("\"country\": String(\"").nth(1).map(|rest| rest[..2].to_owned())
}

#[test]
fn the_country_of_an_address_is_what_the_database_says_and_nothing_where_it_says_nothing() {
    let database = country_database(&[("203.0.113.0/24", "NZ"), ("198.51.100.128/25", "CH"), ("2001:db8::/32", "IS")]);
    let found = |peer| country(&database, peer);
    assert_eq!(found("203.0.113.9:1").as_deref(), Some("NZ"));
    assert_eq!(found("[::ffff:203.0.113.9]:1").as_deref(), Some("NZ"));
    assert_eq!(found("198.51.100.200:1").as_deref(), Some("CH"));
    assert_eq!(found("[2001:db8::9]:1").as_deref(), Some("IS"));
    for nobodys in ["198.51.100.9:1", "203.0.112.9:1", "[2001:db9::9]:1"] {
        assert_eq!(found(nobodys), None, "{nobodys}");
    }
    let word = country_database(&[("203.0.113.0/24", "New Zealand")]);
    assert_eq!(country(&word, "203.0.113.9:1"), None, "no code of two letters");
}

#[test]
fn a_country_database_that_does_not_read_is_named_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("countries.mmdb");
    let network = config::Network { country_database: Some(path.clone()), ..Default::default() };
    let whole = country_database(&[("203.0.113.0/24", "NZ")]);
    for broken in [None, Some(&b""[..]), Some(&b"GeoIP"[..]), Some(&whole[..whole.len() / 2])] {
        if let Some(bytes) = broken {
            std::fs::write(&path, bytes).unwrap();
        }
        let refused = Origins::open(&network).err().unwrap();
        assert!(refused.to_string().contains("countries.mmdb"), "{refused}");
    }
}
