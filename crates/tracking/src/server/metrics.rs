//! Counters and latencies, as Prometheus reads them.

use std::sync::OnceLock;
use std::time::Duration;

use http::{Method, StatusCode};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const REQUESTS: &str = "trainyard_http_requests_total";
const SECONDS: &str = "trainyard_http_request_duration_seconds";
const CONNECTIONS: &str = "trainyard_http_connections";

/// Upper bounds in seconds, from an in-memory lookup to a client's timeout.
const BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// How often the exporter's buffers are drained; without it they grow until the next scrape.
const UPKEEP_SECONDS: u64 = 5;

/// The recorder of this process, installed at the first call. None if another part of the process
/// has installed one that this server was not told of.
pub(super) fn recorder() -> Option<PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
                .ok()?;
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::debug!("another metrics recorder is installed; /metrics is off");
                return None;
            }
            describe();
            spawn_upkeep(handle.clone());
            Some(handle)
        })
        .clone()
}

fn describe() {
    describe_counter!(REQUESTS, "Requests answered, by route, method and status");
    describe_histogram!(SECONDS, "Seconds from the head of a request to the head of its answer");
    describe_gauge!(CONNECTIONS, "Open connections");
}

fn spawn_upkeep(handle: PrometheusHandle) {
    let upkeep = move || {
        loop {
            std::thread::sleep(Duration::from_secs(UPKEEP_SECONDS));
            handle.run_upkeep();
        }
    };
    // A thread, not a task: the recorder outlives any runtime that tests start.
    if let Err(error) = std::thread::Builder::new().name("metrics".to_owned()).spawn(upkeep) {
        tracing::warn!(%error, "the metrics upkeep thread did not start");
    }
}

/// Counts one answer.
pub(super) fn observe(method: &Method, route: &str, status: StatusCode, elapsed: Duration) {
    let method = method_name(method);
    let route = route.to_owned();
    counter!(
        REQUESTS,
        "method" => method,
        "route" => route.clone(),
        "status" => status.as_u16().to_string()
    )
    .increment(1);
    histogram!(SECONDS, "method" => method, "route" => route).record(elapsed.as_secs_f64());
}

/// Labels come from a fixed set, whatever clients send.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
