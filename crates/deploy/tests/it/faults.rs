//! Faults of strangers say nothing about a new version, and hide nothing of it.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trainyard_deploy::{Error, ReleaseSpec, status};

use crate::client::{Load, ask, get, raw_head};
use crate::stage::Stage;

/// Each kind of fault so often: enough of any one to condemn a version if it counted.
const EACH: usize = 25;

const CHUNKED: &str = "POST /count HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";

/// Sends bytes and closes the connection without a word.
async fn hang_up_after(address: SocketAddr, bytes: &str) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    // The request is on its way before the end is.
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(stream);
}

/// Everything that strangers do wrong.
async fn commit_faults(stage: &Stage) {
    let address = stage.address();
    let malformed = format!("{CHUNKED}4\r\nfour\r\nZZ\r\n\r\n");
    let cut = format!("{CHUNKED}4\r\nfo");
    let half = "POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf";
    let waiting = "POST /slow?3000 HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n[1]";
    let oversized = "POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n";
    // More than the limit, in a chunk that says so and in bytes that come.
    let large = {
        let mut bytes = format!("{CHUNKED}900000\r\n").into_bytes();
        bytes.resize(bytes.len() + (9 << 20), b'x');
        bytes
    };
    for _ in 0..EACH {
        let (head, ..) = tokio::join!(
            raw_head(address, malformed.as_bytes()),
            hang_up_after(address, &cut),
            hang_up_after(address, half),
            hang_up_after(address, waiting),
            raw_head(address, oversized.as_bytes()),
            get(address, "/teapot"),
        );
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    }
    let head = raw_head(address, &large).await;
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
}

/// A body that comes in two pieces, with a pause between them in which any answer would be late.
async fn slow_upload(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        "POST /count HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 4\r\n\r\nha";
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    stream.write_all(b"lf").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A version that is watched for long, and judged by time as well.
fn watched(name: &str) -> ReleaseSpec {
    let mut spec = Stage::spec(name);
    spec.bake = Duration::from_mins(10);
    spec.bake_limits.latency = Some(Duration::from_secs(4));
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_clients_veto_no_release() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let green = watched("green");
    let releasing = stage.release(&green);
    let attack = async {
        stage.wait_step("switched").await;
        commit_faults(&stage).await;
        let uploads = (0..EACH).map(|_| slow_upload(stage.address()));
        for answer in futures::future::join_all(uploads).await {
            assert!(answer.ends_with("green 4"), "{answer}");
        }
        for _ in 0..EACH {
            let answer = ask(stage.address(), Method::POST, "/predict", "[1]").await.unwrap();
            assert_eq!(answer, (StatusCode::OK, "green".to_owned()));
        }
        stage.wait_metric("trainyard_gateway_faults_total{of=\"client\"}", 5 * EACH as u64).await;
        // The judge looks several times a second.
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    tokio::select! {
        released = releasing => panic!("the bake ended: {released:?}"),
        () = attack => {}
    }
    let route = status(&stage.service).await.unwrap().gateway.unwrap().route;
    assert_eq!((route.went_back, route.current.unwrap().id.as_str()), (None, "r2"));
    let failures = "trainyard_gateway_target_failures_total{id=\"r2\",role=\"current\"}";
    assert_eq!(stage.metric(failures).await, 0);
    assert_eq!(stage.metric("trainyard_gateway_faults_total{of=\"instance\"}").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_clients_hide_no_bad_version() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    for _ in 0..4 {
        commit_faults(&stage).await;
    }
    let mut green = watched("green");
    green.env.push(("FAIL_AFTER_MS".to_owned(), "0".to_owned()));
    let load = Load::start(stage.address(), 2);
    let strangers = async {
        stage.wait_step("switched").await;
        loop {
            commit_faults(&stage).await;
        }
    };
    let released = tokio::select! {
        released = stage.release(&green) => released,
        () = strangers => unreachable!(),
    };
    let Err(Error::WentBack { reason, .. }) = released else { panic!("{released:?}") };
    assert!(reason.contains("requests got an error (0.0 % before)"), "{reason}");
    let seen = load.finish().await;
    assert!(seen.answers["blue"] > 0, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_hangs_is_judged_though_its_clients_give_up() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let mut green = watched("green");
    green.bake_limits.latency = Some(Duration::from_millis(100));
    let impatient = || async {
        stage.wait_step("switched").await;
        loop {
            let asked = ask(stage.address(), Method::POST, "/stuck?green", "[1]");
            let _gave_up = tokio::time::timeout(Duration::from_millis(200), asked).await;
        }
    };
    let released = tokio::select! {
        released = stage.release(&green) => released,
        _never = futures::future::join_all((0..8).map(|_| impatient())) => unreachable!(),
    };
    let Err(Error::WentBack { reason, .. }) = released else { panic!("{released:?}") };
    assert!(reason.contains("answers took longer than 100 ms"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_the_instances_fault() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let mut stream = TcpStream::connect(stage.address()).await.unwrap();
    // It mirrors what comes until it is killed.
    let head = format!("{}4\r\nfour\r\n", CHUNKED.replace("/count", "/mirror"));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"4\r\nfour\r\n") {
        assert!(stream.read_buf(&mut heard).await.unwrap() > 0);
    }
    stage.kill(stage.backends()[0]).await;
    let mut rest = Vec::new();
    let _broken = stream.read_to_end(&mut rest).await;
    let failures = "trainyard_gateway_target_failures_total{id=\"r1\",role=\"current\"}";
    stage.wait_metric(failures, 1).await;
    let (status, body) = ask(stage.address(), Method::POST, "/predict", "[1]").await.unwrap();
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(!body.contains("127.0.0.1") && !body.contains("os error"), "{body}");
}
