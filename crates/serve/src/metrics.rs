//! What the server counts, and its `/metrics` page in Prometheus' text format.
//!
//! Plain atomics: a request touches five of them and takes no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use trainyard_base::prometheus::{Histogram, Kind, Page};

use crate::endpoint::Endpoint;

/// What a request asked for; a path that is none of these counts as [`Route::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Predict,
    Invocations,
    OpenInference,
    Explain,
    Health,
    Ping,
    Version,
    Metrics,
    Reload,
    Flush,
    Feedback,
    Webhook,
    Docs,
    Status,
    Other,
}

const ROUTES: [(Route, &str); 15] = [
    (Route::Predict, "/predict"),
    (Route::Invocations, "/invocations"),
    (Route::OpenInference, "/v2/models/infer"),
    (Route::Explain, "/explain"),
    (Route::Health, "/health"),
    (Route::Ping, "/ping"),
    (Route::Version, "/version"),
    (Route::Metrics, "/metrics"),
    (Route::Reload, "/reload"),
    (Route::Flush, "/flush"),
    (Route::Feedback, "/feedback"),
    (Route::Webhook, "/webhook"),
    (Route::Docs, "/docs"),
    (Route::Status, "/"),
    (Route::Other, "other"),
];

/// Statuses the server answers with; anything else counts with the last.
const STATUSES: [u16; 17] =
    [200, 202, 302, 400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 502, 503, 504, 507];

const REQUESTS: &str = "http_requests_total";
const LATENCY: &str = "http_request_duration_seconds";
const LOADS: &str = "model_loads_total";
const INFO: &str = "model_info";
const READY: &str = "model_ready";
const FROM_COPY: &str = "model_from_copy";

/// Upper bounds in seconds: from a tenth of a millisecond, where single rows are, to a minute.
const BUCKETS: [f64; 15] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
    30.0,
];

#[derive(Debug)]
struct RouteMetrics {
    by_status: [AtomicU64; STATUSES.len()],
    latency: Histogram,
}

impl Default for RouteMetrics {
    fn default() -> Self {
        Self {
            by_status: std::array::from_fn(|_| AtomicU64::new(0)),
            latency: Histogram::new(&BUCKETS),
        }
    }
}

/// All counters of a server.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    routes: [RouteMetrics; ROUTES.len()],
    pub(crate) rows: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) in_flight: AtomicI64,
    pub(crate) connections: AtomicI64,
    pub(crate) swaps_succeeded: AtomicU64,
    pub(crate) swaps_failed: AtomicU64,
    pub(crate) log_rows: AtomicU64,
    pub(crate) log_dropped: AtomicU64,
    pub(crate) log_failed: AtomicU64,
    pub(crate) log_removed: AtomicU64,
    pub(crate) log_queued: AtomicI64,
}

