//! Where connections come in: a socket, and whether what is said on it is encrypted.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::certificate::Certificate;
use crate::challenge::{PROTOCOL, TlsChallenges};
use crate::client_authorities::ClientAuthorities;
use crate::handshake::Handshake;
use crate::limits::Protocols;

/// A socket that is listened on.
#[derive(Debug)]
pub struct Listener {
    pub(crate) tcp: TcpListener,
    tls: Option<Tls>,
}

#[derive(Debug)]
struct Tls {
    certificate: Arc<Certificate>,
    config: ServerConfig,
    challenges: Option<Arc<TlsChallenges>>,
}

impl From<TcpListener> for Listener {
    /// Without encryption.
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None }
    }
}

impl Listener {
    /// Speaks TLS 1.2 and 1.3, and nothing else.
    pub fn encrypted(
        tcp: TcpListener,
        certificate: Arc<Certificate>,
    ) -> Result<Self, rustls::Error> {
        Self::asking(tcp, certificate, None)
    }

    /// The same, and clients are asked for a certificate of one of these authorities, if there are any. One that
    /// they did not sign ends the handshake; who shows none is told by [`crate::Arrival::certificate`].
    pub fn asking(
        tcp: TcpListener,
        certificate: Arc<Certificate>,
        authorities: Option<&ClientAuthorities>,
    ) -> Result<Self, rustls::Error> {
        let verifier = match authorities {
            Some(authorities) => Arc::clone(&authorities.verifier),
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(&certificate) as _);
        Ok(Self { tcp, tls: Some(Tls { certificate, config, challenges: None }) })
    }

    /// Answers a certificate authority's challenges as well, where it is encrypted.
    #[must_use]
    pub fn with_challenges(mut self, challenges: Arc<TlsChallenges>) -> Self {
        if let Some(tls) = &mut self.tls {
            tls.challenges = Some(challenges);
        }
        self
    }

    /// The address that it has.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Makes handshakes for a server that speaks these protocols; none without encryption.
    pub(crate) fn acceptor(&self, protocols: Protocols) -> Option<Acceptor> {
        let tls = self.tls.as_ref()?;
        let challenges = tls.challenges.as_ref().map(|challenges| {
            let mut config = tls.config.clone();
            config.cert_resolver = Arc::clone(challenges) as _;
            config.alpn_protocols = vec![PROTOCOL.to_vec()];
            (Arc::clone(challenges), Arc::new(config))
        });
        let mut config = tls.config.clone();
        // RFC 7301: of those that the client names, the first of ours is spoken.
        config.alpn_protocols = match protocols {
            Protocols::Http1 => vec![b"http/1.1".to_vec()],
            Protocols::Both => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        let usual = TlsAcceptor::from(Arc::new(config));
        Some(Acceptor { certificate: Arc::clone(&tls.certificate), usual, challenges })
    }
}

/// Makes handshakes.
pub(crate) struct Acceptor {
    certificate: Arc<Certificate>,
    usual: TlsAcceptor,
    challenges: Option<(Arc<TlsChallenges>, Arc<ServerConfig>)>,
}

impl Acceptor {
    /// For the next connection: with the certificate that is in the files.
    pub(crate) fn current(&self) -> Handshake {
        self.certificate.look();
        let challenge = self.challenges.as_ref().filter(|(shown, _)| !shown.is_empty());
        Handshake {
            usual: self.usual.clone(),
            challenge: challenge.map(|(_, config)| Arc::clone(config)),
        }
    }
}
