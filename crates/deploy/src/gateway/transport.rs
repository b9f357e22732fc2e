//! How clients connect: encrypted or not, asked for a certificate or not, and how many of them. Connections keep what
//! they began with; new ones get what is in force.

use std::sync::Arc;

use tokio::net::TcpListener;
use trainyard_net::{Certificate, ClientAuthorities, Listener};

use super::limits::Limits;
use super::settings::{GatewaySettings, TlsFiles};
use crate::error::Result;

/// How clients connect.
#[derive(Debug)]
pub(super) struct Transport {
    certificate: Option<Arc<Certificate>>,
    authorities: Option<ClientAuthorities>,
    pub(super) limits: trainyard_net::Limits,
}

impl Transport {
    /// By these settings, and what is possible of their limits. One that differs in nothing from the one before is the one before, its certificate read
    /// again: listeners go on with it.
    pub(super) fn open(
        settings: &GatewaySettings,
        limits: &Limits,
        before: Option<(&GatewaySettings, &Arc<Self>)>,
    ) -> Result<Arc<Self>> {
        let authorities = settings.client_ca.as_deref().map(ClientAuthorities::open).transpose()?;
        if let Some((was, transport)) = before
            && (&was.tls, &was.limits) == (&settings.tls, &settings.limits)
            && transport.authorities == authorities
        {
            if let Some(certificate) = &transport.certificate {
                certificate.reload()?;
            }
            return Ok(Arc::clone(transport));
        }
        let open = |files: &TlsFiles| Certificate::open(&files.certificate, &files.key);
        let certificate = settings.tls.as_ref().map(open).transpose()?;
        Ok(Arc::new(Self { certificate, authorities, limits: limits.of_clients() }))
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.certificate.is_some()
    }

    /// A socket on which clients connect so.
    pub(super) fn listener(&self, socket: TcpListener) -> std::io::Result<Listener> {
        let Some(certificate) = &self.certificate else { return Ok(socket.into()) };
        let certificate = Arc::clone(certificate);
        Listener::asking(socket, certificate, self.authorities.as_ref())
            .map_err(std::io::Error::other)
    }
}
