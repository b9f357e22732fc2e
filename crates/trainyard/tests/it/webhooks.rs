//! Webhooks of `trainyard server`, whose process dies at the worst moments.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trainyard_testkit::{KillOnDrop, free_port, wait_until_ready};

use crate::project::trainyard;

/// How often the server is killed, each time right after it acknowledged a change.
const KILLS: usize = 3;

fn start(folder: &Path, port: u16) -> KillOnDrop {
    let mut command = trainyard();
    command
        .current_dir(folder)
        .args(["server", "--port", &port.to_string(), "--webhook-allow", "127.0.0.1"])
        // What was under way when the server died is due again soon after.
        .env("MLFLOW_WEBHOOK_REQUEST_TIMEOUT", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let server = KillOnDrop::spawn(&mut command);
    wait_until_ready(port, Duration::from_mins(1));
    server
}

/// Posts until the server, which may still be opening its database, takes it.
fn post(port: u16, path: &str, body: &Value) {
    let body = body.to_string();
    let request = format!(
        "POST /api/2.0/mlflow/{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            let _reset = stream.write_all(request.as_bytes());
            let _cut_off = stream.read_to_string(&mut answer);
        }
        if answer.starts_with("HTTP/1.1 200") {
            return;
        }
        assert!(!answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(Instant::now() < deadline, "{answer}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The page of webhooks.
fn page(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request =
        format!("GET /webhooks HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

/// A receiver that takes everything, and the aliases that it is told of.
pub(crate) fn receiver() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/SECRET-7261", listener.local_addr().unwrap());
    let (sender, told) = channel();
    // Ends with the tests' process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut text = Vec::new();
            let mut part = [0; 4096];
            let body = loop {
                if let Some(start) = text.windows(4).position(|window| window == b"\r\n\r\n")
                    && let Ok(body) = serde_json::from_slice::<Value>(&text[start + 4..])
                {
                    break Some(body);
                }
                match stream.read(&mut part) {
                    Ok(read) if read > 0 => text.extend_from_slice(&part[..read]),
                    // Its sender was killed.
                    _ => break None,
                }
            };
            let Some(body) = body else { continue };
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _killed = stream.write_all(answer);
            let alias = body["data"]["alias"].as_str().unwrap_or_default().to_owned();
            if sender.send(alias).is_err() {
                return;
            }
        }
    });
    (url, told)
}

#[test]
fn what_was_acknowledged_is_told_although_the_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let (url, told) = receiver();
    let mut server = start(folder.path(), port);
    let events = json!([{ "entity": "MODEL_VERSION_ALIAS", "action": "CREATED" }]);
    post(port, "webhooks", &json!({ "name": "w", "url": url, "events": events }));
    post(port, "registered-models/create", &json!({ "name": "m" }));
    post(port, "model-versions/create", &json!({ "name": "m", "source": "s3://b/x" }));
    let mut wanted = BTreeSet::new();
    for number in 0..KILLS {
        let alias = format!("a{number}");
        let body = json!({ "name": "m", "alias": alias, "version": "1" });
        post(port, "registered-models/alias", &body);
        server.kill();
        wanted.insert(alias);
        server = start(folder.path(), port);
    }
    // Some may come twice, none may be missing.
    while !wanted.is_empty() {
        let alias = told.recv_timeout(Duration::from_mins(1)).expect("a webhook is told");
        wanted.remove(&alias);
    }
    let deadline = Instant::now() + Duration::from_mins(1);
    let shown = loop {
        let shown = page(port);
        let is_over = !shown.contains(">pending<") && !shown.contains(">sending<");
        if shown.contains(">delivered<") && is_over {
            break shown;
        }
        assert!(Instant::now() < deadline, "{shown}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(shown.contains("model_version_alias.created"), "{shown}");
    assert!(!shown.contains("SECRET-7261"), "{shown}");
    drop(server);
}

#[test]
fn receivers_that_are_neither_hosts_nor_networks_are_refused_at_once() {
    let refused =
        trainyard().args(["server", "--port", "0", "--webhook-allow", "10.0.0.0/99"]).output();
    let refused = refused.unwrap();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(text.contains("--webhook-allow") && text.contains("10.0.0.0/99"), "{text}");
}
