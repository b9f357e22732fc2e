//! Real requests, damaged at random: whatever arrives, the answer is no 5xx, and it comes soon.
//!
//! The recorded exchanges are the seeds; their bodies, queries and filters lose, repeat and swap
//! pieces. `TRAINYARD_TEST_MUTATIONS` asks for another number of requests, `_SEED` for others.
//! `fuzz/` has the same as targets with coverage.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use http::Request;
use proptest::test_runner::{RngAlgorithm, TestRng};
use rand::RngExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use trainyard_tracking::open;
use trainyard_tracking::server::{ServerOptions, app};

use crate::store::{options, uri};

/// Requests of one test run.
const MUTATIONS: usize = 4000;
/// Longest time of one answer, in a build for tests on a busy machine: hundreds of times the usual.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Pieces that parsers stumble over.
const SPICE: &[&str] = &[
    "'",
    "\"",
    "`",
    "\\",
    "(",
    ")",
    "((((((((",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "%",
    "%00",
    "%ff",
    "\0",
    "\u{feff}",
    "é",
    "\u{202e}",
    " AND ",
    " OR ",
    " NOT ",
    " BETWEEN ",
    " IN (",
    " LIKE ",
    "!=",
    ">=",
    "=",
    "--",
    ";",
    "/*",
    "null",
    "true",
    "NaN",
    "Infinity",
    "-0",
    "1e999",
    "1e-999",
    "9223372036854775808",
    "-9223372036854775809",
    "0.1",
    "metrics.",
    "params.",
    "tags.`a`",
    "attributes.",
    "datasets.",
    "../",
    "mlflow.runName",
    "DESC",
    "page_token",
    "max_results",
];

#[derive(Clone)]
struct Seed {
    method: String,
    path: String,
    body: Option<Vec<u8>>,
}

fn seeds() -> Vec<Seed> {
    let read = |line: &str| {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let path = exchange["path"].as_str().unwrap().to_owned();
        // Nothing is looked up in the network.
        if path.contains("webhooks") {
            return None;
        }
        let body = match (&exchange["body"], exchange["raw"].as_str()) {
            (Value::Null, raw) => raw.map(|raw| raw.as_bytes().to_vec()),
            (body, _) => Some(body.to_string().into_bytes()),
        };
        Some(Seed { method: exchange["method"].as_str().unwrap().to_owned(), path, body })
    };
    include_str!("../conformance/exchanges.jsonl").lines().filter_map(read).collect()
}

/// Damages a text in one to four places.
fn damage(bytes: &mut Vec<u8>, rng: &mut impl rand::Rng) {
    for _ in 0..rng.random_range(1..=4) {
        let place = rng.random_range(0..=bytes.len());
        let end = rng.random_range(place..=bytes.len().min(place + 40));
        match rng.random_range(0..6) {
            0 => drop(bytes.drain(place..end)),
            1 => {
                let piece: Vec<u8> = bytes[place..end].to_vec();
                let times = if rng.random_range(0..50) == 0 { 2000 } else { 2 };
                bytes.splice(place..place, piece.repeat(times));
            }
            2 => bytes.truncate(place),
            3 if !bytes.is_empty() => {
                let place = place.min(bytes.len() - 1);
                bytes[place] = rng.random();
            }
            _ => {
                let piece = SPICE[rng.random_range(0..SPICE.len())];
                bytes.splice(place..place, piece.bytes());
            }
        }
    }
}

/// A path that is still one of HTTP, however damaged its query is.
fn damaged_path(path: &str, rng: &mut impl rand::Rng) -> String {
    let Some((path, query)) = path.split_once('?') else { return path.to_owned() };
    let mut query = query.as_bytes().to_vec();
    damage(&mut query, rng);
    let keep = |byte: &u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(byte);
    let query: String =
        query.iter().filter(|byte| keep(byte)).map(|byte| char::from(*byte)).collect();
    format!("{path}?{query}")
}

async fn send(app: &Router, seed: &Seed) -> (u16, String) {
    let mut request =
        Request::builder().method(seed.method.as_str()).uri(&seed.path).header("host", "127.0.0.1");
    if seed.body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = Body::from(seed.body.clone().unwrap_or_default());
    let Ok(request) = request.body(body) else { return (400, "no request at all".to_owned()) };
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let answer = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8_lossy(&answer).into_owned())
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[tokio::test]
async fn damaged_requests_are_never_the_servers_fault() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&uri(&folder), options(&folder)).unwrap();
    let app = app(store.clone(), &ServerOptions::default(), Router::new()).unwrap();
    let seeds = seeds();
    // What the damaged ones ask for should be there.
    for seed in &seeds {
        send(&app, seed).await;
    }
    let seed_number = number("TRAINYARD_TEST_MUTATIONS_SEED", 1) as u64;
    let mut start = [0; 32];
    start[..8].copy_from_slice(&seed_number.to_le_bytes());
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &start);
    let mut refused = 0;
    let count = number("TRAINYARD_TEST_MUTATIONS", MUTATIONS);
    for _ in 0..count {
        let mut seed = seeds[rng.random_range(0..seeds.len())].clone();
        seed.path = damaged_path(&seed.path, &mut rng);
        if let Some(body) = &mut seed.body {
            damage(body, &mut rng);
        }
        let started = Instant::now();
        let (status, answer) = send(&app, &seed).await;
        let body = seed.body.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        // 501 and 503 say what is not here.
        assert!(
            status < 500 || matches!(status, 501 | 503),
            "{status} {answer}\n{} {}\n{body}",
            seed.method,
            seed.path
        );
        let took = started.elapsed();
        assert!(took < ANSWER_MAX, "{took:?} for {} {}\n{body:.500}", seed.method, seed.path);
        refused += usize::from(status >= 400);
    }
    // Damage is neither harmless nor always fatal.
    assert!(refused > count / 10 && refused < count, "{refused} of {count} were refused");
}
