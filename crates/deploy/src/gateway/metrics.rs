//! Counters of the gateway, in Prometheus' text format.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::failure::Fault;

/// Upper bounds of the duration histogram in seconds: a proxy's answers take milliseconds.
const BOUNDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Counters since the gateway started.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Open client connections.
    pub(super) connections: AtomicU64,
    /// Client connections ever accepted.
    pub(super) accepted: AtomicU64,
    /// Answers by status class; index 0 is 1xx.
    by_class: [AtomicU64; 5],
    /// Answers that were no good, by who is to blame, in the order of [`Fault::ALL`].
    by_fault: [AtomicU64; Fault::ALL.len()],
    /// Answers the gateway made itself because no instance did.
    pub(super) own_errors: AtomicU64,
    /// Connections to an instance that could not be made.
    pub(super) connect_failures: AtomicU64,
    /// Requests that another instance took over.
    pub(super) failovers: AtomicU64,
    /// Switches back that the gateway made on its own.
    pub(super) went_back: AtomicU64,
    /// Connections changed to another protocol.
    pub(super) upgrades: AtomicU64,
    /// Requests that were held or turned away because the gateway is not open.
    pub(super) held: AtomicU64,
    buckets: [AtomicU64; BOUNDS.len()],
    duration_us: AtomicU64,
}

impl Metrics {
    /// Counts an answer.
    pub(super) fn answered(&self, status: u16, duration: Duration, fault: Option<Fault>) {
        let index = fault.and_then(|fault| Fault::ALL.iter().position(|one| *one == fault));
        if let Some(counter) = index.and_then(|index| self.by_fault.get(index)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = self.by_class.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let seconds = duration.as_secs_f64();
        if let Some(index) = BOUNDS.iter().position(|bound| seconds <= *bound)
            && let Some(bucket) = self.buckets.get(index)
        {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.duration_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// The page; `targets` are `(id, role, in flight, requests, failures)`.
    /// `dropped` are lines that the access log left out.
    pub(super) fn render(
        &self,
        targets: &[(String, &str, usize, u64, u64)],
        dropped: u64,
    ) -> String {
        let mut page = Page(String::new());
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        page.one("connections", "gauge", "Open client connections.", read(&self.connections));
        page.one(
            "connections_accepted_total",
            "counter",
            "Client connections.",
            read(&self.accepted),
        );
        page.one(
            "own_errors_total",
            "counter",
            "Answers without an instance.",
            read(&self.own_errors),
        );
        page.one(
            "connect_failures_total",
            "counter",
            "Failed connections to instances.",
            read(&self.connect_failures),
        );
        page.one(
            "failovers_total",
            "counter",
            "Requests another instance took over.",
            read(&self.failovers),
        );
        page.one("went_back_total", "counter", "Switches back.", read(&self.went_back));
        page.one("upgrades_total", "counter", "Upgraded connections.", read(&self.upgrades));
        page.one("held_total", "counter", "Requests that met a pause.", read(&self.held));
        page.one("access_lines_dropped_total", "counter", "Lines not logged.", dropped);
        page.head("responses_total", "counter", "Answers by status class.");
        for (class, counter) in (1..).zip(&self.by_class) {
            page.line(&format!("responses_total{{class=\"{class}xx\"}}"), read(counter));
        }
        page.head("faults_total", "counter", "Answers that were no good, by who is to blame.");
        for (fault, counter) in Fault::ALL.iter().zip(&self.by_fault) {
            page.line(&format!("faults_total{{of=\"{}\"}}", fault.name()), read(counter));
        }
        page.head("request_seconds", "histogram", "Time until the head of the answer.");
        let mut sum = 0;
        for (bound, bucket) in BOUNDS.iter().zip(&self.buckets) {
            sum += read(bucket);
            page.line(&format!("request_seconds_bucket{{le=\"{bound}\"}}"), sum);
        }
        let count: u64 = self.by_class.iter().map(read).sum();
        page.line("request_seconds_bucket{le=\"+Inf\"}", count);
        page.line("request_seconds_count", count);
        page.line("request_seconds_sum", read(&self.duration_us) as f64 / 1e6);
        page.head("target_in_flight", "gauge", "Requests an instance works on.");
        for (id, role, in_flight, ..) in targets {
            page.line(&format!("target_in_flight{{id=\"{id}\",role=\"{role}\"}}"), in_flight);
        }
        page.head("target_requests_total", "counter", "Requests sent to an instance.");
        for (id, role, _, requests, _) in targets {
            page.line(&format!("target_requests_total{{id=\"{id}\",role=\"{role}\"}}"), requests);
        }
        page.head("target_failures_total", "counter", "Requests an instance failed to answer.");
        for (id, role, _, _, failures) in targets {
            page.line(&format!("target_failures_total{{id=\"{id}\",role=\"{role}\"}}"), failures);
        }
        page.0
    }
}

/// Text under construction; writing to a String cannot fail.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _infallible = writeln!(
            self.0,
            "# HELP trainyard_gateway_{name} {help}\n# TYPE trainyard_gateway_{name} {kind}"
        );
    }

    fn line(&mut self, name: &str, value: impl std::fmt::Display) {
        let _infallible = writeln!(self.0, "trainyard_gateway_{name} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        self.line(name, value);
    }
}
