//! Where this process connects for others: public addresses, and what its owner named.
//!
//! Whoever may name a URL that a server then asks could otherwise reach what only the server can: its own
//! ports, its network, the service that tells a cloud's machine its secrets. An address is judged, never a
//! name: whoever connects resolves a name once, and connects to an address that was judged, so that a name that
//! answers otherwise the second time (DNS rebinding) gains nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Ports that speak other protocols, whose servers might obey what is in a request: the list of the Fetch
/// standard ("bad port").
const OTHER_PROTOCOLS: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

/// IPv4 networks that are not public: IANA's special-purpose registry, multicast and what is reserved.
const NOT_PUBLIC_V4: &[([u8; 4], u8)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Of IPv6 only this is routed between networks.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// And of it not these: protocol assignments with Teredo (which embeds an IPv4 address of its own), and
/// documentation.
const NOT_PUBLIC_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Well-known prefix of IPv4 addresses within IPv6 (NAT64, RFC 6052).
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// One thing that the owner lets this process connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// A host by its name, in lower case, wherever it is.
    Host(String),
    /// The addresses that begin with so many bits of this one.
    Network(IpAddr, u8),
}

/// A text that is neither a host nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host, address or network: write serve.internal, 10.0.0.5 or 10.0.0.0/8")]
pub struct NotAllowable(String);

impl FromStr for Allowed {
    type Err = NotAllowable;

    fn from_str(text: &str) -> Result<Self, NotAllowable> {
        let wrong = || NotAllowable(text.to_owned());
        let plain = text.trim().trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = plain.parse::<IpAddr>() {
            return Ok(Self::Network(address, bits(address)));
        }
        if let Some((address, length)) = plain.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_error| wrong())?;
            let length: u8 = length.parse().map_err(|_error| wrong())?;
            return if length <= bits(address) {
                Ok(Self::Network(address, length))
            } else {
                Err(wrong())
            };
        }
        let host = plain.trim_end_matches('.').to_ascii_lowercase();
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        // A name of digits alone is an address in another spelling.
        let has_letter = host.bytes().any(|byte| byte.is_ascii_alphabetic());
        if has_letter && host.chars().all(is_name) { Ok(Self::Host(host)) } else { Err(wrong()) }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => f.write_str(host),
            Self::Network(address, length) => write!(f, "{address}/{length}"),
        }
    }
}

/// What may be connected to.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    allowed: Vec<Allowed>,
}

impl Egress {
    /// Public addresses, and `allowed`.
    pub fn new(allowed: Vec<Allowed>) -> Self {
        Self { allowed }
    }

    /// Whether the owner named this host, or the address that it is.
    pub fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        self.allowed.iter().any(|allowed| matches!(allowed, Allowed::Host(name) if *name == host))
            || bare.parse::<IpAddr>().is_ok_and(|address| self.names_address(address))
    }

    /// Whether this process may connect to an address that `host` leads to.
    pub fn permits(&self, host: &str, address: IpAddr) -> bool {
        is_public(address) || self.names(host) || self.names_address(address)
    }

    fn names_address(&self, address: IpAddr) -> bool {
        let leads_to = leads_to(address);
        self.allowed.iter().any(|allowed| match allowed {
            Allowed::Host(_) => false,
            Allowed::Network(network, length) => {
                within(address, *network, *length) || within(leads_to, *network, *length)
            }
        })
    }
}

/// Whether HTTP may be spoken to a port: others' protocols might take parts of a request for their own.
pub fn is_http_port(port: u16) -> bool {
    !OTHER_PROTOCOLS.contains(&port)
}

/// Whether an address belongs to nobody's network in particular. One that leads to another is judged by that.
pub fn is_public(address: IpAddr) -> bool {
    match leads_to(address) {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|(network, length)| {
            within(address.into(), Ipv4Addr::from(*network).into(), *length)
        }),
        IpAddr::V6(address) => {
            let is_in = |(network, length): &(Ipv6Addr, u8)| {
                within(address.into(), (*network).into(), *length)
            };
            is_in(&GLOBAL_V6) && !NOT_PUBLIC_V6.iter().any(is_in)
        }
    }
}

