//! Comparing tables the whole way that `trainyard monitor` takes: reading, typing, judging, the page.

use std::path::Path;

use trainyard_drift::{ColumnDrift, DatasetDrift, FindingKind};
use trainyard_pipeline::Result;
use trainyard_pipeline::monitor::{MonitorJob, Monitored, Settings};

/// A table of `tests/cases`.
pub(crate) fn case(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    folder.join(name).to_string_lossy().into_owned()
}

/// Compares two tables, outside of any project.
pub(crate) async fn compared(
    reference: &str,
    current: &str,
    settings: Settings,
) -> Result<Monitored> {
    let settings = Settings {
        reference: Some(reference.to_owned()),
        current: Some(current.to_owned()),
        ..settings
    };
    let folder = tempfile::tempdir().unwrap();
    MonitorJob::open(folder.path(), None, None, settings)?.compare(None, &|_, _| {}).await
}

/// Compares two tables of `tests/cases` by the usual settings.
pub(crate) async fn drift(reference: &str, current: &str) -> DatasetDrift {
    let compared = compared(&case(reference), &case(current), Settings::default()).await;
    compared.unwrap_or_else(|error| panic!("{reference}, {current}: {error}")).drift
}

pub(crate) fn column<'a>(drift: &'a DatasetDrift, name: &str) -> &'a ColumnDrift {
    let found = drift.columns.iter().find(|column| column.name == name);
    found.unwrap_or_else(|| panic!("no column {name:?}"))
}

/// The score of a column that was tested.
pub(crate) fn score(drift: &DatasetDrift, name: &str) -> f64 {
    let column = column(drift, name);
    column.verdict().unwrap_or_else(|| panic!("{name}: {:?}", column.status)).score
}

/// Asserts a score to nine digits.
pub(crate) fn assert_score(drift: &DatasetDrift, name: &str, expected: f64) {
    let score = score(drift, name);
    assert!((score - expected).abs() <= 1e-9 * expected.abs(), "{name}: {score} is not {expected}");
}

/// What the findings of this kind say, of the dataset and of its columns.
pub(crate) fn said(drift: &DatasetDrift, kind: FindingKind) -> Vec<String> {
    let of_kind = drift.all_findings().filter(|(_, finding)| finding.kind == kind);
    of_kind.map(|(_, finding)| finding.message.clone()).collect()
}
