//! Names as addresses, without those of metadata services: a name that somebody else chose may lead there,
//! and what it leads to is known only when it is looked up.

use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::metadata_hosts::is_metadata_address;

/// The system's resolver, with what it must not answer left out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is the connector's business.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(allowed(found)?.into_iter()) as Addrs)
        })
    }
}

fn allowed(found: impl Iterator<Item = SocketAddr>) -> io::Result<Vec<SocketAddr>> {
    let allowed: Vec<SocketAddr> =
        found.filter(|address| !is_metadata_address(address.ip())).collect();
    if allowed.is_empty() {
        return Err(io::Error::other("the name leads to no address that may be asked"));
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_lead_to_metadata_services() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let both = [address("169.254.169.254:0"), address("127.0.0.1:0")];
        assert_eq!(allowed(both.into_iter()).unwrap(), [address("127.0.0.1:0")]);
        assert!(allowed([address("[fe80::1]:0")].into_iter()).is_err());
    }
}
