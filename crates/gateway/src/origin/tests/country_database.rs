//! Writes country databases as "MaxMind DB File Format Specification" 2.0 lays them out: a search tree over the bits of IPv6
//! addresses (IPv4 below ::/96) in records of 24 bits, 16 zeros, the data, the metadata behind their mark.

use ipnet::IpNet;
use std::net::IpAddr;

/// A database that gives these networks these codes. Networks must not contain one another.
pub(super) fn country_database(countries: &[(&str, &str)]) -> Vec<u8> {
    // A record: where it leads, another node (`Ok`) or a place in the data (`Err`).
    let mut nodes: Vec<[Option<Result<usize, usize>>; 2]> = vec![[None; 2]];
    let mut data = Vec::new();
    for (net, code) in countries {
        let (bits, length) = bits(net.parse().unwrap());
        let mut at = 0;
        for depth in 0..length {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                nodes[at][side] = Some(Err(data.len()));
            } else if let Some(Ok(next)) = nodes[at][side] {
                at = next;
            } else {
                nodes.push([None; 2]);
                let next = nodes.len() - 1;
                nodes[at][side] = Some(Ok(next));
                at = next;
            }
        }
        data.extend(map(&[("country", map(&[("iso_code", text(code))]))]));
    }
    let mut file = Vec::new();
    for record in nodes.iter().flatten() {
        let value = match record {
            Some(Ok(node)) => *node,
            Some(Err(place)) => nodes.len() + 16 + place,
            None => nodes.len(),
        };
        file.extend(&value.to_be_bytes()[5..]);
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(map(&[
        ("node_count", number(6, nodes.len() as u64)),
        ("record_size", number(5, 24)),
        ("ip_version", number(5, 6)),
        ("database_type", text("Test-Country")),
        ("languages", vec![0, 4]),
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", [&[8, 2][..], &1_700_000_000_u64.to_be_bytes()].concat()),
        ("description", map(&[])),
    ]));
    file
}

fn bits(net: IpNet) -> (u128, u8) {
    match net.network() {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 96 + net.prefix_len()),
        IpAddr::V6(address) => (address.to_bits(), net.prefix_len()),
    }
}

/// Type 2, of fewer than 29 bytes.
fn text(text: &str) -> Vec<u8> {
    [&[2 << 5 | u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

/// Type 7.
fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let head = vec![7 << 5 | u8::try_from(entries.len()).unwrap()];
    entries.iter().fold(head, |all, (name, value)| [all, text(name), value.clone()].concat())
}

/// Types 5 (2 bytes) and 6 (4 bytes).
fn number(kind: u8, value: u64) -> Vec<u8> {
    let size = if kind == 5 { 2 } else { 4 };
    [&[kind << 5 | size], &value.to_be_bytes()[8 - usize::from(size)..]].concat()
}
