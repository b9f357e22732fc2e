//! Connections that are to be encrypted, and are not.

use trainyard_net::{Certificate, Limits, Listener, Protocols};
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
