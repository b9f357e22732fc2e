//! Unix sockets of a service: for its owner alone, and in folders as deep as they come.

use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

use crate::error::{Error, Result};

/// Longest path of a Unix socket (`sun_path` with its closing NUL).
const PATH_BYTES_MAX: usize = 107;

/// After a failure to accept (no descriptors left), others must end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Listens for this user alone; a file that a killed gateway left is replaced (the lock is held).
pub(crate) fn bind(socket: &Path) -> Result<UnixListener> {
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

/// The next connection.
pub(crate) async fn accept(listener: &UnixListener) -> UnixStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection of a deployer");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A path to the socket that fits the kernel's limit, and what must be kept open meanwhile.
///
/// A long path is reached through a descriptor of its folder.
pub(crate) fn reachable(socket: &Path) -> std::io::Result<(PathBuf, Option<std::fs::File>)> {
    if socket.as_os_str().len() <= PATH_BYTES_MAX {
        return Ok((socket.to_owned(), None));
    }
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Ok((socket.to_owned(), None));
    };
    let folder = std::fs::File::open(folder)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok((short, Some(folder)))
}
