//! Everything as JSON, under a versioned schema (docs/quality.md).

use serde_json::{Value, json as value};
use trainyard_quality::Quality;

use super::result::{Change, Expected, Part, QualityReport};

/// Goes up when a field changes its meaning or goes away; new fields do not count.
pub const SCHEMA_VERSION: u32 = 1;

/// The result as JSON, indented. Numbers that are not finite are `null`.
pub fn json(report: &QualityReport) -> String {
    let counts = &report.counts;
    let document = value!({
        "schema": "trainyard.quality",
        "schema_version": SCHEMA_VERSION,
        "title": report.title,
        "time": report.time,
        "verdict": report.verdict.name(),
        "reasons": report.reasons,
        "notes": report.notes,
        "sources": {
            "predictions": report.predictions,
            "labels": report.labels,
            "reference": report.reference,
        },
        "labels": {
            "predictions": counts.predictions,
            "labelled": counts.labelled,
            "share": counts.share(),
            "read": counts.labels,
            "superseded": counts.superseded,
            "repeated": counts.repeated,
        },
        "parts": report.parts.iter().map(part).collect::<Vec<Value>>(),
        "change": report.change.as_ref().map(change),
    });
    // Strings, numbers and lists of them: there is nothing that could fail.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

fn part(part: &Part) -> Value {
    let stand = |stand: &super::Stand| {
        value!({
            "metric": stand.metric,
            "before": stand.before,
            "standing": stand.standing.name(),
        })
    };
    value!({
        "name": part.name,
        "predictions": part.predictions,
        "labelled": part.labelled,
        "quality": part.quality.as_ref().map(quality),
        "compared": part.stands.iter().map(stand).collect::<Vec<Value>>(),
        "expected": part.expected.iter().map(expected).collect::<Vec<Value>>(),
    })
}

fn quality(quality: &Quality) -> Value {
    let metrics = quality.metrics.iter().map(|measured| {
        let (low, high) = measured.interval.unzip();
        let figures = value!({ "value": measured.value, "low": low, "high": high });
        (measured.metric.to_owned(), figures)
    });
    let classes = quality.classes.iter().map(|class| {
        value!({
            "label": class.label,
            "support": class.score.support,
            "precision": class.score.precision,
            "precision_interval": [class.precision.0, class.precision.1],
            "recall": class.score.recall,
            "recall_interval": [class.recall.0, class.recall.1],
            "f1": class.score.f1,
        })
    });
    let calibration = quality
        .calibration
        .iter()
        .map(|point| value!({ "said": point.said, "true": point.true_share, "rows": point.rows }));
    let deciles = quality.deciles.iter().map(|part| {
        value!({ "rows": part.rows, "said": part.said, "true": part.truth, "mae": part.mae })
    });
    let confusion = quality
        .confusion
        .as_ref()
        .map(|confusion| value!({ "labels": confusion.labels, "counts": confusion.counts }));
    value!({
        "rows": quality.rows,
        "metrics": metrics.collect::<serde_json::Map<String, Value>>(),
        "classes": classes.collect::<Vec<Value>>(),
        "confusion": confusion,
        "calibration": calibration.collect::<Vec<Value>>(),
        "deciles": deciles.collect::<Vec<Value>>(),
    })
}

fn expected(expected: &Expected) -> Value {
    let estimate = &expected.estimate;
    value!({
        "metric": estimate.metric,
        "value": estimate.value,
        "sampling_error": estimate.sampling_error,
        "low": estimate.low,
        "high": estimate.high,
        "before": expected.before,
        "realised": expected.realised,
        "contradicted": expected.is_contradicted,
    })
}

fn change(change: &Change) -> Value {
    let reconstruction = change.reconstruction.map(|(before, now)| {
        value!({
            "before": before.value,
            "value": now.value,
            "sampling_error": now.sampling_error,
            "differs": now.differs_from(&before),
        })
    });
    let domain = change.domain.as_ref().map(|domain| {
        let told_apart = domain.is_told_apart();
        value!({ "area": domain.area, "error": domain.error, "told_apart": told_apart })
    });
    let column = |column: &super::ColumnChange| value!({ "name": column.name, "explained": column.explained, "share": column.share });
    value!({
        "reconstruction": reconstruction,
        "domain": domain,
        "columns": change.columns.iter().map(column).collect::<Vec<Value>>(),
    })
}
