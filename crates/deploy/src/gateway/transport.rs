//! How clients connect: encrypted or not, asked for a certificate or not, and how many of them. Connections keep what
//! they began with; new ones get what is in force.

use std::sync::Arc;

use tokio::net::TcpListener;
use trainyard_net::{Certificate, ClientAuthorities, Listener, TlsChallenges};

use super::acme;
use super::limits::Limits;
use super::settings::GatewaySettings;
use crate::error::Result;
use crate::state::folder::Folder;

/// How clients connect.
#[derive(Debug)]
pub(super) struct Transport {
    certificate: Option<Arc<Certificate>>,
    authorities: Option<ClientAuthorities>,
    pub(super) limits: trainyard_net::Limits,
}

impl Transport {
    /// By these settings, and what is possible of their limits. One that differs in nothing from the one before is
    /// the one before, its certificate read again: listeners go on with it. A certificate by ACME is in the folder
    /// of the service, where there is one.
    pub(super) fn open(
        settings: &GatewaySettings,
        limits: &Limits,
        service: Option<&Folder>,
        before: Option<(&GatewaySettings, &Arc<Self>)>,
    ) -> Result<Arc<Self>> {
        let authorities = settings.client_ca.as_deref().map(ClientAuthorities::open).transpose()?;
        if let Some((was, transport)) = before
            && (&was.tls, &was.limits) == (&settings.tls, &settings.limits)
            && was.acme.is_some() == settings.acme.is_some()
            && transport.authorities == authorities
        {
            // One by ACME may not be there yet, and is read when it comes.
            if let Some(certificate) = &transport.certificate
                && settings.acme.is_none()
            {
                certificate.reload()?;
            }
            return Ok(Arc::clone(transport));
        }
        let certificate = match (&settings.tls, service) {
            (Some(files), _) => Some(Certificate::open(&files.certificate, &files.key)?),
            (None, Some(service)) if settings.acme.is_some() => Some(acme::certificate(service)?),
            (None, _) => None,
        };
        Ok(Arc::new(Self { certificate, authorities, limits: limits.of_clients() }))
    }

    /// Whether a certificate that a client has shown to the `other` is good here too.
    pub(super) fn trusts_as(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.authorities == other.authorities
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.certificate.is_some()
    }

    /// A socket on which clients connect so, and an authority may look at challenges.
    pub(super) fn listener(
        &self,
        socket: TcpListener,
        challenges: &Arc<TlsChallenges>,
    ) -> std::io::Result<Listener> {
        let Some(certificate) = &self.certificate else { return Ok(socket.into()) };
        let certificate = Arc::clone(certificate);
        let listener = Listener::asking(socket, certificate, self.authorities.as_ref())
            .map_err(std::io::Error::other)?;
        Ok(listener.with_challenges(Arc::clone(challenges)))
    }
}
