//! Clients that speak TLS with the gateway.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use trainyard_testkit::certificate::Signed;

use crate::client::{Sender, text};

/// A client that trusts one certificate.
pub(crate) struct Trusting(ClientConfig);

impl Trusting {
    /// It shows a certificate of its own, if it has one.
    pub(crate) fn new(certificate: &Path, own: Option<&Signed>) -> Self {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(certificate).unwrap() {
            roots.add(root.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Self(match own {
            None => config.with_no_client_auth(),
            Some(own) => {
                let chain = CertificateDer::pem_file_iter(&own.certificate).unwrap();
                let chain = chain.map(Result::unwrap).collect();
                let key = PrivateKeyDer::from_pem_file(&own.key).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
        })
    }

    async fn handshake(
        &self,
        address: SocketAddr,
        protocol: &str,
    ) -> Result<TlsStream<TcpStream>, String> {
        let mut config = self.0.clone();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let name = ServerName::try_from("localhost").unwrap();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        connecting.await.map_err(|error| error.to_string())
    }

    /// A connection of HTTP/1.1.
    pub(crate) async fn connect(&self, address: SocketAddr) -> Result<Sender, String> {
        let stream = TokioIo::new(self.handshake(address, "http/1.1").await?);
        let (sender, connection) = hyper::client::conn::http1::handshake(stream)
            .await
            .map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// One GET on a connection of its own.
    pub(crate) async fn get(
        &self,
        address: SocketAddr,
        path: &str,
    ) -> Result<(StatusCode, String), String> {
        let mut sender = self.connect(address).await?;
        let asked = Request::get(path).header("host", "localhost").body(Full::default()).unwrap();
        // A certificate that is not wanted is told with the first answer.
        let answer = sender.send_request(asked).await.map_err(|error| error.to_string())?;
        text(answer).await
    }

    /// One GET by HTTP/2, which the other side has to agree to.
    pub(crate) async fn get_http2(
        &self,
        address: SocketAddr,
        path: &str,
    ) -> Result<(StatusCode, String), String> {
        let stream = self.handshake(address, "h2").await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        let uri = format!("https://localhost{path}");
        let asked = Request::get(uri).body(Full::<bytes::Bytes>::default()).unwrap();
        text(sender.send_request(asked).await.map_err(|error| error.to_string())?).await
    }
}
