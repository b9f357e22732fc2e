//! Where requests go: the gateway's own word, or what it wrote down last.

use crate::error::Result;
use crate::gateway::RouteState;
use crate::gateway::control::GatewayStatus;
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
