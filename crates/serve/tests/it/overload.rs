//! Clients that ask too much, too slowly, or go away; and stopping in the middle of it all.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Running, folder};

const BODY: &str = r#"{"inputs": [[5.1, 3.5, 1.4, 0.2]]}"#;

async fn raw(server: &Running, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the answer is an end as well.
    let _reset = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

fn head(length: usize) -> String {
    format!(
        "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn bodies_over_the_limit_are_413() {
    let mut options = folder("onnx_rf");
    options.limits.body_bytes_max = 1000;
    let server = Running::ready(options).await;
    let claimed = server.post("/invocations", "x".repeat(1001)).await;
    assert_eq!(claimed.status, 413);
    // Without a length the limit is found on the way.
    let chunks = (0..100).map(|_| Ok::<_, std::io::Error>("x".repeat(100)));
    let streamed = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    assert_eq!(server.post_as("/invocations", "application/json", streamed).await.status, 413);
    assert_eq!(server.post("/invocations", BODY).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn deep_and_broken_bodies_are_400() {
    let server = Running::ready(folder("onnx_rf")).await;
    let deep = format!("{{\"inputs\": {}", "[".repeat(1_000_000));
    for body in [deep.as_str(), "", "{", "\u{0}", "{\"inputs\": [[1, 2, 3, 4]]", "[]", "nul"] {
        let answer = server.post("/invocations", body.to_owned()).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert_eq!(answer.json()["error_code"], "BAD_REQUEST");
    }
    let answer = server.post_as("/invocations", "application/json", vec![0xff, 0xfe]).await;
    assert_eq!(answer.status, 400);
    assert_eq!(server.post("/invocations", BODY).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn large_bodies_are_predicted_off_the_runtime() {
    let server = Running::ready(folder("onnx_rf")).await;
    let rows = vec!["[5.1, 3.5, 1.4, 0.2]"; 20_000].join(", ");
    let answer = server.post("/invocations", format!("{{\"inputs\": [{rows}]}}")).await;
    assert_eq!(answer.json()["predictions"]["output_label"].as_array().unwrap().len(), 20_000);
    server.stop().await;
}

#[tokio::test]
async fn too_many_requests_at_once_are_429() {
    let mut options = folder("onnx_rf");
    options.limits.concurrency_max = 1;
    let server = Running::ready(options).await;
    // The first holds the only place with half a body.
    let mut slow = raw(&server, &head(BODY.len())).await;
    slow.write_all(&BODY.as_bytes()[..5]).await.unwrap();
    let started = Instant::now();
    let answer = loop {
        let answer = server.post("/invocations", BODY).await;
        if answer.status == 429 {
            break answer;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{answer:?}");
    };
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.json()["error_code"], "REQUEST_LIMIT_EXCEEDED");
    assert_eq!(server.get("/health").await.status, 200);
    slow.write_all(&BODY.as_bytes()[5..]).await.unwrap();
    let mut start = [0; 12];
    slow.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    drop(slow);
    server.stop().await;
}

#[tokio::test]
async fn slow_clients_are_cut() {
    let mut options = folder("onnx_rf");
    options.limits.header_timeout = Duration::from_secs(1);
    options.limits.request_timeout = Duration::from_secs(2);
    let server = Running::ready(options).await;
    let headers = raw(&server, "POST /invocations HTTP/1.1\r\nHost: x\r\n").await;
    let body = raw(&server, &format!("{}{{", head(100))).await;
    let headers = rest(headers).await;
    assert!(headers.is_empty() || headers.starts_with("HTTP/1.1 408"), "{headers}");
    let body = rest(body).await;
    assert!(body.starts_with("HTTP/1.1 504"), "{body}");
    assert!(body.contains("Request processing time exceeded limit"), "{body}");
    server.stop().await;
}

#[tokio::test]
async fn clients_that_go_away_leave_nothing_behind() {
    let server = Running::ready(folder("onnx_rf")).await;
    for _ in 0..50 {
        drop(raw(&server, &format!("{}{{", head(100))).await);
    }
    let started = Instant::now();
    while server.metric("trainyard_http_connections").await > 2.0 {
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(server.metric("trainyard_http_requests_in_flight").await, 1.0, "only its own");
    server.stop().await;
}

#[tokio::test]
async fn stopping_lets_requests_in_flight_finish() {
    let mut server = Running::ready(folder("onnx_rf")).await;
    let mut slow = raw(&server, &head(BODY.len())).await;
    slow.write_all(&BODY.as_bytes()[..5]).await.unwrap();
    while server.metric("trainyard_http_requests_in_flight").await < 2.0 {}
    server.tell_to_stop();
    let started = Instant::now();
    while TcpStream::connect(server.address).await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(10), "still accepts");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    slow.write_all(&BODY.as_bytes()[5..]).await.unwrap();
    let answer = rest(slow).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let mut options = folder("onnx_rf");
    options.limits.drain_timeout = Duration::from_millis(100);
    let server = Running::ready(options).await;
    let _stuck = raw(&server, &format!("{}{{", head(100))).await;
    let started = Instant::now();
    server.stop().await;
    assert!(started.elapsed() < Duration::from_secs(20));
}
