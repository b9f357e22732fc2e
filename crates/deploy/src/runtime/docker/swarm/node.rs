//! The nodes of a swarm: where they are reached, how many there are.

use std::net::IpAddr;

use bollard::models::{LocalNodeState, Node, NodeState, SwarmInfo};
use bollard::query_parameters::ListNodesOptions;

use super::super::engine::Engine;
use crate::error::{Error, Result};

/// The id of the engine's own node, which must be a manager of a swarm.
pub(super) async fn own(engine: &Engine) -> Result<String> {
    let asked = engine.call(|| "cannot ask for the swarm".to_owned(), || engine.docker.info());
    // All that an engine says of itself is large for a future.
    let swarm = Box::pin(asked).await?.swarm.unwrap_or_default();
    manager(&swarm).map_err(|reason| Error::Docker {
        doing: "cannot deploy to a swarm".to_owned(),
        reason: reason.to_owned(),
        hint: "`docker swarm init` begins a swarm; DOCKER_HOST names the engine of a manager"
            .to_owned(),
    })
}

fn manager(swarm: &SwarmInfo) -> Result<String, &'static str> {
    if swarm.local_node_state != Some(LocalNodeState::ACTIVE) {
        return Err("this engine is in none");
    }
    if swarm.control_available != Some(true) {
        return Err("this engine is a worker of one, and only managers are told what to run");
    }
    swarm.node_id.clone().ok_or("this engine does not say which node it is")
}

/// How many nodes there are, whatever they do at the moment.
pub(super) async fn count(engine: &Engine) -> Result<usize> {
    let request = || engine.docker.list_nodes(None::<ListNodesOptions>);
    Ok(engine.call(|| "cannot list the nodes of the swarm".to_owned(), request).await?.len())
}

/// Where a node is reached, if it is there.
pub(super) async fn address(engine: &Engine, node: &str) -> Result<Option<IpAddr>> {
    Ok(inspect(engine, node).await?.as_ref().and_then(address_of))
}

/// Whether a node can say what becomes of its tasks.
pub(super) async fn is_ready(engine: &Engine, node: &str) -> Result<bool> {
    let status = inspect(engine, node).await?.and_then(|node| node.status);
    Ok(status.is_some_and(|status| status.state == Some(NodeState::READY)))
}

async fn inspect(engine: &Engine, node: &str) -> Result<Option<Node>> {
    let doing = || format!("cannot inspect node {node}");
    engine.call_unless(&[404], doing, || engine.docker.inspect_node(node)).await
}

/// Its own word, or that of its manager: some engines say `0.0.0.0` of the node that leads.
fn address_of(node: &Node) -> Option<IpAddr> {
    let own = node.status.as_ref().and_then(|status| status.addr.as_deref()?.parse().ok());
    let of_manager = || {
        let address = node.manager_status.as_ref()?.addr.as_deref()?;
        let (host, _port) = address.rsplit_once(':')?;
        host.trim_matches(['[', ']']).parse().ok()
    };
    own.filter(|address: &IpAddr| !address.is_unspecified()).or_else(of_manager)
}

#[cfg(test)]
mod tests {
    use bollard::models::{ManagerStatus, NodeStatus};

    use super::*;

    #[test]
    fn a_node_says_where_it_is_or_its_manager_does() {
        let node = |own: &str, of_manager: Option<&str>| Node {
            status: Some(NodeStatus { addr: Some(own.to_owned()), ..NodeStatus::default() }),
            manager_status: of_manager.map(|address| ManagerStatus {
                addr: Some(address.to_owned()),
                ..ManagerStatus::default()
            }),
            ..Node::default()
        };
        let address =
            |own, of_manager| address_of(&node(own, of_manager)).map(|address| address.to_string());
        assert_eq!(address("10.0.0.7", None).unwrap(), "10.0.0.7");
        assert_eq!(address("0.0.0.0", Some("10.0.0.1:2377")).unwrap(), "10.0.0.1");
        assert_eq!(address("0.0.0.0", Some("[fd00::1]:2377")).unwrap(), "fd00::1");
        assert_eq!(address("", None), None);
    }

    #[test]
    fn only_a_manager_is_told_what_to_run() {
        let swarm = |state, is_manager| SwarmInfo {
            local_node_state: Some(state),
            control_available: Some(is_manager),
            node_id: Some("n1".to_owned()),
            ..SwarmInfo::default()
        };
        assert_eq!(manager(&swarm(LocalNodeState::ACTIVE, true)), Ok("n1".to_owned()));
        assert!(manager(&swarm(LocalNodeState::ACTIVE, false)).unwrap_err().contains("worker"));
        assert!(manager(&swarm(LocalNodeState::INACTIVE, false)).unwrap_err().contains("none"));
    }
}
