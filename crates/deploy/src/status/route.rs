//! Where requests go (the gateway's own word, or what it wrote down last), and to which instances.

use crate::error::Result;
use crate::gateway::RouteState;
use crate::gateway::control::GatewayStatus;
use crate::replica_id::replica_ids;
use crate::state::file::read_json;
use crate::state::folder::Folder;

/// Where requests go, or went while the gateway ran.
pub(crate) fn route(gateway: Option<&GatewayStatus>, folder: &Folder) -> Result<RouteState> {
    match gateway {
        Some(gateway) => Ok(gateway.route.clone()),
        None => route_on_disk(folder),
    }
}

/// What the gateway wrote down last; nothing where it was stopped on purpose.
pub(crate) fn route_on_disk(folder: &Folder) -> Result<RouteState> {
    Ok(read_json(&folder.gateway_state())?.unwrap_or_default())
}

/// Ids of all instances that a release should have, also of those that are gone with their folders.
pub(crate) fn instances_of(folder: &Folder, release: &str) -> Result<Vec<String>> {
    let replicas = folder.read_spec(release)?.map_or(1, |spec| spec.replicas);
    Ok(replica_ids(release, replicas).collect())
}