/// The IPv4 address within an IPv6 one (mapped, NAT64, 6to4), which is where a connection ends; any other as it is.
fn leads_to(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let parts = six.segments();
    let join = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    if let Some(mapped) = six.to_ipv4_mapped() {
        return mapped.into();
    }
    if parts.starts_with(&NAT64) {
        return join(parts[6], parts[7]);
    }
    if parts[0] == 0x2002 { join(parts[1], parts[2]) } else { address }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Whether two addresses of one kind have their first `length` bits in common.
fn within(address: IpAddr, network: IpAddr, length: u8) -> bool {
    let (address, network, rest) = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            (u128::from(a.to_bits()), u128::from(n.to_bits()), 32 - u32::from(length.min(32)))
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            (a.to_bits(), n.to_bits(), 128 - u32::from(length.min(128)))
        }
        _ => return false,
    };
    // All bits may be beyond the prefix.
    (address ^ network).checked_shr(rest).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(addresses: &[&str], expect: bool) {
        for address in addresses {
            assert_eq!(is_public(address.parse().unwrap()), expect, "{address}");
        }
    }

    #[test]
    fn only_public_addresses_are_public() {
        check(
            &["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "223.255.255.254"],
            true,
        );
        check(&["2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808", "2002:808:808::1"], true);
        check(
            &[
                "0.0.0.0",
                "0.1.2.3",
                "10.0.0.1",
                "100.64.0.1",
                "100.100.100.200",
                "127.0.0.1",
                "127.255.255.254",
                "169.254.169.254",
                "172.16.0.1",
                "172.31.255.255",
                "192.0.0.192",
                "192.0.2.1",
                "192.168.1.1",
                "198.19.0.1",
                "198.51.100.7",
                "203.0.113.7",
                "224.0.0.1",
                "240.0.0.1",
                "255.255.255.255",
            ],
            false,
        );
        check(
            &[
                "::",
                "::1",
                "::7f00:1",
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.1",
                "::ffff:a9fe:a9fe",
                "64:ff9b::7f00:1",
                "64:ff9b::a9fe:a9fe",
                "64:ff9b:1::1",
                "2002:7f00:1::",
                "2002:a00:1::1",
                "2001::1",
                "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                "2001:db8::1",
                "3fff::1",
                "100::1",
                "fc00::1",
                "fd00:ec2::254",
                "fe80::1",
                "fec0::1",
                "ff02::1",
                "5f00::1",
            ],
            false,
        );
    }

    #[test]
    fn the_owner_names_hosts_and_networks() {
        let allowed = ["Serve.Internal.", "10.1.0.0/16", "fd12::/32", "[::1]", "127.0.0.1"]
            .map(|text| text.parse::<Allowed>().unwrap());
        let egress = Egress::new(allowed.to_vec());
        let permits = |host: &str, address: &str| egress.permits(host, address.parse().unwrap());
        assert!(permits("serve.internal", "192.168.7.7"));
        assert!(permits("any", "10.1.255.255"));
        assert!(permits("any", "::ffff:10.1.0.1"));
        assert!(permits("any", "fd12::9"));
        assert!(permits("any", "::1"));
        assert!(permits("any", "8.8.8.8"));
        assert!(!permits("other.internal", "192.168.7.7"));
        assert!(!permits("any", "10.2.0.0"));
        assert!(!permits("any", "127.0.0.2"));
        assert!(!permits("any", "fd13::9"));
        assert!(
            egress.names("SERVE.internal") && egress.names("127.0.0.1") && egress.names("[::1]")
        );
        assert!(!egress.names("serve.internal.example.com"));
        assert!(Egress::new(vec!["0.0.0.0/0".parse().unwrap()]).names("10.2.3.4"));
    }

    #[test]
    fn what_is_neither_a_host_nor_a_network_is_refused() {
        for text in
            ["", "10.0.0.0/33", "10.0.0/8", "::/129", "2130706433", "0x7f.1.2.3/8", "a b", "h:80"]
        {
            let error = text.parse::<Allowed>().unwrap_err().to_string();
            assert!(error.contains("10.0.0.0/8"), "{error}");
        }
    }

    #[test]
    fn ports_of_other_protocols_are_not_asked() {
        assert!([80, 443, 8080, 5000, 8000].into_iter().all(is_http_port));
        assert!(![0, 22, 25, 6667].into_iter().any(is_http_port));
    }
}
