//! A service's own network, and the address of each instance in it.
//!
//! Instances are asked at their own address, not through a published port: published ports of the
//! loopback are served by a process of the daemon, which cuts every connection when it is restarted. The
//! address is given to the container for good, so that it is the same when the container is started
//! again. An engine allows that only in a network whose range was named when it was made; so the engine
//! chooses a range that is free, and the network is made anew with that range named.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use bollard::models::{EndpointResource, Ipam, IpamConfig, NetworkCreateRequest, NetworkInspect};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptions};

use super::engine::Engine;
use super::labels::{labels, service_filter, service_name};
use crate::error::{Error, Result};

/// The label of a network whose range was named.
const RANGE_LABEL: &str = "trainyard.range";

/// The first addresses of a range are the network's own and its gateway's.
const RESERVED: u32 = 2;

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    first: Ipv4Addr,
    bits: u32,
}

impl Range {
    /// Reads `172.18.0.0/16`.
    fn parse(text: &str) -> Option<Self> {
        let (first, bits) = text.split_once('/')?;
        let bits: u32 = bits.parse().ok().filter(|bits| (8..=29).contains(bits))?;
        Some(Self { first: first.parse().ok()?, bits })
    }

    /// The address for the n-th instance: each has another one, until all were used.
    pub(super) fn address(self, number: u64, port: u16) -> SocketAddr {
        let size = 1_u32 << (32 - self.bits);
        // Without the reserved ones and the last, which is for broadcasts.
        let usable = u64::from(size - RESERVED - 1);
        let offset = u32::try_from(number % usable).unwrap_or(0) + RESERVED;
        SocketAddr::from((Ipv4Addr::from_bits(self.first.to_bits() + offset), port))
    }
}

/// Names of all networks of a service.
pub(super) async fn list(engine: &Engine, service_root: &Path) -> Result<Vec<String>> {
    let filters = [("label".to_owned(), vec![service_filter(service_root)])];
    let options = ListNetworksOptions { filters: Some(filters.into()) };
    let request = || engine.docker.list_networks(Some(options.clone()));
    let found = engine.call(|| "cannot list networks".to_owned(), request).await?;
    Ok(found.into_iter().filter_map(|network| network.name).collect())
}

/// The service's own network, made if it is not there.
pub(super) async fn provide(engine: &Engine, service_root: &Path) -> Result<Range> {
    let name = service_name(service_root);
    if let Some((range, named)) = range_of(engine, &name).await? {
        if named {
            return Ok(range);
        }
        // Whoever made it died before it was made anew.
        remove(engine, &name).await?;
    }
    create(engine, service_root, &name, None).await?;
    let chosen = range_of(engine, &name).await?;
    remove(engine, &name).await?;
    let (range, _) = chosen.ok_or_else(|| Error::Docker {
        doing: format!("cannot create network {name}"),
        reason: "the engine gave it no range of IPv4 addresses".to_owned(),
        hint: "deploy with network = \"host\", or name a network that is there".to_owned(),
    })?;
    create(engine, service_root, &name, Some(range)).await?;
    Ok(range)
}

/// Removes a network, if it is there and nobody is in it.
pub(super) async fn remove(engine: &Engine, name: &str) -> Result<()> {
    // Gone, or somebody else's container joined it: then it is in use.
    let request = || engine.docker.remove_network(name);
    let doing = || format!("cannot remove network {name}");
    engine.call_unless(&[403, 404], doing, request).await?;
    Ok(())
}

async fn create(
    engine: &Engine,
    service_root: &Path,
    name: &str,
    range: Option<Range>,
) -> Result<()> {
    let mut labels = labels(service_root);
    let ipam = range.map(|range| {
        let text = format!("{}/{}", range.first, range.bits);
        labels.insert(RANGE_LABEL.to_owned(), text.clone());
        let config = IpamConfig { subnet: Some(text), ..IpamConfig::default() };
        Ipam { config: Some(vec![config]), ..Ipam::default() }
    });
    let request = NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        labels: Some(labels),
        ipam,
        ..NetworkCreateRequest::default()
    };
    let doing = || format!("cannot create network {name}");
    // It is there when this is asked again after the daemon went away with the answer.
    engine.call_unless(&[409], doing, || engine.docker.create_network(request.clone())).await?;
    Ok(())
}

/// Whether a container in a network has this address.
pub(super) async fn has(engine: &Engine, name: &str, address: Ipv4Addr) -> Result<bool> {
    let Some(network) = inspect(engine, name).await? else { return Ok(false) };
    let address = address.to_string();
    let is_it = |endpoint: &EndpointResource| {
        // With the length of the range's prefix: `172.18.0.3/16`.
        let given = endpoint.ipv4_address.as_deref().and_then(|given| given.split('/').next());
        given == Some(address.as_str())
    };
    Ok(network.containers.is_some_and(|containers| containers.values().any(is_it)))
}

/// The range of a network and whether it was named; `None` when the network is not there.
async fn range_of(engine: &Engine, name: &str) -> Result<Option<(Range, bool)>> {
    let Some(network) = inspect(engine, name).await? else { return Ok(None) };
    let named = network.labels.is_some_and(|labels| labels.contains_key(RANGE_LABEL));
    let configs = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    let range = configs.iter().find_map(|config| Range::parse(config.subnet.as_deref()?));
    Ok(range.map(|range| (range, named)))
}

async fn inspect(engine: &Engine, name: &str) -> Result<Option<NetworkInspect>> {
    let request = || engine.docker.inspect_network(name, None::<InspectNetworkOptions>);
    engine.call_unless(&[404], || format!("cannot inspect network {name}"), request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instance_has_an_address_of_its_own() {
        let range = Range::parse("172.18.0.0/16").unwrap();
        assert_eq!(range.address(1, 8080), "172.18.0.3:8080".parse().unwrap());
        assert_eq!(range.address(300, 8080), "172.18.1.46:8080".parse().unwrap());
        let small = Range::parse("10.0.0.8/29").unwrap();
        let all: std::collections::BTreeSet<_> = (0..5).map(|n| small.address(n, 1)).collect();
        assert_eq!(all.len(), 5);
        assert_eq!(small.address(5, 1), small.address(0, 1));
        assert_eq!(small.address(4, 1).ip().to_string(), "10.0.0.14");
        assert_eq!(Range::parse("fd00::/64"), None);
    }
}
