//! What an operator does to a running gateway: pause it, close it, look at it, replace it.

use std::process::{Command, Stdio};
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;
use trainyard_deploy::gateway::Mode;
use trainyard_deploy::{metrics, set_mode, status, upgrade};

use crate::client::{Load, ask, connect, get, request, text};
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_requests_and_maintenance_turns_them_away() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    set_mode(&stage.service, &Mode::Paused { hold_ms: 30_000 }).await.unwrap();
    let held: Vec<_> = (0..20)
        .map(|_| tokio::spawn(ask(stage.address(), Method::POST, "/predict", "[1]")))
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(held.iter().all(|request| !request.is_finished()));
    set_mode(&stage.service, &Mode::Open).await.unwrap();
    for request in held {
        assert_eq!(request.await.unwrap().unwrap(), (StatusCode::OK, "blue".to_owned()));
    }
    set_mode(&stage.service, &Mode::Paused { hold_ms: 50 }).await.unwrap();
    let (status_code, body) = get(stage.address(), "/").await.unwrap();
    assert_eq!(status_code, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("paused; held for 0.1 s"), "{body}");

    let message = "new database <today>".to_owned();
    let mode = Mode::Maintenance { message, retry_after_s: 120 };
    set_mode(&stage.service, &mode).await.unwrap();
    assert_eq!(status(&stage.service).await.unwrap().gateway.unwrap().mode, mode);
    let mut sender = connect(stage.address()).await.unwrap();
    let answer = sender.send_request(request(Method::GET, "/", "")).await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "120");
    let (status_code, body) = text(answer).await.unwrap();
    assert_eq!(status_code, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains(r#""error":"new database <today>""#), "{body}");
    let mut browser = request(Method::GET, "/", "");
    browser.headers_mut().insert("accept", "text/html,*/*".parse().unwrap());
    let answer = sender.send_request(browser).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    assert!(text(answer).await.unwrap().1.contains("<p>new database &lt;today&gt;</p>"));
    // It is remembered by the next gateway.
    upgrade(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(get(stage.address(), "/").await.unwrap().0, StatusCode::SERVICE_UNAVAILABLE);
    set_mode(&stage.service, &Mode::Open).await.unwrap();
    assert_eq!(get(stage.address(), "/").await.unwrap().0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_gateway_takes_over_under_load_without_a_gap() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let url = format!("http://{}/", stage.address());
    let wrk = Command::new("wrk")
        .args(["-t", "1", "-c", "16", "-d", "8s", "--timeout", "20s", &url])
        .stdout(Stdio::piped())
        .spawn()
        .expect("wrk is set up by `cargo xtask setup`");
    let load = Load::start(stage.address(), 4);
    let slow = tokio::spawn(get(stage.address(), "/slow?4000"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..3 {
        let before = stage.gateways();
        upgrade(&stage.service, &|_| {}).await.unwrap();
        let after = stage.gateways();
        assert_eq!(after.len(), 1, "{:?}", stage.processes());
        assert_ne!(before, after);
    }
    assert_eq!(slow.await.unwrap().unwrap(), (StatusCode::OK, "blue".to_owned()));
    // The new one deploys as the old one did.
    stage.release(&Stage::spec("green")).await.unwrap();
    let output = tokio::task::spawn_blocking(|| wrk.wait_with_output()).await.unwrap().unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(!report.contains("Socket errors") && !report.contains("Non-2xx"), "{report}");
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    assert_eq!(seen.answers.len(), 2, "{:?}", seen.answers);
    println!("{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_dies_changes_nothing() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let before = stage.gateways();
    // Connects as a successor does, takes the sockets and goes away without a word.
    for _ in 0..3 {
        drop(std::os::unix::net::UnixStream::connect(stage.root().join("handover.sock")).unwrap());
    }
    assert_eq!(get(stage.address(), "/").await.unwrap().0, StatusCode::OK);
    assert_eq!(stage.gateways(), before);
    upgrade(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(get(stage.address(), "/").await.unwrap().0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_logged_and_counted_where_that_is_wanted() {
    let mut stage = Stage::new();
    let scraped = std::net::SocketAddr::from(([127, 0, 0, 1], trainyard_testkit::free_port()));
    stage.service.gateway.access_log = true;
    stage.service.gateway.metrics_listen = Some(scraped);
    stage.release(&Stage::spec("blue")).await.unwrap();
    for _ in 0..3 {
        ask(stage.address(), Method::POST, "/predict?q=1", "[1]").await.unwrap();
    }
    let log = stage.root().join("access.log");
    let lines = loop {
        let text = std::fs::read_to_string(&log).unwrap();
        if text.lines().count() >= 3 {
            break text;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["method"], &last["path"]), (&"POST".into(), &"/predict".into()));
    assert_eq!((&last["status"], &last["instance"]), (&200.into(), &"r1".into()));
    let (status_code, page) = get(scraped, "/metrics").await.unwrap();
    assert_eq!(status_code, StatusCode::OK);
    for page in [page, metrics(&stage.service).await.unwrap()] {
        let line = r#"trainyard_gateway_target_requests_total{id="r1",role="current"} 3"#;
        assert!(page.contains(line), "{page}");
    }
    assert_eq!(get(scraped, "/").await.unwrap().0, StatusCode::NOT_FOUND);
}
