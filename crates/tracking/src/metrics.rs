//! What this process counts, and the page of it that Prometheus reads.
//!
//! There is one for the process, as that is what is scraped: servers and stores count into it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http::{Method, StatusCode};
use trainyard_base::prometheus::{Histogram, Kind, Page};

// The model server counts its own requests, by other labels: names say whose they are.
const REQUESTS: &str = "tracking_http_requests_total";
const SECONDS: &str = "tracking_http_request_duration_seconds";
const CONNECTIONS: &str = "tracking_http_connections";
const LIVE_PAGES: &str = "tracking_live_pages";

/// Upper bounds in seconds, from an in-memory lookup to a client's timeout.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// How a database file is doing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreState {
    /// Whether writes are kept.
    pub(crate) is_writable: bool,
    /// For how long its disk is waited for now.
    pub(crate) waits: Duration,
    /// Bytes of its write-ahead log, if there is one and that can be known.
    pub(crate) log_bytes: Option<u64>,
}

/// A database file that can be asked.
pub(crate) trait Watched: std::fmt::Debug + Send + Sync {
    /// How it is doing.
    fn state(&self) -> StoreState;
}

/// The numbers of this process.
pub(crate) static METRICS: Metrics = Metrics {
    connections: AtomicUsize::new(0),
    live_pages: AtomicUsize::new(0),
    queued: AtomicUsize::new(0),
    commits: AtomicU64::new(0),
    commit_jobs: AtomicU64::new(0),
    watched: Mutex::new(Vec::new()),
    requests: Mutex::new(BTreeMap::new()),
};

#[derive(Debug)]
pub(crate) struct Metrics {
    /// Open connections.
    pub(crate) connections: AtomicUsize,
    /// Pages that are open and change by themselves.
    pub(crate) live_pages: AtomicUsize,
    queued: AtomicUsize,
    commits: AtomicU64,
    commit_jobs: AtomicU64,
    /// Database files that are open.
    watched: Mutex<Vec<Weak<dyn Watched>>>,
    /// By method, then by route.
    requests: Mutex<BTreeMap<&'static str, BTreeMap<String, Answers>>>,
}

#[derive(Debug)]
struct Answers {
    by_status: BTreeMap<u16, u64>,
    latency: Histogram,
}

impl Metrics {
    /// Counts one answer. Routes are the server's, so there are few.
    pub(crate) fn answered(
        &self,
        method: &Method,
        route: &str,
        status: StatusCode,
        elapsed: Duration,
    ) {
        // Counts are whole between any two operations, so a panic elsewhere is no harm.
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let routes = requests.entry(method_name(method)).or_default();
        let answers = match routes.get_mut(route) {
            Some(answers) => answers,
            None => routes.entry(route.to_owned()).or_insert_with(|| Answers {
                by_status: BTreeMap::new(),
                latency: Histogram::new(&BUCKETS),
            }),
        };
        *answers.by_status.entry(status.as_u16()).or_default() += 1;
        answers.latency.observe(elapsed);
    }

    /// So many writes wait for the store.
    pub(crate) fn queued(&self, writes: usize) {
        self.queued.store(writes, Ordering::Relaxed);
    }

    /// The store is about to commit so many writes at once.
    pub(crate) fn commits(&self, writes: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.commit_jobs.fetch_add(writes as u64, Ordering::Relaxed);
    }

    /// A database file was opened: the page tells of it while it is.
    pub(crate) fn watch(&self, file: &Arc<impl Watched + 'static>) {
        let file: Weak<dyn Watched> = Arc::downgrade(file) as _;
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|known| known.strong_count() > 0);
        watched.push(file);
    }

    /// How all files are doing, taken together; none where there is none.
    fn files(&self) -> Option<StoreState> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let states = watched.iter().filter_map(Weak::upgrade).map(|file| file.state());
        states.reduce(|all, one| StoreState {
            is_writable: all.is_writable && one.is_writable,
            waits: all.waits.max(one.waits),
            log_bytes: match (all.log_bytes, one.log_bytes) {
                (Some(all), Some(one)) => Some(all + one),
                (all, one) => all.or(one),
            },
        })
    }

    /// The page.
    pub(crate) fn page(&self) -> String {
        let mut page = Page::new("trainyard_");
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let each = || {
            requests.iter().flat_map(|(method, routes)| {
                routes.iter().map(move |(route, answers)| {
                    ([("method", *method), ("route", route.as_str())], answers)
                })
            })
        };
        page.head(REQUESTS, Kind::Counter, "Requests answered, by route, method and status.");
        for ([method, route], answers) in each() {
            for (status, count) in &answers.by_status {
                page.sample(REQUESTS, &[method, route, ("status", &status.to_string())], count);
            }
        }
        let help = "Seconds from the head of a request to the head of its answer.";
        page.head(SECONDS, Kind::Histogram, help);
        for (labels, answers) in each() {
            page.histogram(SECONDS, &labels, &answers.latency);
        }
        let read = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        page.single(CONNECTIONS, Kind::Gauge, "Open connections.", read(&self.connections));
        let help = "Open pages that change by themselves.";
        page.single(LIVE_PAGES, Kind::Gauge, help, read(&self.live_pages));
        let help = "Writes that wait for the database.";
        page.single("store_queue_depth", Kind::Gauge, help, read(&self.queued));
        page.head("store_commit_jobs", Kind::Summary, "Writes of a commit.");
        page.sample("store_commit_jobs_sum", &[], self.commit_jobs.load(Ordering::Relaxed));
        page.sample("store_commit_jobs_count", &[], self.commits.load(Ordering::Relaxed));
        if let Some(files) = self.files() {
            let help = "1 while what is written to the database files is kept, 0 while it is not.";
            page.single("store_writable", Kind::Gauge, help, u8::from(files.is_writable));
            let help = "Seconds for which a disk is being waited for.";
            page.single("store_disk_wait_seconds", Kind::Gauge, help, files.waits.as_secs_f64());
            if let Some(bytes) = files.log_bytes {
                let help = "Bytes of the write-ahead logs of the database files.";
                page.single("store_log_bytes", Kind::Gauge, help, bytes);
            }
        }
        page.into_text()
    }
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
