//! URLs at which providers of sign-ins are asked: never where others read along.

use std::net::IpAddr;

use url::{Host, Url};

/// A URL that a provider may be asked at: https, or http of this machine, where nobody listens on the way. `Err` says
/// why not, without a password that may be in it.
pub fn provider_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{text:?} is no URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        let host = url.host_str().unwrap_or_default();
        return Err(format!("the URL of {host} has a name, password or fragment in it"));
    }
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_local => Ok(url),
        "http" => Err(format!("{text} goes over http, where others read along; use https")),
        other => Err(format!("{text} is of the scheme {other}; https is wanted")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_asked_where_others_read_along() {
        for (text, is_fine) in [
            ("https://id.example.com/realms/x", true),
            ("http://127.0.0.1:8000", true),
            ("http://localhost:8000/a", true),
            ("http://[::1]:8000", true),
            ("http://id.example.com", false),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
            ("ftp://id.example.com", false),
            ("file:///etc/passwd", false),
            ("https://ada:secret@id.example.com", false),
            ("https://id.example.com/#a", false),
            ("id.example.com", false),
        ] {
            let checked = provider_url(text);
            assert_eq!(checked.is_ok(), is_fine, "{text}");
            assert!(!checked.is_err_and(|error| error.contains("secret")), "{text}");
        }
    }
}
