//! Hosts that no location names in good faith: the services by which a cloud tells a machine its own
//! secrets. They answer whoever asks from that machine, so a URI of somebody else's must not make us
//! ask.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names of metadata services, in lower case.
const NAMES: [&str; 4] =
    ["metadata.google.internal", "metadata.goog", "metadata", "instance-data.ec2.internal"];
/// Addresses of metadata services that are not link-local: Alibaba, Azure, Oracle, AWS over IPv6.
const ADDRESSES_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const ADDRESS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
/// Well-known prefix of IPv4 addresses within IPv6 (NAT64, RFC 6052).
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// Whether a host of a URI is a metadata service or link-local, by name or by address in any spelling that
/// a resolver takes (`2852039166`, `0xa9.254.43518`, `[::ffff:a9fe:a9fe]`).
pub fn is_metadata_host(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&host);
    // Zones (`fe80::1%eth0`) are no part of the address.
    let address = bare.split('%').next().unwrap_or_default();
    if let Ok(address) = address.parse::<Ipv6Addr>() {
        return is_metadata_address(IpAddr::V6(address));
    }
    match url::Host::parse(&host) {
        Ok(url::Host::Ipv4(address)) => is_metadata_address(IpAddr::V4(address)),
        Ok(url::Host::Ipv6(address)) => is_metadata_address(IpAddr::V6(address)),
        _ => NAMES.contains(&host.as_str()),
    }
}

/// Whether an address is that of a metadata service, or link-local.
pub fn is_metadata_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() || ADDRESSES_V4.contains(&address),
        IpAddr::V6(address) => {
            let embedded = embedded_v4(address);
            address.is_unicast_link_local()
                || address == ADDRESS_V6
                || embedded.is_some_and(|address| is_metadata_address(IpAddr::V4(address)))
        }
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, 6to4 or NAT64.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let join = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    if let Some(mapped) = address.to_ipv4_mapped() {
        return Some(mapped);
    }
    if parts.starts_with(&NAT64) {
        return Some(join(parts[6], parts[7]));
    }
    (parts[0] == 0x2002).then(|| join(parts[1], parts[2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_services_are_known_in_every_spelling() {
        for host in [
            "169.254.169.254",
            "169.254.1.2",
            "2852039166",
            "0xA9FEA9FE",
            "0251.0376.0251.0376",
            "169.254.43518",
            "169.254.169.254.",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "::ffff:a9fe:a9fe",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:a9fe:a9fe::1]",
            "[fe80::1]",
            "[fe80::1%25eth0]",
            "[fd00:ec2::254]",
            "100.100.100.200",
            "168.63.129.16",
            "metadata.google.internal",
            "Metadata.Google.Internal.",
        ] {
            assert!(is_metadata_host(host), "{host}");
        }
        for host in [
            "example.com",
            "127.0.0.1",
            "10.0.0.1",
            "[::1]",
            "169.255.0.1",
            "bucket",
            "",
            "metadata-store",
        ] {
            assert!(!is_metadata_host(host), "{host}");
        }
    }
}
