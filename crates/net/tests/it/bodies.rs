//! Bodies that never come, and bodies that come slowly but come.

use std::time::Duration;

use trainyard_net::{Limits, Protocols};

use crate::support::{IDLE, PATIENCE, Server, rest, send};

const HEAD: &str = "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ";

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_answered() {
    let mut limits = Limits::new(10);
    limits.body_grace = IDLE;
    let server = Server::start(limits, Protocols::Both).await;
    for part in ["", "half"] {
        let mut stream = server.connect().await;
        send(&mut stream, &format!("{HEAD}1000\r\n\r\n{part}")).await;
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains(&format!("{} bytes in", part.len())), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_above_the_least_rate_is_read() {
    let mut limits = Limits::new(10);
    limits.body_grace = Duration::from_mins(1);
    // Shorter than the body takes: a connection that is being read is not idle.
    limits.idle = IDLE;
    let server = Server::start(limits, Protocols::Both).await;
    let mut stream = server.connect().await;
    send(&mut stream, &format!("{HEAD}5\r\n\r\n")).await;
    for byte in ["h", "e", "l", "l", "o"] {
        tokio::time::sleep(IDLE).await;
        send(&mut stream, byte).await;
    }
    assert!(rest(&mut stream).await.ends_with("hello"));
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_that_are_refused_are_answered_at_once() {
    let mut limits = Limits::new(10);
    limits.is_strict = true;
    limits.body_grace = 2 * PATIENCE;
    let server = Server::start(limits, Protocols::Both).await;
    let mut stream = server.connect().await;
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    // The client goes on waiting, and says no more.
    send(&mut stream, &format!("{head}1\r\nx\r\n0\r\na: b\n\r\n")).await;
    let answer = rest(&mut stream).await;
    assert!(answer.ends_with("the body broke off"), "{answer}");
}
