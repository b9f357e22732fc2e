//! The port of an instance: one that no service of the swarm has published, so that it can be had on every node.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};

use bollard::models::Service;

/// Below those that Swarm gives by itself (from 30,000) and those that kernels give to connections (from 32,768).
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// The ports that services of the swarm have published, on all nodes or on that of a task.
pub(super) fn published(services: &[Service]) -> BTreeSet<u16> {
    let specs = services.iter().filter_map(|service| service.spec.as_ref()?.endpoint_spec.as_ref());
    let ports = specs.flat_map(|spec| spec.ports.iter().flatten());
    let given = services.iter().filter_map(|service| service.endpoint.as_ref());
    let ports = ports.chain(given.flat_map(|endpoint| endpoint.ports.iter().flatten()));
    ports.filter_map(|port| u16::try_from(port.published_port?).ok()).collect()
}

/// A port that is free, beginning with the wanted one or the number's own. Of other machines only the swarm knows, so
/// a program of theirs may have it all the same; `None` where all are taken.
pub(super) fn choose(taken: &BTreeSet<u16>, number: u64, wanted: Option<u16>) -> Option<u16> {
    let first = u16::try_from(number % u64::from(COUNT)).unwrap_or_default();
    let all = (0..COUNT).map(|offset| FIRST + (first + offset) % COUNT);
    wanted.into_iter().chain(all).find(|port| !taken.contains(port) && is_free_here(*port))
}

fn is_free_here(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use bollard::models::{EndpointPortConfig, EndpointSpec, ServiceEndpoint, ServiceSpec};

    use super::*;

    #[test]
    fn a_port_that_is_taken_is_passed_over() {
        let port = |published| EndpointPortConfig {
            published_port: Some(published),
            ..EndpointPortConfig::default()
        };
        let asked = EndpointSpec { ports: Some(vec![port(25_000)]), ..EndpointSpec::default() };
        let spec = ServiceSpec { endpoint_spec: Some(asked), ..ServiceSpec::default() };
        let given =
            ServiceEndpoint { ports: Some(vec![port(25_001)]), ..ServiceEndpoint::default() };
        let service = Service { spec: Some(spec), endpoint: Some(given), ..Service::default() };
        let taken = published(&[service]);
        assert_eq!(taken, [25_000, 25_001].into());
        let chosen = choose(&taken, 5_000, None).unwrap();
        assert!((25_002..30_000).contains(&chosen), "{chosen}");
        assert_ne!(choose(&taken, 0, Some(25_001)), Some(25_001));
        assert_eq!(choose(&taken, 0, Some(chosen)), Some(chosen));
        // A program of this machine has it.
        let program = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let held = program.local_addr().unwrap().port();
        assert_ne!(choose(&taken, 0, Some(held)), Some(held));
        let all: BTreeSet<u16> = (FIRST..FIRST + COUNT).collect();
        assert_eq!(choose(&all, 7, None), None);
    }
}
