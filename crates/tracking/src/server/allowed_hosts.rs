//! Which `Host` and `Origin` headers pass.

use std::net::{IpAddr, Ipv6Addr};

/// Hosts that requests may be addressed to.
#[derive(Debug, Clone)]
pub(super) enum AllowedHosts {
    /// This machine and private addresses.
    Private,
    /// These patterns.
    Listed(Vec<String>),
}

impl AllowedHosts {
    /// Whether the value of a `Host` header passes.
    pub(super) fn allows(&self, host: &str) -> bool {
        match self {
            Self::Private => is_private(host_name(host)),
            Self::Listed(patterns) => patterns.iter().any(|pattern| glob(pattern, host)),
        }
    }
}

/// `host` of `host:port` and `[v6]:port`.
fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').map_or(host, |(address, _port)| address);
    }
    host.rsplit_once(':').map_or(host, |(name, _port)| name)
}

/// Names and addresses that a foreign page cannot make its own. Unlike upstream's patterns
/// (`10.*`), a name such as `10.evil.example` does not pass.
fn is_private(name: &str) -> bool {
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            address.is_private() || address.is_loopback() || address.is_unspecified()
        }
        Ok(IpAddr::V6(address)) => address.is_loopback() || is_unique_local(address),
        Err(_name) => false,
    }
}

/// fc00::/7, RFC 4193.
fn is_unique_local(address: Ipv6Addr) -> bool {
    (address.octets()[0] & 0xfe) == 0xfc
}

/// Whether an origin is a page of this machine.
pub(crate) fn is_local_origin(origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    matches!(scheme, "http" | "https") && is_local_host(host)
}

/// Whether the value of a `Host` header is this machine.
pub(super) fn is_local_host(host: &str) -> bool {
    let name = host_name(host);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether an origin is this server's own address, as the client wrote it.
pub(crate) fn is_own_origin(origin: &str, host: &str) -> bool {
    let Some((_scheme, address)) = origin.split_once("://") else { return false };
    !host.is_empty() && address.eq_ignore_ascii_case(host)
}

/// Shell-like match where `*` is any text, the only wildcard of upstream's options.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(first) = parts.next() else { return false };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(found) = rest.find(part) else { return false };
        rest = rest.get(found + part.len()..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_hosts_pass_by_default() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:80",
            "0.0.0.0:5000",
            "[::1]:5000",
            "10.1.2.3:5000",
            "192.168.0.9",
            "172.31.0.1",
            "[fd00::1]:5000",
        ] {
            assert!(AllowedHosts::Private.allows(host), "{host}");
        }
        for host in [
            "",
            "evil.com",
            "10.evil.com",
            "192.168.0.9.evil.com",
            "172.32.0.1",
            "8.8.8.8:80",
            "[2001:db8::1]",
        ] {
            assert!(!AllowedHosts::Private.allows(host), "{host}");
        }
    }

    #[test]
    fn listed_hosts_are_patterns() {
        let hosts =
            AllowedHosts::Listed(vec!["mlflow.example.com".to_owned(), "*.corp:*".to_owned()]);
        assert!(hosts.allows("mlflow.example.com"));
        assert!(hosts.allows("a.corp:5000"));
        assert!(!hosts.allows("a.corp"));
        assert!(!hosts.allows("localhost"));
        assert!(AllowedHosts::Listed(vec!["*".to_owned()]).allows("anything"));
    }

    #[test]
    fn globs_match_whole_texts() {
        for (pattern, text, expect) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "ab", false),
            ("*b*", "abc", true),
            ("a*b*a", "aba", true),
            ("a*a", "a", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(glob(pattern, text), expect, "{pattern} {text}");
        }
    }

    #[test]
    fn origins_of_this_machine_and_server() {
        assert!(is_local_origin("http://localhost:3000"));
        assert!(is_local_origin("http://[::1]:3000"));
        assert!(!is_local_origin("http://localhost.evil.com"));
        assert!(!is_local_origin("http://localhost/x"));
        assert!(!is_local_origin("http://127.0.0.1.evil.com:80"));
        assert!(!is_local_origin("null"));
        assert!(is_own_origin("http://10.0.0.5:5000", "10.0.0.5:5000"));
        assert!(!is_own_origin("http://evil.com", "10.0.0.5:5000"));
    }
}
