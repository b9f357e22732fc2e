//! The access log: one request in so many, and every server error.
//!
//! Writing a line costs more than predicting a row, so a busy server writes a sample; the metrics
//! count them all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Method;

use crate::metrics::Route;

/// What a line says.
#[derive(Debug)]
pub(crate) struct Line<'r> {
    pub(crate) method: &'r Method,
    pub(crate) path: &'r str,
    pub(crate) route: Route,
    pub(crate) status: u16,
    pub(crate) request_id: &'r str,
    pub(crate) elapsed: Duration,
}

/// A line at a level, which tracing wants to know when it is compiled.
macro_rules! write_line {
    ($level:ident, $line:expr, $what:literal) => {
        tracing::$level!(
            target: "access",
            method = %$line.method,
            path = $line.path,
            status = $line.status,
            request_id = $line.request_id,
            milliseconds = $line.elapsed.as_secs_f64() * 1e3,
            $what
        )
    };
}

/// Decides which requests are written down.
#[derive(Debug)]
pub(crate) struct AccessLog {
    /// One in so many; 0 for none.
    sample: u64,
    count: AtomicU64,
}

impl AccessLog {
    pub(crate) fn new(sample: u64) -> Self {
        Self { sample, count: AtomicU64::new(0) }
    }

    /// Writes the request down, or not.
    pub(crate) fn note(&self, line: &Line<'_>) {
        // A probe of a server that is not ready is answered as it should be.
        let is_probe = matches!(line.route, Route::Health | Route::Ping);
        if line.status >= 500 && !is_probe {
            return write_line!(warn, line, "request failed");
        }
        if self.sample > 0 && self.count.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.sample)
        {
            write_line!(info, line, "request");
        }
    }
}
