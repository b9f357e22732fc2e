//! The sockets at which others talk to the gateway: its commands, and its successor.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tokio::net::UnixListener;

use crate::control::reachable;
use crate::{Error, Result};

/// Listens for this user alone; a file that a killed gateway left is replaced (the lock is held).
pub(super) fn bind(socket: &Path) -> Result<UnixListener> {
    let failed = |source| Error::io("cannot listen on", socket, source);
    if let Err(error) = std::fs::remove_file(socket)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(failed(error));
    }
    let (address, _folder) = reachable(socket).map_err(failed)?;
    let listener = UnixListener::bind(address).map_err(failed)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}
