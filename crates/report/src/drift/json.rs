//! Our own JSON: everything the page shows, under a versioned schema (docs/monitoring.md).

use serde::Serialize;
use trainyard_drift::{
    ColumnDrift, DatasetDrift, Distribution, Finding, QUANTILES, ScoreKind, SegmentDrift, Side,
    Status,
};

use super::change::change;
use super::meta::Meta;
use super::state::State;

/// Goes up when a field changes its meaning or goes away; new fields do not count.
pub const SCHEMA_VERSION: u32 = 1;

/// The result as JSON, indented. Numbers that are not finite are `null`, because JSON has no others.
pub fn json(drift: &DatasetDrift, meta: &Meta) -> String {
    let document = Document {
        schema: "trainyard.drift",
        schema_version: SCHEMA_VERSION,
        title: meta.title(),
        time: &meta.time,
        reference: Source { name: &meta.reference, rows: drift.reference_rows },
        current: Source { name: &meta.current, rows: drift.current_rows },
        dataset: dataset(drift),
        findings: findings(&drift.findings),
        columns: drift.columns.iter().map(column).collect(),
        segments: drift.segments.iter().map(segment).collect(),
    };
    // Strings, numbers and lists of them: there is nothing that could fail.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    schema_version: u32,
    title: &'a str,
    time: &'a str,
    reference: Source<'a>,
    current: Source<'a>,
    dataset: Dataset<'a>,
    findings: Vec<FindingJson<'a>>,
    columns: Vec<ColumnJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    segments: Vec<SegmentJson<'a>>,
}

#[derive(Serialize)]
struct SegmentJson<'a> {
    name: &'a str,
    reference_rows: u64,
    current_rows: u64,
    dataset: Dataset<'a>,
    findings: Vec<FindingJson<'a>>,
    columns: Vec<SegmentColumn<'a>>,
}

/// A column of a segment: what it is of is said by the whole.
#[derive(Serialize)]
struct SegmentColumn<'a> {
    name: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<TestJson<'a>>,
    change: String,
    findings: Vec<FindingJson<'a>>,
}

#[derive(Serialize)]
struct Source<'a> {
    name: &'a str,
    rows: u64,
}

#[derive(Serialize)]
struct Dataset<'a> {
    verdict: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<RoleJson>,
    drift: bool,
    tested_columns: usize,
    drifted_columns: usize,
    untested_columns: usize,
    share: f64,
    drift_share: f64,
    correction: &'static str,
    compat: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidently_error: Option<&'a str>,
}

/// The columns of a role by themselves.
#[derive(Serialize)]
struct RoleJson {
    role: &'static str,
    verdict: &'static str,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    kind: &'static str,
    severity: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct ColumnJson<'a> {
    name: &'a str,
    role: &'static str,
    kind: &'static str,
    kind_reason: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<TestJson<'a>>,
    counted: bool,
    reference: Option<SideJson<'a>>,
    current: Option<SideJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<DistributionJson<'a>>,
    findings: Vec<FindingJson<'a>>,
}

#[derive(Serialize)]
struct TestJson<'a> {
    method: &'static str,
    method_name: &'static str,
    method_reason: &'a str,
    score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    adjusted_score: Option<f64>,
    score_is: &'static str,
    threshold: f64,
    drifted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<EffectJson>,
}

#[derive(Serialize)]
struct EffectJson {
    name: &'static str,
    value: f64,
    size: &'static str,
}

#[derive(Serialize)]
struct SideJson<'a> {
    #[serde(rename = "type")]
    data_type: &'a str,
    rows: u64,
    values: u64,
    missing: u64,
    missing_share: f64,
    infinite: u64,
    distinct: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    standard_deviation: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantiles: Option<Vec<(f64, f64)>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum DistributionJson<'a> {
    Numbers {
        bins: Vec<BinJson>,
        cumulative: Vec<(f64, f64, f64)>,
    },
    Categories {
        top: Vec<CategoryJson<'a>>,
        others: u64,
        others_reference: f64,
        others_current: f64,
    },
}

#[derive(Serialize)]
struct BinJson {
    low: f64,
    high: f64,
    reference: f64,
    current: f64,
}

#[derive(Serialize)]
struct CategoryJson<'a> {
    label: &'a str,
    reference: f64,
    current: f64,
}

fn findings(findings: &[Finding]) -> Vec<FindingJson<'_>> {
    findings
        .iter()
        .map(|finding| FindingJson {
            kind: finding.kind.id(),
            severity: finding.severity.name(),
            message: &finding.message,
        })
        .collect()
}

