//! The sockets at which others than clients talk to the gateway: for its commands, its successor, its
//! operators.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};

use crate::control::reachable;
use crate::{Error, Result};

/// How often an address that a predecessor still has is tried.
const RETRY: Duration = Duration::from_millis(250);

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

/// Listens on an address that a predecessor may still have, as soon as it is free.
pub(super) async fn bind_patiently(address: SocketAddr, what: &str) -> TcpListener {
    let mut is_told = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) if !is_told => {
                tracing::warn!(%address, %error, "no {what} there yet");
                is_told = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(RETRY).await;
    }
}
