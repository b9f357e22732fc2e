//! Metrics for Prometheus' textfile collector.

use std::fmt::Write as _;

use trainyard_drift::{DatasetDrift, Severity, Status};

use super::meta::Meta;

/// Bytes of a label that are kept: names of columns may be of any length.
const LABEL_CHARS: usize = 200;

/// The verdict, the counts and every column's score in the text format of Prometheus. All metrics
/// begin with `trainyard_drift_` and carry the model as a label.
pub fn prometheus(drift: &DatasetDrift, meta: &Meta) -> String {
    let mut text = Text { out: String::new(), model: label(meta.title()) };
    let flag = |value: bool| f64::from(u8::from(value));
    text.gauge("dataset_drift", "1 when the data set has drifted", |add| {
        add("", flag(drift.dataset_drift));
    });
    text.gauge("drifted_columns", "Columns that have drifted", |add| {
        add("", drift.drifted as f64);
    });
    text.gauge("tested_columns", "Columns that were tested", |add| add("", drift.tested as f64));
    text.gauge("share", "Drifted among tested columns", |add| add("", drift.share));
    text.gauge("share_threshold", "Share from which on the data set has drifted", |add| {
        add("", drift.drift_share);
    });
    text.gauge("rows", "Rows of each side", |add| {
        add("side=\"reference\"", drift.reference_rows as f64);
        add("side=\"current\"", drift.current_rows as f64);
    });
    text.gauge("findings", "Findings on schema and quality", |add| {
        for severity in [Severity::Note, Severity::Warning, Severity::Serious] {
            let found = drift.all_findings().filter(|(_, one)| one.severity == severity).count();
            add(&format!("severity=\"{}\"", severity.name()), found as f64);
        }
    });
    let columns = || {
        drift.columns.iter().map(|column| (format!("column=\"{}\"", label(&column.name)), column))
    };
    let tested = || columns().filter_map(|(name, column)| Some((name, column.verdict()?)));
    text.gauge("column_score", "P-value or distance of a column", |add| {
        for (name, verdict) in tested() {
            let labels = format!("{name},method=\"{}\"", verdict.method.id());
            add(&labels, verdict.decisive_score());
        }
    });
    text.gauge("column_threshold", "Threshold of a column's score", |add| {
        for (name, verdict) in tested() {
            add(&name, verdict.threshold);
        }
    });
    text.gauge("column_drifted", "1 when the column has drifted", |add| {
        for (name, verdict) in tested() {
            add(&name, flag(verdict.drifted));
        }
    });
    text.gauge("column_untested", "1 for a column that could not be tested", |add| {
        for (name, column) in columns() {
            if !matches!(column.status, Status::Tested(_)) {
                add(&name, 1.0);
            }
        }
    });
    text.gauge("column_missing_share", "Share of missing values", |add| {
        for (name, column) in columns() {
            for (side, values) in [("reference", &column.reference), ("current", &column.current)] {
                if let Some(values) = values {
                    let share = values.missing as f64 / values.rows.max(1) as f64;
                    add(&format!("{name},side=\"{side}\""), share);
                }
            }
        }
    });
    text.out
}

struct Text {
    out: String,
    model: String,
}

impl Text {
    /// One metric with all its series.
    fn gauge(&mut self, name: &str, help: &str, series: impl FnOnce(&mut dyn FnMut(&str, f64))) {
        let Self { out, model } = self;
        // Writing to a String cannot fail.
        let _infallible = writeln!(out, "# HELP trainyard_drift_{name} {help}");
        let _infallible = writeln!(out, "# TYPE trainyard_drift_{name} gauge");
        series(&mut |labels, value| {
            let comma = if labels.is_empty() { "" } else { "," };
            let _infallible = writeln!(
                out,
                "trainyard_drift_{name}{{model=\"{model}\"{comma}{labels}}} {}",
                number(value)
            );
        });
    }
}

/// A number as Prometheus reads it.
fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

/// A text as the value of a label.
fn label(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars().take(LABEL_CHARS) {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out
}