impl Metrics {
    /// Counts an answered request.
    pub(crate) fn answered(&self, route: Route, status: u16, elapsed: Duration) {
        let Some(metrics) = self.routes.get(route as usize) else { return };
        let index =
            STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len() - 1);
        if let Some(count) = metrics.by_status.get(index) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        metrics.latency.observe(elapsed);
    }

    /// Requests of each route that was asked: well answered, refused (4xx), failed (5xx).
    pub(crate) fn requests(&self) -> Vec<(&'static str, [u64; 3])> {
        let of = |metrics: &RouteMetrics| {
            let (mut good, mut refused, mut failed) = (0, 0, 0);
            for (status, count) in STATUSES.iter().zip(&metrics.by_status) {
                let sum = match *status {
                    400..=499 => &mut refused,
                    500.. => &mut failed,
                    _ => &mut good,
                };
                *sum += count.load(Ordering::Relaxed);
            }
            [good, refused, failed]
        };
        let all = ROUTES.iter().zip(&self.routes).map(|((_, name), metrics)| (*name, of(metrics)));
        all.filter(|(_, sums)| sums.iter().any(|sum| *sum > 0)).collect()
    }

    /// The page.
    pub(crate) fn render(&self, endpoints: &[Arc<Endpoint>]) -> String {
        let mut page = Page::new("trainyard_");
        self.render_requests(&mut page);
        self.render_counts(&mut page);
        page.head(INFO, Kind::Gauge, "Model versions that serve now.");
        for endpoint in endpoints {
            let Some(served) = endpoint.current() else { continue };
            let alias = served.resolved.alias.as_deref().unwrap_or_default();
            let run_id = served.resolved.run_id.as_deref().unwrap_or_default();
            let labels = [
                ("model", endpoint.name.as_str()),
                ("version", &served.version),
                ("alias", alias),
                ("run_id", run_id),
            ];
            page.sample(INFO, &labels, 1);
        }
        page.head(READY, Kind::Gauge, "Whether the model serves.");
        for endpoint in endpoints {
            let ready = u8::from(endpoint.current().is_some());
            page.sample(READY, &[("model", &endpoint.name)], ready);
        }
        let help = "Whether the model was started from the copy on this disk, and the registry not asked since.";
        page.head(FROM_COPY, Kind::Gauge, help);
        for endpoint in endpoints {
            let is_copy = u8::from(endpoint.status().from_copy.is_some());
            page.sample(FROM_COPY, &[("model", &endpoint.name)], is_copy);
        }
        page.into_text()
    }

    fn render_requests(&self, page: &mut Page) {
        page.head(REQUESTS, Kind::Counter, "Requests by route and status.");
        for ((_, route), metrics) in ROUTES.iter().zip(&self.routes) {
            for (status, count) in STATUSES.iter().zip(&metrics.by_status) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let status = status.to_string();
                    page.sample(REQUESTS, &[("route", route), ("status", &status)], count);
                }
            }
        }
        page.head(LATENCY, Kind::Histogram, "From the headers of a request to its answer.");
        for ((_, route), metrics) in ROUTES.iter().zip(&self.routes) {
            if !metrics.latency.is_empty() {
                page.histogram(LATENCY, &[("route", route)], &metrics.latency);
            }
        }
    }

    fn render_counts(&self, page: &mut Page) {
        let counters = [
            ("prediction_rows_total", "Rows predicted.", &self.rows),
            (
                "panics_total",
                "Requests and models that broke off because of a mistake in the server.",
                &self.panics,
            ),
            ("prediction_log_rows_total", "Rows written to the prediction log.", &self.log_rows),
            (
                "prediction_log_dropped_total",
                "Rows not logged because the queue or the disk was full.",
                &self.log_dropped,
            ),
            (
                "prediction_log_failed_total",
                "Rows not logged because a segment could not be written.",
                &self.log_failed,
            ),
            (
                "prediction_log_removed_total",
                "Files removed from the prediction log because of their age or its size.",
                &self.log_removed,
            ),
        ];
        for (name, help, value) in counters {
            page.single(name, Kind::Counter, help, value.load(Ordering::Relaxed));
        }
        let gauges = [
            ("http_requests_in_flight", "Requests being answered.", &self.in_flight),
            ("http_connections", "Open connections.", &self.connections),
            ("prediction_log_queue", "Requests waiting to be logged.", &self.log_queued),
        ];
        for (name, help, value) in gauges {
            page.single(name, Kind::Gauge, help, value.load(Ordering::Relaxed));
        }
        page.head(LOADS, Kind::Counter, "Versions loaded to serve, by result.");
        for (result, value) in
            [("succeeded", &self.swaps_succeeded), ("failed", &self.swaps_failed)]
        {
            page.sample(LOADS, &[("result", result)], value.load(Ordering::Relaxed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_in_the_order_of_their_numbers() {
        for (index, (route, _)) in ROUTES.iter().enumerate() {
            assert_eq!(*route as usize, index);
        }
    }

    #[test]
    fn the_page_counts_and_escapes() {
        let metrics = Metrics::default();
        metrics.answered(Route::Predict, 200, Duration::from_micros(200));
        metrics.answered(Route::Predict, 400, Duration::from_secs(100));
        metrics.answered(Route::Status, 503, Duration::ZERO);
        assert_eq!(metrics.requests(), [("/predict", [1, 1, 0]), ("/", [0, 0, 1])]);
        let (endpoint, _reloads) =
            Endpoint::new("a\"b".to_owned(), crate::ModelSource::Uri("m".parse().unwrap()));
        let page = metrics.render(&[endpoint]);
        for line in [
            "trainyard_http_requests_total{route=\"/predict\",status=\"200\"} 1",
            "trainyard_http_request_duration_seconds_bucket{route=\"/predict\",le=\"0.0001\"} 0",
            "trainyard_http_request_duration_seconds_bucket{route=\"/predict\",le=\"0.00025\"} 1",
            "trainyard_http_request_duration_seconds_bucket{route=\"/predict\",le=\"+Inf\"} 2",
            "trainyard_http_request_duration_seconds_count{route=\"/predict\"} 2",
            "trainyard_model_ready{model=\"a\\\"b\"} 0",
            "trainyard_prediction_rows_total 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
