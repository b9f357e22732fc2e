//! TLS of a server: its flags, and reading certificates again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;
use trainyard_net::{Certificate, Listener};

use crate::failure::Failure;
use crate::printer;

/// The files that make a server speak TLS.
#[derive(Debug, Args)]
#[command(next_help_heading = "Listening")]
pub(crate) struct TlsArguments {
    /// Speak TLS, with this certificate (PEM, those between it and its root behind it). It is read again
    /// when it changes
    #[arg(long, env = "TRAINYARD_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM, without a password)
    #[arg(long, env = "TRAINYARD_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl TlsArguments {
    /// The files, if they were given.
    pub(crate) fn files(&self) -> Option<TlsFiles> {
        let (certificate, key) = self.tls_cert.clone().zip(self.tls_key.clone())?;
        Some(TlsFiles { certificate, key })
    }
}

/// The socket with the certificate of these files, which is read again with each of `reloads`; without files as it
/// is.
pub(crate) fn secured(
    socket: TcpListener,
    files: Option<&TlsFiles>,
    reloads: watch::Receiver<()>,
) -> Result<Listener, Failure> {
    let Some(files) = files else { return Ok(socket.into()) };
    let certificate = Certificate::open(&files.certificate, &files.key).map_err(|error| {
        Failure::input(error.to_string())
            .hint("both files are PEM: the certificate's begins with -----BEGIN CERTIFICATE-----")
    })?;
    tokio::spawn(reload(Arc::clone(&certificate), reloads));
    Listener::encrypted(socket, certificate).map_err(|error| Failure::runtime(error.to_string()))
}

async fn reload(certificate: Arc<Certificate>, mut reloads: watch::Receiver<()>) {
    while reloads.changed().await.is_ok() {
        if let Err(error) = certificate.reload() {
            printer::warning(&format!("{error}; the certificate before is still shown"));
        }
    }
}

/// How a server is reached.
pub(crate) fn url(address: SocketAddr, files: Option<&TlsFiles>) -> String {
    let scheme = if files.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// Says what strangers could do to a server that others reach. `asks` is the flag that makes it ask for a password
/// or token, if it does not.
pub(crate) fn warn_of_strangers(address: SocketAddr, asks: Option<&str>, files: Option<&TlsFiles>) {
    if address.ip().is_loopback() {
        return;
    }
    if let Some(flag) = asks {
        printer::warning(&format!(
            "{address} can be reached from other machines and asks nobody for a password; {flag} does"
        ));
    } else if files.is_none() {
        printer::note(&format!(
            "{address} can be reached from other machines without TLS: --tls-cert and --tls-key, or a proxy \
             in front, keep passwords and tokens from being read on the way"
        ));
    }
}
