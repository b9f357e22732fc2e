//! Who says nothing, or does not listen, is let go.

use tokio::io::AsyncReadExt as _;
use trainyard_net::{Limits, Protocols};

use crate::support::{IDLE, LARGE, PATIENCE, Server, get, rest, send};

fn limits() -> Limits {
    let mut limits = Limits::new(100);
    limits.idle = IDLE;
    limits
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_closed() {
    const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    // An empty SETTINGS frame, and its acknowledgement.
    const SETTINGS: &str = "\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0";
    for protocols in [Protocols::Http1, Protocols::Both] {
        let server = Server::start(limits(), protocols).await;
        let h2 = format!("{PREFACE}{SETTINGS}");
        for said in ["", "P", "PRI * HT", "GET", "GET / HTTP/1.1\r\nhost: x\r\n", h2.as_str()] {
            let mut stream = server.connect().await;
            send(&mut stream, said).await;
            // That this ends is what is tested.
            rest(&mut stream).await;
        }
        // Between two requests, too.
        let mut stream = server.connect().await;
        send(&mut stream, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(rest(&mut stream).await.ends_with("healthy"));
        assert_eq!(server.stop().await.finish(PATIENCE).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_reads_is_given_up() {
    let server = Server::start(limits(), Protocols::Both).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // Not read, but not closed either: the server must let go by itself.
    let open = server.stop().await;
    assert_eq!(open.finish(PATIENCE).await, 0);
    let mut bytes = Vec::new();
    let _reset = stream.read_to_end(&mut bytes).await;
    assert!(bytes.len() < LARGE, "{} bytes", bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_read_slowly_arrives_whole() {
    let server = Server::start(limits(), Protocols::Http1).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let mut total = 0;
    let mut part = vec![0; 8 << 20];
    loop {
        tokio::time::sleep(IDLE / 10).await;
        match stream.read(&mut part).await.unwrap() {
            0 => break,
            bytes => total += bytes,
        }
    }
    assert!(total > LARGE, "{total} bytes");
    assert!(get(&server, "/health").await.ends_with("healthy"));
}
