//! The page that Prometheus reads, and the one counter that is more than a number.
//!
//! Source: Prometheus' document "Exposition formats", text format 0.0.4. No crate: an exporter has a registry of
//! its own, with locks and names that are looked up, where our servers count in plain atomics.

use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The content type of a page.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
    /// A sum and a count.
    Summary,
}

/// A page in the making.
#[derive(Debug)]
pub struct Page {
    text: String,
    prefix: &'static str,
}

impl Page {
    /// An empty page, whose metrics all begin with `prefix`.
    pub fn new(prefix: &'static str) -> Self {
        Self { text: String::new(), prefix }
    }

    /// A metric: its samples follow.
    pub fn head(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
        };
        let prefix = self.prefix;
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _infallible =
            writeln!(self.text, "# HELP {prefix}{name} {help}\n# TYPE {prefix}{name} {kind}");
    }

    /// A sample. `labels` are names and values: values may be any text.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _infallible = write!(self.text, "{}{name}", self.prefix);
        for (index, (label, value)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let _infallible = write!(self.text, "{open}{label}=\"{}\"", escaped(value));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _infallible = writeln!(self.text, "{close} {value}");
    }

    /// A metric that is one number.
    pub fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.sample(name, &[], value);
    }

    /// The samples of a histogram.
    pub fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let (bucket, sum, count) =
            (format!("{name}_bucket"), format!("{name}_sum"), format!("{name}_count"));
        let mut below = 0;
        let bounds = histogram.bounds.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        for (bound, counter) in bounds.zip(histogram.counts.iter()) {
            below += counter.load(Ordering::Relaxed);
            self.sample(&bucket, &[labels, &[("le", bound.as_str())]].concat(), below);
        }
        let seconds = histogram.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        self.sample(&sum, labels, seconds);
        self.sample(&count, labels, below);
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// A double as Prometheus reads it.
pub fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

/// The value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// How long things took.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// Counts of each bucket and, last, of what is beyond.
    counts: Box<[AtomicU64]>,
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// Nothing yet. `bounds` are upper ones, in seconds, that grow.
    pub fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, nanoseconds: AtomicU64::new(0) }
    }

    /// Counts something that took so long.
    pub fn observe(&self, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanoseconds = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| count.load(Ordering::Relaxed) == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_may_be_a_label() {
        let mut page = Page::new("trainyard_");
        page.head("info", Kind::Gauge, "What is\nit \\ so.");
        page.sample("info", &[("model", "a\"b\\c\nd"), ("version", "é{}")], 1);
        page.single("rows_total", Kind::Counter, "Rows.", 5);
        page.sample("share", &[], number(0.5));
        page.sample("share", &[], number(f64::NAN));
        page.sample("share", &[], number(f64::NEG_INFINITY));
        let expected = r#"# HELP trainyard_info What is\nit \\ so.
# TYPE trainyard_info gauge
trainyard_info{model="a\"b\\c\nd",version="é{}"} 1
# HELP trainyard_rows_total Rows.
# TYPE trainyard_rows_total counter
trainyard_rows_total 5
trainyard_share 0.5
trainyard_share NaN
trainyard_share -Inf
"#;
        assert_eq!(page.into_text(), expected);
    }

    #[test]
    fn buckets_hold_what_is_below_them() {
        let histogram = Histogram::new(&[0.001, 0.5]);
        assert!(histogram.is_empty());
        for millis in [1, 2, 500, 2000] {
            histogram.observe(Duration::from_millis(millis));
        }
        assert!(!histogram.is_empty());
        let mut page = Page::new("");
        page.histogram("s", &[("route", "/")], &histogram);
        let expected = "s_bucket{route=\"/\",le=\"0.001\"} 1\ns_bucket{route=\"/\",le=\"0.5\"} 3\n\
                        s_bucket{route=\"/\",le=\"+Inf\"} 4\ns_sum{route=\"/\"} 2.503\n\
                        s_count{route=\"/\"} 4\n";
        assert_eq!(page.into_text(), expected);
    }
}
