//! Metrics for Prometheus' textfile collector.

use trainyard_base::prometheus::{Kind, Page, number};
use trainyard_drift::{DatasetDrift, DatasetVerdict, Severity, Status};

use super::meta::Meta;

/// Characters of a label that are kept: names of columns may be of any length.
const LABEL_CHARS_MAX: usize = 200;

/// The verdict, the counts and every column's score in the text format of Prometheus. All metrics
/// begin with `trainyard_drift_` and carry the model as a label.
pub fn prometheus(drift: &DatasetDrift, meta: &Meta) -> String {
    let mut text = Text { page: Page::new("trainyard_drift_"), model: label(meta.title()) };
    let flag = |value: bool| f64::from(u8::from(value));
    text.gauge("dataset_drift", "1 when the data set has drifted", |add| {
        add(&[], flag(drift.dataset_drift));
    });
    text.gauge("verdict", "1 for the verdict on the data set", |add| {
        for verdict in DatasetVerdict::ALL {
            add(&[("verdict", verdict.name())], flag(verdict == drift.verdict()));
        }
    });
    text.gauge("drifted_columns", "Columns that have drifted", |add| {
        add(&[], drift.drifted as f64);
    });
    text.gauge("tested_columns", "Columns that were tested", |add| add(&[], drift.tested as f64));
    text.gauge(
        "untested_columns",
        "Columns that should have been tested and could not be",
        |add| {
            add(&[], drift.untestable() as f64);
        },
    );
    text.gauge("share", "Drifted among tested columns", |add| add(&[], drift.share));
    text.gauge("share_threshold", "Share from which on the data set has drifted", |add| {
        add(&[], drift.drift_share);
    });
    text.gauge("rows", "Rows of each side", |add| {
        add(&[("side", "reference")], drift.reference_rows as f64);
        add(&[("side", "current")], drift.current_rows as f64);
    });
    text.gauge("findings", "Findings on schema and quality", |add| {
        for severity in [Severity::Note, Severity::Warning, Severity::Serious] {
            let found = drift.all_findings().filter(|(_, one)| one.severity == severity).count();
            add(&[("severity", severity.name())], found as f64);
        }
    });
    if !drift.segments.is_empty() {
        text.gauge("segment_verdict", "1 for the verdict on a segment", |add| {
            for segment in &drift.segments {
                let (name, its) = (label(&segment.name), segment.drift.verdict());
                for verdict in DatasetVerdict::ALL {
                    let labels = [("segment", name.as_str()), ("verdict", verdict.name())];
                    add(&labels, flag(verdict == its));
                }
            }
        });
    }
    let columns = || drift.columns.iter().map(|column| (label(&column.name), column));
    let tested = || columns().filter_map(|(name, column)| Some((name, column.verdict()?)));
    text.gauge("column_score", "P-value or distance of a column", |add| {
        for (name, verdict) in tested() {
            let labels = [("column", name.as_str()), ("method", verdict.method.id())];
            add(&labels, verdict.decisive_score());
        }
    });
    text.gauge("column_threshold", "Threshold of a column's score", |add| {
        for (name, verdict) in tested() {
            add(&[("column", &name)], verdict.threshold);
        }
    });
    text.gauge("column_drifted", "1 when the column has drifted", |add| {
        for (name, verdict) in tested() {
            add(&[("column", &name)], flag(verdict.drifted));
        }
    });
    text.gauge("column_untested", "1 for a column that could not be tested", |add| {
        for (name, column) in columns() {
            if !matches!(column.status, Status::Tested(_)) {
                add(&[("column", &name)], 1.0);
            }
        }
    });
    text.gauge("column_missing_share", "Share of missing values", |add| {
        for (name, column) in columns() {
            for (side, values) in [("reference", &column.reference), ("current", &column.current)] {
                if let Some(values) = values {
                    let share = values.missing as f64 / values.rows.max(1) as f64;
                    add(&[("column", &name), ("side", side)], share);
                }
            }
        }
    });
    text.page.into_text()
}

struct Text {
    page: Page,
    model: String,
}

/// Takes the labels of a series, beside the model, and its value.
type Add<'a> = &'a mut dyn FnMut(&[(&str, &str)], f64);

impl Text {
    /// One metric with all its series.
    fn gauge(&mut self, name: &str, help: &str, series: impl FnOnce(Add<'_>)) {
        let Self { page, model } = self;
        page.head(name, Kind::Gauge, help);
        series(&mut |labels, value| {
            let labels = [[("model", model.as_str())].as_slice(), labels].concat();
            page.sample(name, &labels, number(value));
        });
    }
}

/// A text as the value of a label.
fn label(text: &str) -> String {
    text.chars().take(LABEL_CHARS_MAX).collect()
}
