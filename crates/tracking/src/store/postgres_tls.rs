//! TLS to PostgreSQL, by libpq's words: `sslmode` and `sslrootcert` of the URI.
//!
//! | sslmode | encrypted | the server's certificate |
//! |---|---|---|
//! | `disable` | never | |
//! | `allow`, `prefer` (default) | if the server can | not checked |
//! | `require` | always | not checked, or as `verify-ca` if there is an `sslrootcert` |
//! | `verify-ca` | always | signed by `sslrootcert`, or by what the system trusts |
//! | `verify-full` | always | the same, and for this host |
//!
//! `sslrootcert=system` is what the system trusts by name. As in libpq it goes with `verify-full` alone, which it means
//! where no `sslmode` is given: anybody may have a certificate by one of those authorities, for a host of theirs.
//!
//! Certificates of the client (`sslcert`, `sslkey`) are not supported and refused by name
//! ([`postgres_url`](super::postgres_url)).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use trainyard_mlflow::Error as MlflowError;

use crate::error::{Error, Result, invalid};

/// The `sslrootcert` that is no file.
const SYSTEM: &str = "system";

/// What `sslmode` (empty: none) and `sslrootcert` mean.
pub(super) fn modes(mode: &str, roots: Option<&str>) -> Result<(SslMode, MakeTls)> {
    let (mode, roots) = match (mode, roots) {
        ("" | "verify-full", Some(SYSTEM)) => ("verify-full", None),
        (weak, Some(SYSTEM)) => {
            return invalid!(
                "sslmode={weak} with sslrootcert=system: anybody can have a certificate that the system trusts; leave \
                 sslmode out, or write verify-full"
            );
        }
        given => given,
    };
    let (ssl_mode, check) = match (mode, roots) {
        ("disable", _) => (SslMode::Disable, Check::Nothing),
        ("" | "allow" | "prefer", _) => (SslMode::Prefer, Check::Nothing),
        ("require", None) => (SslMode::Require, Check::Nothing),
        ("require" | "verify-ca", _) => (SslMode::Require, Check::Signer),
        ("verify-full", _) => (SslMode::Require, Check::SignerAndHost),
        (other, _) => {
            return invalid!(
                "sslmode={other}: it is disable, allow, prefer, require, verify-ca or verify-full"
            );
        }
    };
    Ok((ssl_mode, MakeTls::new(check, roots)?))
}

/// What of the server's certificate must be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Nothing,
    Signer,
    SignerAndHost,
}

/// Encrypts connections.
#[derive(Clone)]
pub(super) struct MakeTls(Arc<ClientConfig>);

impl MakeTls {
    fn new(check: Check, roots: Option<&str>) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match (check, roots) {
            (Check::Nothing, _) => {
                Arc::new(Lenient { check, inner: None, provider: provider.clone() })
            }
            (_, Some(path)) => {
                let roots = Arc::new(root_store(path)?);
                let inner = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
                    .build()
                    .map_err(|error| unusable(path, &error.to_string()))?;
                Arc::new(Lenient { check, inner: Some(inner), provider: provider.clone() })
            }
            (_, None) => {
                let inner = rustls_platform_verifier::Verifier::new(provider.clone())
                    .map_err(|error| unusable("the system's certificates", &error.to_string()))?;
                Arc::new(Lenient {
                    check,
                    inner: Some(Arc::new(inner)),
                    provider: provider.clone(),
                })
            }
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::database(format!("TLS: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

fn unusable(what: &str, why: &str) -> Error {
    MlflowError::invalid(format!("sslrootcert: {what} cannot be used: {why}")).into()
}

fn root_store(path: &str) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, &error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unusable(path, &error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(path, &error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable(path, "there is no certificate in it"));
    }
    Ok(roots)
}

/// Checks of a certificate what `sslmode` asks for. That the server has the certificate's key is
/// always checked.
#[derive(Debug)]
struct Lenient {
    check: Check,
    inner: Option<Arc<dyn ServerCertVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        let checked =
            inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match checked {
            // The name is looked at last: everything else was right.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.check == Check::Signer => Ok(ServerCertVerified::assertion()),
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl MakeTlsConnect<Socket> for MakeTls {
    type Stream = Encrypted;
    type TlsConnect = Connect;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<Connect> {
        let name = ServerName::try_from(domain.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(Connect { connector: TlsConnector::from(Arc::clone(&self.0)), name })
    }
}

/// One connection about to be encrypted.
pub(super) struct Connect {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl TlsConnect<Socket> for Connect {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        Box::pin(async move { Ok(Encrypted(self.connector.connect(self.name, stream).await?)) })
    }
}

/// An encrypted connection.
pub(super) struct Encrypted(tokio_rustls::client::TlsStream<Socket>);

impl TlsStream for Encrypted {
    /// Passwords are not bound to the channel: `channel_binding=require` is refused by the driver.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
