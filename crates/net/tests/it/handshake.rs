//! Connections that are to be encrypted, and are not.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use trainyard_net::{Certificate, Limits, Listener, Protocols, TlsChallenges};
use trainyard_testkit::certificate::certificate;

use crate::support::{IDLE, Server, rest, send};

#[tokio::test]
async fn whoever_makes_no_handshake_is_sent_away_and_gets_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (file, key) = certificate(folder.path(), "first");
    let certificate = Certificate::open(&file, &key).unwrap();
    let mut limits = Limits::new(8);
    limits.idle = IDLE;
    let secure = |tcp| Listener::encrypted(tcp, certificate).unwrap();
    let server = Server::start_on(secure, limits, Protocols::Both).await;
    // Nothing at all, half a handshake, and a request as it is.
    for said in ["", "\u{16}\u{3}\u{1}", "GET /health HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut stream = server.connect().await;
        send(&mut stream, said).await;
        let answer = rest(&mut stream).await;
        assert!(!answer.contains("HTTP/1") && !answer.contains("healthy"), "{answer:?}");
    }
    let open = server.stop().await;
    assert_eq!(open.finish(std::time::Duration::from_mins(1)).await, 0);
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = certificate(folder.path(), "first");
    let (_, second) = certificate(folder.path(), "second");
    let error = Certificate::open(&first, &second).unwrap_err().to_string();
    assert!(error.contains("second.key") && error.contains("does not go with"), "{error}");
}

/// A handshake of a client that trusts one certificate and offers these protocols.
async fn shake(
    server: &Server,
    trusted: &Path,
    protocols: &[&[u8]],
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, server.connect().await).await
}

#[tokio::test]
async fn a_certificate_may_come_later_and_challenges_are_for_authorities_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (usual, usual_key) = certificate(folder.path(), "usual");
    let (proof, proof_key) = certificate(folder.path(), "proof");
    let (file, key) = (folder.path().join("later.pem"), folder.path().join("later.key"));
    let shown = Certificate::awaited(&file, &key);
    let challenges = Arc::new(TlsChallenges::default());
    let (certificates, answered) = (Arc::clone(&shown), Arc::clone(&challenges));
    let secure = |tcp| Listener::encrypted(tcp, certificates).unwrap().with_challenges(answered);
    let server = Server::start_on(secure, Limits::new(8), Protocols::Both).await;
    let clients: [&[u8]; 2] = [b"h2", b"http/1.1"];
    let authority: [&[u8]; 1] = [b"acme-tls/1"];
    assert!(shake(&server, &usual, &clients).await.is_err(), "there is no certificate yet");

    std::fs::copy(&usual_key, &key).unwrap();
    std::fs::copy(&usual, &file).unwrap();
    shown.reload().unwrap();
    shake(&server, &usual, &clients).await.unwrap();
    assert!(shake(&server, &proof, &authority).await.is_err(), "there is no challenge");

    let der = CertificateDer::from_pem_file(&proof).unwrap();
    let secret = PrivateKeyDer::from_pem_file(&proof_key).unwrap();
    challenges.show("localhost", der, secret).unwrap();
    let mut looked = shake(&server, &proof, &authority).await.unwrap();
    assert_eq!(looked.read(&mut [0; 16]).await.unwrap(), 0, "it ends with the handshake");
    shake(&server, &usual, &clients).await.unwrap();
    // Not an authority: those offer one protocol.
    let mixed: [&[u8]; 2] = [b"acme-tls/1", b"http/1.1"];
    shake(&server, &usual, &mixed).await.unwrap();

    challenges.clear();
    assert!(shake(&server, &proof, &authority).await.is_err(), "the challenge is over");
    let open = server.stop().await;
    assert_eq!(open.finish(std::time::Duration::from_mins(1)).await, 0);
}
