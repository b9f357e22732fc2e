//! Where a server listens.

use tokio::net::TcpListener;

use crate::failure::Failure;

/// Listens on `host:port`; a port in use is the usual failure, so the error names it.
pub(crate) async fn listen(host: &str, port: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind((host, port)).await.map_err(|error| {
        let hint = if error.kind() == std::io::ErrorKind::AddrInUse {
            "stop what listens there, or choose another port with --port"
        } else {
            "check --host: it must be a name or address of this machine"
        };
        Failure::runtime(format!("cannot listen on {host}:{port}: {error}")).hint(hint)
    })
}