fn dataset(drift: &DatasetDrift) -> Dataset<'_> {
    Dataset {
        verdict: drift.verdict().name(),
        roles: drift
            .by_role()
            .into_iter()
            .map(|(role, verdict)| RoleJson { role: role.name(), verdict: verdict.name() })
            .collect(),
        drift: drift.dataset_drift,
        tested_columns: drift.tested,
        drifted_columns: drift.drifted,
        untested_columns: drift.untestable(),
        share: drift.share,
        drift_share: drift.drift_share,
        correction: drift.correction.name(),
        compat: drift.compat.name(),
        evidently_error: drift.evidently_error.as_deref(),
    }
}

fn segment(segment: &SegmentDrift) -> SegmentJson<'_> {
    let drift = &segment.drift;
    let columns = drift.columns.iter().map(|column| SegmentColumn {
        name: &column.name,
        status: status(column),
        reason: reason(column),
        test: test(column),
        change: change(column),
        findings: findings(&column.findings),
    });
    SegmentJson {
        name: &segment.name,
        reference_rows: drift.reference_rows,
        current_rows: drift.current_rows,
        dataset: dataset(drift),
        findings: findings(&drift.findings),
        columns: columns.collect(),
    }
}

fn status(column: &ColumnDrift) -> &'static str {
    match State::of(column) {
        State::Drift | State::Stable => "tested",
        State::Skipped => "skipped",
        State::Failed => "failed",
    }
}

fn reason(column: &ColumnDrift) -> Option<&str> {
    match &column.status {
        Status::Skipped(reason) | Status::Failed(reason) => Some(reason.as_str()),
        Status::Tested(_) => None,
    }
}

fn test(column: &ColumnDrift) -> Option<TestJson<'_>> {
    column.verdict().map(|verdict| TestJson {
        method: verdict.method.id(),
        method_name: verdict.method.display_name(),
        method_reason: &verdict.method_reason,
        score: verdict.score,
        adjusted_score: verdict.adjusted_score,
        score_is: match verdict.score_kind {
            ScoreKind::PValue => "p_value",
            ScoreKind::Distance => "distance",
        },
        threshold: verdict.threshold,
        drifted: verdict.drifted,
        effect: verdict.effect.as_ref().map(|effect| EffectJson {
            name: effect.name,
            value: effect.value,
            size: effect.size.name(),
        }),
    })
}

fn column(column: &ColumnDrift) -> ColumnJson<'_> {
    ColumnJson {
        name: &column.name,
        role: column.role.name(),
        kind: column.kind.name(),
        kind_reason: &column.kind_reason,
        status: status(column),
        reason: reason(column),
        test: test(column),
        counted: column.counted,
        reference: column.reference.as_ref().map(side),
        current: column.current.as_ref().map(side),
        distribution: column.distribution.as_ref().map(distribution),
        findings: findings(&column.findings),
    }
}

fn side(side: &Side) -> SideJson<'_> {
    let numbers = side.numbers.as_ref();
    SideJson {
        data_type: &side.data_type,
        rows: side.rows,
        values: side.values,
        missing: side.missing,
        missing_share: side.missing_share(),
        infinite: side.infinite,
        distinct: side.distinct,
        mean: numbers.map(|numbers| numbers.mean),
        standard_deviation: numbers.map(|numbers| numbers.deviation),
        quantiles: numbers.map(|numbers| {
            QUANTILES.iter().copied().zip(numbers.quantiles.iter().copied()).collect()
        }),
    }
}

fn distribution(shape: &Distribution) -> DistributionJson<'_> {
    match shape {
        Distribution::Numbers { bins, cumulative } => DistributionJson::Numbers {
            bins: bins
                .iter()
                .map(|bin| BinJson {
                    low: bin.low,
                    high: bin.high,
                    reference: bin.reference,
                    current: bin.current,
                })
                .collect(),
            cumulative: cumulative
                .iter()
                .map(|point| (point.value, point.reference, point.current))
                .collect(),
        },
        Distribution::Categories { top, others, others_reference, others_current } => {
            DistributionJson::Categories {
                top: top
                    .iter()
                    .map(|label| CategoryJson {
                        label: &label.label,
                        reference: label.reference,
                        current: label.current,
                    })
                    .collect(),
                others: *others,
                others_reference: *others_reference,
                others_current: *others_current,
            }
        }
    }
}
