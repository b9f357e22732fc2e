//! What passes through the gateway, and what does not.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{ask, connect, get, request, text};
use crate::stage::Stage;

async fn stage() -> Stage {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    stage
}

/// What comes back for raw bytes, until the other side closes or says nothing more for half a second.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    // The first words may take as long as they want.
    let mut patience = Duration::from_mins(1);
    while let Ok(Ok(count @ 1..)) = tokio::time::timeout(patience, stream.read(&mut buffer)).await {
        answer.extend_from_slice(&buffer[..count]);
        patience = Duration::from_millis(500);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_cleaned_and_added() {
    let stage = stage().await;
    let mut sender = connect(stage.address()).await.unwrap();
    let asked = Request::get("/headers")
        .header("host", "model.example:8080")
        .header("connection", "keep-alive, x-private")
        .header("x-private", "1")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-request-id", "abc-123")
        .header("authorization", "Bearer t")
        .body(Full::new(Bytes::new()))
        .unwrap();
    let response = sender.send_request(asked).await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "abc-123");
    let (_, seen) = text(response).await.unwrap();
    for part in [
        r#""x-forwarded-for": "203.0.113.9, 127.0.0.1""#,
        r#""x-forwarded-proto": "http""#,
        r#""x-forwarded-host": "model.example:8080""#,
        r#""host": "model.example:8080""#,
        r#""x-request-id": "abc-123""#,
        r#""authorization": "Bearer t""#,
    ] {
        assert!(seen.contains(part), "{part} is missing in {seen}");
    }
    assert!(!seen.contains("x-private"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_both_ways_at_once() {
    let stage = stage().await;
    let mut stream = TcpStream::connect(stage.address()).await.unwrap();
    let head = b"POST /mirror HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut heard = Vec::new();
    for word in ["one", "two", "three"] {
        let chunk = format!("{:x}\r\n{word}\r\n", word.len());
        stream.write_all(chunk.as_bytes()).await.unwrap();
        // Nothing more is sent before this has come back, so nobody on the way can be collecting.
        while !heard.ends_with(chunk.as_bytes()) {
            assert!(stream.read_buf(&mut heard).await.unwrap() > 0, "{heard:?}");
        }
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    while !heard.ends_with(b"\r\n0\r\n\r\n") {
        assert!(stream.read_buf(&mut heard).await.unwrap() > 0, "{heard:?}");
    }
    assert!(heard.starts_with(b"HTTP/1.1 200 "), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_pass_up_to_the_limit() {
    let stage = stage().await;
    let large = vec![7_u8; 5 << 20];
    let answer = ask(stage.address(), Method::POST, "/count", large.clone()).await.unwrap();
    assert_eq!(answer, (StatusCode::OK, format!("blue {}", 5 << 20)));
    // Declared too large: refused before anything is read.
    let head = b"POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n";
    assert!(raw(stage.address(), head).await.starts_with("HTTP/1.1 413 "));
    // Not declared: refused when it gets too large.
    let mut chunked =
        b"POST /count HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..9 {
        chunked.extend_from_slice(b"100000\r\n");
        chunked.extend_from_slice(&vec![b'x'; 1 << 20]);
        chunked.extend_from_slice(b"\r\n");
    }
    let mut stream = TcpStream::connect(stage.address()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut answer = [0; 12];
    let (_sent, read) = tokio::join!(writer.write_all(&chunked), reader.read_exact(&mut answer));
    read.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_on_when_the_answer_comes_early() {
    let stage = stage().await;
    let mut stream = TcpStream::connect(stage.address()).await.unwrap();
    for _ in 0..2 {
        let head =
            format!("POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 7 << 20);
        stream.write_all(head.as_bytes()).await.unwrap();
        // A client that looks at the answer only when it has sent everything.
        for _ in 0..7 {
            stream.write_all(&vec![7; 1 << 20]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut answer = vec![0; 1024];
        let count = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("early"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_and_oversized_requests_are_refused() {
    let stage = stage().await;
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx-long: {}\r\n\r\n", "x".repeat(100_000));
    let answer = raw(stage.address(), long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many: String =
        (0..200).map(|number| format!("x-{number}: 1\r\n")).collect::<Vec<_>>().concat();
    let answer =
        raw(stage.address(), format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let answer = raw(stage.address(), b"NONSENSE\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let smuggled =
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcde";
    let answer = raw(stage.address(), smuggled).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(get(stage.address(), "/").await.unwrap().0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrades_pass_both_ways_and_count_as_in_flight() {
    let stage = stage().await;
    let mut sender = connect(stage.address()).await.unwrap();
    let asked = Request::get("/echo")
        .header("host", "a")
        .header("connection", "Upgrade")
        .header("upgrade", "echo")
        .body(Full::new(Bytes::new()))
        .unwrap();
    let response = sender.send_request(asked).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.headers()["upgrade"], "echo");
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    let mut heard = [0; 5];
    stream.write_all(b"hello").await.unwrap();
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");

    // The tunnel goes on through a switch, and the old instance waits for it.
    let mut green = Stage::spec("green");
    green.drain_limit = Duration::from_secs(20);
    let talk = async {
        while get(stage.address(), "/").await.unwrap().1 != "green" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stream.write_all(b"still").await.unwrap();
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"still");
        drop(stream);
    };
    let (released, ()) = tokio::join!(stage.release(&green), talk);
    released.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_clients_are_served() {
    let stage = stage().await;
    let stream = TcpStream::connect(stage.address()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        TokioIo::new(stream),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let asked = Request::post(format!("http://{}/count", stage.address()))
        .body(Full::new(Bytes::from_static(b"four")))
        .unwrap();
    let (status, body) = text(sender.send_request(asked).await.unwrap()).await.unwrap();
    assert_eq!((status, body.as_str()), (StatusCode::OK, "blue 4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_take_little_memory() {
    // Other tests of this process have connections too.
    trainyard_net::descriptors::raise();
    let stage = stage().await;
    let [gateway] = stage.gateways()[..] else { panic!() };
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{gateway}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = resident();
    let mut senders = Vec::new();
    for _ in 0..1000 {
        senders.push(connect(stage.address()).await.unwrap());
    }
    let answers = senders
        .iter_mut()
        .map(|sender| sender.send_request(request(Method::POST, "/slow?500", "[1]")));
    for answer in futures::future::join_all(answers).await {
        let (status, body) = text(answer.unwrap()).await.unwrap();
        assert_eq!((status, body.as_str()), (StatusCode::OK, "blue"));
    }
    let after = resident();
    println!("1000 connections with a request in flight each: {before} -> {after} kB resident");
    assert!(after - before < 100_000, "{before} -> {after} kB");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_on_the_control_socket() {
    let stage = stage().await;
    get(stage.address(), "/").await.unwrap();
    let stream = tokio::net::UnixStream::connect(stage.root().join("gateway.sock")).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (status, page) =
        text(sender.send_request(request(Method::GET, "/metrics", "")).await.unwrap())
            .await
            .unwrap();
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("trainyard_gateway_responses_total{class=\"2xx\"} 1"), "{page}");
    assert!(
        page.contains("trainyard_gateway_target_requests_total{id=\"r1\",role=\"current\"} 1"),
        "{page}"
    );
    let mode = std::fs::metadata(stage.root().join("gateway.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "only the owner may steer the gateway");
}
