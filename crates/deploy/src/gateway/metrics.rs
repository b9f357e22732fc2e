//! Counters of the gateway, in Prometheus' text format.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use trainyard_base::prometheus::Kind::{self, Counter, Gauge};
use trainyard_base::prometheus::{Histogram, Page};

use super::candidate::StepSeen;
use super::failure::Fault;
use super::mirror::CopiesSeen;
use super::window::Window;

/// Upper bounds of the duration histogram in seconds: a proxy's answers take milliseconds.
const BOUNDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// One instance on the page.
#[derive(Debug)]
pub(super) struct InstanceRow<'a> {
    pub(super) id: &'a str,
    /// What its release is for: `current`, `standby`, `candidate`.
    pub(super) role: &'static str,
    pub(super) in_flight: usize,
    /// Requests sent to it.
    pub(super) requests: u64,
    /// Those that it failed to answer.
    pub(super) failures: u64,
    /// It gets no requests while others are well.
    pub(super) is_ejected: bool,
}

impl<'a> InstanceRow<'a> {
    fn labels(&self) -> [(&'static str, &'a str); 2] {
        [("id", self.id), ("role", self.role)]
    }
}

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
    latency: Latency,
    /// The last minute, for people.
    pub(super) window: Window,
}

/// Time until the head of an answer.
#[derive(Debug)]
struct Latency(Histogram);

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new(&BOUNDS))
    }
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
        self.latency.0.observe(duration);
        self.window.count(Some(status), fault, duration);
    }

    /// The page. `dropped` are lines that the access log left out; `canary` and `copies` are those of a
    /// release that goes on.
    pub(super) fn render(
        &self,
        instances: &[InstanceRow<'_>],
        dropped: u64,
        canary: Option<StepSeen>,
        copies: Option<CopiesSeen>,
    ) -> String {
        let mut page = Page::new("trainyard_gateway_");
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        page.single("connections", Gauge, "Open client connections.", read(&self.connections));
        for (name, help, value) in [
            ("connections_accepted_total", "Client connections.", read(&self.accepted)),
            ("own_errors_total", "Answers without an instance.", read(&self.own_errors)),
            (
                "connect_failures_total",
                "Failed connections to instances.",
                read(&self.connect_failures),
            ),
            ("failovers_total", "Requests another instance took over.", read(&self.failovers)),
            ("went_back_total", "Switches back.", read(&self.went_back)),
            ("upgrades_total", "Upgraded connections.", read(&self.upgrades)),
            ("held_total", "Requests that met a pause.", read(&self.held)),
            ("access_lines_dropped_total", "Lines not logged.", dropped),
        ] {
            page.single(name, Counter, help, value);
        }
        page.head("responses_total", Counter, "Answers by status class.");
        for (class, counter) in (1..).zip(&self.by_class) {
            page.sample("responses_total", &[("class", &format!("{class}xx"))], read(counter));
        }
        page.head("faults_total", Counter, "Answers that were no good, by who is to blame.");
        for (fault, counter) in Fault::ALL.iter().zip(&self.by_fault) {
            page.sample("faults_total", &[("of", fault.name())], read(counter));
        }
        page.head("request_seconds", Kind::Histogram, "Time until the head of the answer.");
        page.histogram("request_seconds", &[], &self.latency.0);
        page.head("target_in_flight", Gauge, "Requests an instance works on.");
        for one in instances {
            page.sample("target_in_flight", &one.labels(), one.in_flight);
        }
        page.head("target_requests_total", Counter, "Requests sent to an instance.");
        for one in instances {
            page.sample("target_requests_total", &one.labels(), one.requests);
        }
        page.head("target_failures_total", Counter, "Requests an instance failed to answer.");
        for one in instances {
            page.sample("target_failures_total", &one.labels(), one.failures);
        }
        page.head(
            "upstream_ejected",
            Gauge,
            "1 if an instance gets no requests while others are well.",
        );
        for one in instances {
            page.sample("upstream_ejected", &one.labels(), u8::from(one.is_ejected));
        }
        if let Some(step) = canary {
            page_of_canary(&mut page, &step);
        }
        if let Some(copies) = copies {
            page_of_copies(&mut page, &copies);
        }
        page.into_text()
    }
}

/// Gauges, for the next release begins anew.
fn page_of_canary(page: &mut Page, step: &StepSeen) {
    page.single("canary_share", Gauge, "Share of the requests.", step.share.as_fraction());
    page.head("canary_requests", Gauge, "Requests in this step of the canary, by side.");
    for (side, seen) in [("green", step.green), ("blue", step.blue)] {
        let good = seen.requests.saturating_sub(seen.errors + seen.refused);
        for (outcome, count) in [("good", good), ("error", seen.errors), ("4xx", seen.refused)] {
            page.sample("canary_requests", &[("side", side), ("outcome", outcome)], count);
        }
    }
}

fn page_of_copies(page: &mut Page, copies: &CopiesSeen) {
    page.head(
        "copies",
        Gauge,
        "Requests that were asked of both versions, and those that were not.",
    );
    for (what, count) in [
        ("asked", copies.pairs),
        ("green_failed", copies.green_failed),
        ("blue_failed", copies.blue_failed),
        ("compared", copies.compared),
        ("differing", copies.differing),
        ("dropped", copies.dropped),
    ] {
        page.sample("copies", &[("what", what)], count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_instances_are_escaped() {
        let metrics = Metrics::default();
        metrics.answered(200, Duration::from_millis(2), None);
        let row = InstanceRow {
            id: "r\"1",
            role: "current",
            in_flight: 1,
            requests: 2,
            failures: 3,
            is_ejected: true,
        };
        let page = metrics.render(&[row], 4, None, None);
        for line in [
            "trainyard_gateway_responses_total{class=\"2xx\"} 1",
            "trainyard_gateway_request_seconds_bucket{le=\"0.001\"} 0",
            "trainyard_gateway_request_seconds_bucket{le=\"0.0025\"} 1",
            "trainyard_gateway_request_seconds_count 1",
            "trainyard_gateway_access_lines_dropped_total 4",
            "trainyard_gateway_target_failures_total{id=\"r\\\"1\",role=\"current\"} 3",
            "trainyard_gateway_upstream_ejected{id=\"r\\\"1\",role=\"current\"} 1",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
