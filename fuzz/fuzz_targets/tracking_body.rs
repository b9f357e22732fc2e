//! Any bytes as the body of a request: the first one chooses the route. Never a 5xx.

#![no_main]

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use http::Request;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;
use trainyard_tracking::server::{ServerOptions, app};
use trainyard_tracking::{OpenOptions, open};

const ROUTES: &[&str] = &[
    "experiments/create",
    "experiments/search",
    "runs/create",
    "runs/update",
    "runs/search",
    "runs/log-metric",
    "runs/log-batch",
    "runs/log-inputs",
    "runs/outputs",
    "logged-models",
    "logged-models/search",
    "registered-models/create",
    "registered-models/alias",
    "model-versions/create",
    "../../../graphql",
];

static APP: LazyLock<Router> = LazyLock::new(|| {
    let store = open("sqlite://", OpenOptions::default()).expect("a store in memory");
    app(store, &ServerOptions::default(), Router::new()).expect("an app")
});
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let route = ROUTES[usize::from(*first) % ROUTES.len()];
    let path = match route {
        "../../../graphql" => "/graphql".to_owned(),
        route => format!("/api/2.0/mlflow/{route}"),
    };
    let request = Request::post(path)
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .body(Body::from(body.to_vec()))
        .expect("a request");
    let response = RUNTIME.block_on(APP.clone().oneshot(request)).expect("an answer");
    assert!(response.status().as_u16() < 500, "{}", response.status());
});
