//! Where a gateway serves. All else it reads from the folder of its service.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a gateway serves, and whether another one does so far.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Folder of the service (`<state_dir>/<name>`): settings, route, control socket, lock.
    pub state_dir: PathBuf,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Take over from the running gateway, without a gap for clients.
    pub take_over: bool,
}
