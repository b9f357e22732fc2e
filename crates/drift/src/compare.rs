//! From two datasets to a verdict.

use std::collections::{HashMap, HashSet};

use arrow_array::{Array, RecordBatch};
use rayon::prelude::*;

use crate::column::Column;
use crate::finding::{self, Finding, FindingKind};
use crate::kind::{Inferred, infer};
use crate::select::default_method;
use crate::test::{Outcome, Sides, run};
use crate::verdict::{ColumnDrift, DatasetDrift, Distribution, Role, Scale, Status, Verdict};
use crate::{Correction, Kind, Method, Options, ScoreKind, evidently, pandas, summary};

/// Columns of a prediction log that are about the request, not of it.
pub const IGNORED_PREFIX: &str = "trainyard.";

/// Compares two tables column by column.
///
/// Columns are tested in parallel. A column that cannot be tested is skipped or failed with its reason;
/// the others go on. Columns whose names begin with [`IGNORED_PREFIX`] are left out.
///
/// ```
/// use std::sync::Arc;
/// use arrow_array::{ArrayRef, Float64Array, RecordBatch};
/// use trainyard_drift::{Options, compare};
///
/// let table = |shift: f64| {
///     let values = Float64Array::from_iter_values((0..100).map(|i| f64::from(i) + shift));
///     RecordBatch::try_from_iter([("x", Arc::new(values) as ArrayRef)]).unwrap()
/// };
/// let drift = compare(&table(0.0), &table(50.0), &Options::default());
/// assert!(drift.dataset_drift);
/// assert_eq!(drift.columns[0].verdict().unwrap().method.id(), "ks");
/// ```
pub fn compare(reference: &RecordBatch, current: &RecordBatch, options: &Options) -> DatasetDrift {
    let index = |batch: &RecordBatch| -> HashMap<String, usize> {
        let names = batch.schema_ref().fields().iter().enumerate();
        // The first of columns with one name wins.
        names.rev().map(|(position, field)| (field.name().clone(), position)).collect()
    };
    let (before, after) = (index(reference), index(current));
    let names = column_names(
        reference.schema_ref().fields().iter().map(|field| field.name().as_str()),
        current.schema_ref().fields().iter().map(|field| field.name().as_str()),
        options,
    );
    let pandas = current.schema_ref().metadata().get("pandas");
    let options = &pandas::with_pandas_types(options, pandas.map(String::as_str));
    let columns = names
        .par_iter()
        .map(|name| {
            let read = |batch: &RecordBatch, places: &HashMap<String, usize>| {
                let array = batch.column(*places.get(name)?);
                Some(if options.needs_rows() {
                    Column::with_rows(&[array])
                } else {
                    Column::new(&[array])
                })
            };
            let (old, new) = rayon::join(|| read(reference, &before), || read(current, &after));
            compare_columns(name, old.as_ref(), new.as_ref(), options)
        })
        .collect();
    conclude(columns, reference.num_rows() as u64, current.num_rows() as u64, options)
}

/// The columns to compare, in order: those asked for, or all of current and then those only the
/// reference has. For callers that read one column after the other.
pub fn column_names<'a>(
    reference: impl IntoIterator<Item = &'a str>,
    current: impl IntoIterator<Item = &'a str>,
    options: &Options,
) -> Vec<String> {
    let mut seen = HashSet::new();
    let wanted: Vec<&str> = match &options.columns {
        Some(columns) => columns.iter().map(String::as_str).collect(),
        None => current.into_iter().chain(reference).filter(|name| !is_ignored(name)).collect(),
    };
    wanted.into_iter().filter(|name| seen.insert(name.to_owned())).map(str::to_owned).collect()
}

/// Columns of a prediction log about the request, and the row numbers that pandas stores with a table
/// that was filtered (it takes them off again when it reads the file).
fn is_ignored(name: &str) -> bool {
    let row_numbers = name.strip_prefix("__index_level_").and_then(|rest| rest.strip_suffix("__"));
    name.starts_with(IGNORED_PREFIX)
        || row_numbers.is_some_and(|level| level.parse::<u32>().is_ok())
}

/// Compares two Arrow arrays as one column.
///
/// ```
/// use arrow_array::StringArray;
/// use trainyard_drift::{Options, compare_arrays};
///
/// let before = StringArray::from(vec!["red", "red", "blue", "blue", "green", "green"]);
/// let after = StringArray::from(vec!["red", "red", "blue", "blue", "green", "green", "pink", "pink"]);
/// let drift = compare_arrays("colour", &before, &after, &Options::default());
/// assert!(drift.drifted()); // "pink" was never seen
/// assert_eq!(drift.findings[0].message, "values not in the reference (25.0 % of current): \"pink\"");
/// ```
pub fn compare_arrays(
    name: &str,
    reference: &dyn Array,
    current: &dyn Array,
    options: &Options,
) -> ColumnDrift {
    compare_columns(name, Some(&Column::new(&[reference])), Some(&Column::new(&[current])), options)
}

/// Compares two columns that were read before. `None` is a column that one side does not have.
pub fn compare_columns(
    name: &str,
    reference: Option<&Column>,
    current: Option<&Column>,
    options: &Options,
) -> ColumnDrift {
    let drift = match (reference, current) {
        (Some(reference), Some(current)) => both_sides(name, reference, current, options),
        (Some(reference), None) => {
            let mut column =
                one_side(name, reference, options, "current does not have this column");
            column.findings.push(finding::missing_column());
            column.reference = column.current.take();
            column
        }
        (None, Some(current)) => {
            let mut column =
                one_side(name, current, options, "the reference does not have this column");
            column.findings.push(finding::new_column());
            column
        }
        (None, None) => unreadable(name, "neither side has this column", options),
    };
    // Only now is it known whether all of it could be read.
    match reference.and_then(Column::trouble).or_else(|| current.and_then(Column::trouble)) {
        Some(trouble) => unreadable(name, &trouble, options),
        None => drift,
    }
}

/// The verdict on a column of which nothing can be said, and why. For callers that read columns
/// themselves: one that cannot be read does not stop the others.
pub fn unreadable(name: &str, reason: &str, options: &Options) -> ColumnDrift {
    ColumnDrift {
        name: name.to_owned(),
        role: role(name, options),
        kind: Kind::Unknown,
        kind_reason: reason.to_owned(),
        scale: Scale::Text,
        status: Status::Failed(reason.to_owned()),
        counted: false,
        reference: None,
        current: None,
        distribution: None,
        findings: Vec::new(),
    }
}

/// Brings the verdicts on columns together: adjusts p-values and decides on the dataset.
pub fn conclude(
    mut columns: Vec<ColumnDrift>,
    reference_rows: u64,
    current_rows: u64,
    options: &Options,
) -> DatasetDrift {
    adjust(&mut columns, options.correction);
    let counted = columns.iter().filter(|column| column.counted).filter_map(ColumnDrift::verdict);
    let (tested, drifted) = counted.fold((0, 0), |(tested, drifted), verdict| {
        (tested + 1, drifted + usize::from(verdict.counts_as_drifted))
    });
    let share = if tested == 0 { 0.0 } else { drifted as f64 / tested as f64 };
    let evidently_error = if options.is_evidently() {
        evidently::error(&columns, reference_rows, current_rows)
    } else {
        None
    };
    let empty = [(reference_rows, "the reference"), (current_rows, "current")];
    let findings = empty
        .iter()
        .filter(|(rows, _)| *rows == 0)
        .map(|(_, side)| Finding {
            kind: FindingKind::Empty,
            severity: crate::Severity::Serious,
            message: format!("{side} has no rows"),
        })
        .collect();
    DatasetDrift {
        reference_rows,
        current_rows,
        columns,
        findings,
        tested,
        drifted,
        share,
        drift_share: options.drift_share,
        dataset_drift: tested > 0 && share >= options.drift_share,
        correction: options.correction,
        compat: options.compat,
        evidently_error,
    }
}

fn role(name: &str, options: &Options) -> Role {
    if options.target.as_deref() == Some(name) {
        Role::Target
    } else if options.prediction.as_deref() == Some(name) {
        Role::Prediction
    } else {
        Role::Feature
    }
}

/// A kind that was asked for, or the inferred one.
fn kind_of(name: &str, current: &Column, options: &Options) -> Inferred {
    match options.kinds.get(name) {
        Some(kind) => Inferred { kind: *kind, reason: "given".to_owned(), beyond_evidently: false },
        None => infer(current, options.compat),
    }
}

fn one_side(name: &str, column: &Column, options: &Options, reason: &str) -> ColumnDrift {
    let inferred = kind_of(name, column, options);
    ColumnDrift {
        name: name.to_owned(),
        role: role(name, options),
        kind: inferred.kind,
        kind_reason: inferred.reason,
        scale: summary::scale(column),
        status: Status::Skipped(reason.to_owned()),
        counted: false,
        reference: None,
        current: Some(summary::side(column, inferred.kind)),
        distribution: None,
        findings: Vec::new(),
    }
}

fn both_sides(name: &str, reference: &Column, current: &Column, options: &Options) -> ColumnDrift {
    let inferred = kind_of(name, current, options);
    let kind = inferred.kind;
    let mut findings = finding::on_values(reference, current, kind, options);
    let sides = Sides::new(reference, current);
    let status = test(name, &inferred, &sides, options);
    let usable = !reference.is_empty() && !current.is_empty();
    let mut distribution = None;
    if usable {
        distribution = match kind {
            Kind::Numerical | Kind::Datetime => sides.pair().and_then(summary::of_numbers),
            Kind::Categorical => Some(summary::of_labels(reference, current, sides.frequencies())),
            Kind::Text => text_distribution(reference, current),
            Kind::Unknown => None,
        };
    }
    if usable && kind == Kind::Categorical {
        let (new, vanished) = summary::one_sided(reference, current);
        findings.extend(finding::on_labels(&new, &vanished, reference.len(), current.len()));
    }
    if inferred.beyond_evidently && matches!(status, Status::Tested(_)) {
        findings.push(finding::beyond_evidently(current));
    }
    ColumnDrift {
        name: name.to_owned(),
        role: role(name, options),
        kind,
        kind_reason: inferred.reason,
        scale: summary::scale(current),
        counted: kind != Kind::Datetime && matches!(status, Status::Tested(_)),
        status,
        reference: Some(summary::side(reference, kind)),
        current: Some(summary::side(current, kind)),
        distribution,
        findings,
    }
}

/// Lengths of the texts on both sides.
fn text_distribution(reference: &Column, current: &Column) -> Option<Distribution> {
    let (before, after) =
        (crate::text::lengths(reference.strings()?), crate::text::lengths(current.strings()?));
    summary::of_numbers(&crate::column::Pair::new(&before, &after))
}

fn test(name: &str, inferred: &Inferred, sides: &Sides<'_>, options: &Options) -> Status {
    let kind = inferred.kind;
    let (reference, current) = (sides.reference, sides.current);
    if kind == Kind::Unknown {
        return Status::Skipped(inferred.reason.clone());
    }
    for (column, side) in [(reference, "the reference"), (current, "current")] {
        if column.is_empty() {
            return Status::Skipped(format!("no usable value in {side}"));
        }
        if column.len() < options.min_samples {
            return Status::Skipped(format!(
                "{} usable values in {side}, fewer than the {} asked for",
                column.len(),
                options.min_samples
            ));
        }
    }
    let asked = options.method_for(name, kind);
    let chosen_by_default = asked.is_none();
    let (method, method_reason) = if let Some((method, option)) = asked {
        (method, format!("asked for by {option}"))
    } else {
        let distinct = if kind == Kind::Text { 0 } else { sides.distinct_up_to(5) };
        default_method(kind, reference.len(), distinct as u64, options.is_evidently())
    };
    if !chosen_by_default && !method.applies_to(kind) && !by_value(method, kind, options) {
        let kinds: Vec<&str> = method
            .kinds()
            .iter()
            .filter(|kind| **kind != Kind::Datetime)
            .map(|kind| kind.name())
            .collect();
        return Status::Failed(format!(
            "{method} is for {} columns, this one is {kind}",
            kinds.join(" and ")
        ));
    }
    let outcome = match run(method, kind, sides, options) {
        Ok(outcome) => outcome,
        Err(reason) => return Status::Failed(reason),
    };
    let threshold = options.threshold_for(name, kind).unwrap_or_else(|| method.default_threshold());
    let drifted = method.is_drift(outcome.score, threshold);
    let counts_as_drifted = if options.is_evidently() {
        table_verdict(name, sides, kind, options, drifted)
    } else {
        drifted
    };
    let Outcome { score, effect, detail } = outcome;
    let method_reason =
        detail.map_or_else(|| method_reason.clone(), |detail| format!("{method_reason}; {detail}"));
    Status::Tested(Verdict {
        method,
        method_reason,
        chosen_by_default,
        score,
        adjusted_score: None,
        threshold,
        score_kind: method.score_kind(),
        drifted,
        counts_as_drifted,
        effect,
    })
}

/// The default rule counts the values of a numerical column that has few; asking for the same is allowed
/// here (a pinned profile does), though not by Evidently.
fn by_value(method: Method, kind: Kind, options: &Options) -> bool {
    kind == Kind::Numerical
        && matches!(method, Method::ChiSquare | Method::ZTest)
        && !options.is_evidently()
}

/// Evidently's dataset count cleans a side only if it holds a NaN: otherwise infinities stay in.
fn table_verdict(
    name: &str,
    sides: &Sides<'_>,
    kind: Kind,
    options: &Options,
    drifted: bool,
) -> bool {
    let keeps_infinities = |column: &Column| column.infinite() > 0 && column.missing() == 0;
    if !keeps_infinities(sides.reference) && !keeps_infinities(sides.current) {
        return drifted;
    }
    let raw = |column: &Column| {
        if keeps_infinities(column) { column.with_infinities() } else { column.clone() }
    };
    let (reference, current) = (raw(sides.reference), raw(sides.current));
    let sides = Sides::new(&reference, &current);
    let method = options.method_for(name, kind).map_or_else(
        || default_method(kind, reference.len(), sides.distinct_up_to(5) as u64, true).0,
        |(method, _)| method,
    );
    let threshold = options.threshold_for(name, kind).unwrap_or_else(|| method.default_threshold());
    match run(method, kind, &sides, options) {
        Ok(outcome) => method.is_drift(outcome.score, threshold),
        Err(_) => drifted,
    }
}

/// Adjusts the p-values of counted columns for their number, and the verdicts with them.
fn adjust(columns: &mut [ColumnDrift], correction: Correction) {
    if correction == Correction::None {
        return;
    }
    let mut p_values: Vec<&mut Verdict> = columns
        .iter_mut()
        .filter_map(|column| match &mut column.status {
            Status::Tested(verdict)
                if verdict.score_kind == ScoreKind::PValue && !verdict.score.is_nan() =>
            {
                Some(verdict)
            }
            _ => None,
        })
        .collect();
    let count = p_values.len() as f64;
    p_values.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut smallest: f64 = 1.0;
    for (index, verdict) in p_values.into_iter().enumerate() {
        let rank = count - index as f64;
        let adjusted = match correction {
            Correction::BenjaminiHochberg => {
                smallest = smallest.min(verdict.score * count / rank);
                smallest
            }
            Correction::Bonferroni | Correction::None => (verdict.score * count).min(1.0),
        };
        verdict.adjusted_score = Some(adjusted);
        verdict.drifted = verdict.method.is_drift(adjusted, verdict.threshold);
        verdict.counts_as_drifted = verdict.drifted;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray, UInt32Array};

    use super::*;
    use crate::Compat;

    fn numbers(from: i32, to: i32) -> ArrayRef {
        Arc::new(Float64Array::from_iter_values((from..to).map(f64::from)))
    }

    fn table(columns: &[(&str, ArrayRef)]) -> RecordBatch {
        RecordBatch::try_from_iter(columns.iter().map(|(name, array)| (*name, Arc::clone(array))))
            .unwrap()
    }

    fn column<'a>(drift: &'a DatasetDrift, name: &str) -> &'a ColumnDrift {
        drift.columns.iter().find(|column| column.name == name).unwrap()
    }

    #[test]
    fn an_infinite_value_among_bins_is_an_error_of_evidentlys() {
        let with = |more: &[f64]| -> ArrayRef {
            let values = (0..100).map(f64::from).chain(more.iter().copied());
            Arc::new(Float64Array::from_iter_values(values))
        };
        let error = |current: &[f64], method: &str| {
            let options = Options {
                compat: Compat::Evidently,
                method: Some(method.parse().unwrap()),
                ..Options::default()
            };
            let (reference, current) = (table(&[("x", with(&[]))]), table(&[("x", with(current))]));
            compare(&reference, &current, &options).evidently_error
        };
        assert!(error(&[f64::INFINITY], "psi").unwrap().contains("not finite"));
        // A missing value makes Evidently clean the column, and a rank needs no bins.
        assert_eq!(error(&[f64::INFINITY, f64::NAN], "psi"), None);
        assert_eq!(error(&[f64::INFINITY], "ks"), None);
        assert_eq!(error(&[], "psi"), None);
    }

    #[test]
    fn no_column_stops_the_others() {
        let words: ArrayRef =
            Arc::new(StringArray::from_iter_values((0..100).map(|i| format!("w{}", i % 3))));
        let reference = table(&[
            ("a", numbers(0, 100)),
            ("gone", numbers(0, 100)),
            ("t", numbers(0, 100)),
            ("trainyard.version", numbers(0, 100)),
        ]);
        let current = table(&[
            ("new", numbers(0, 100)),
            ("a", numbers(0, 100)),
            ("t", words),
            ("trainyard.version", numbers(1, 101)),
            ("__index_level_0__", numbers(1, 101)),
        ]);
        let drift = compare(&reference, &current, &Options::default());
        let names: Vec<&str> = drift.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, vec!["new", "a", "t", "gone"]);
        assert!(matches!(column(&drift, "a").status, Status::Tested(_)));
        assert_eq!(column(&drift, "gone").findings[0].kind, FindingKind::MissingColumn);
        assert_eq!(column(&drift, "new").findings[0].kind, FindingKind::NewColumn);
        assert_eq!(column(&drift, "t").findings[0].kind, FindingKind::TypeChanged);
        assert_eq!((drift.tested, drift.drifted), (2, 1));
        let evidently = compare(
            &reference,
            &current,
            &Options { compat: Compat::Evidently, ..Options::default() },
        );
        assert_eq!(
            evidently.evidently_error.unwrap(),
            "ValueError: Column (new) is partially present in data"
        );
    }

    #[test]
    fn a_method_that_does_not_apply_fails_its_column_only() {
        let labels: ArrayRef = Arc::new(Int64Array::from_iter_values((0..100).map(|i| i % 3)));
        let both = table(&[("x", numbers(0, 100)), ("label", labels)]);
        let options = Options { method: Some(Method::KolmogorovSmirnov), ..Options::default() };
        let drift = compare(&both, &both, &options);
        assert_eq!(
            column(&drift, "label").status,
            Status::Failed("ks is for numerical columns, this one is categorical".to_owned())
        );
        assert_eq!(column(&drift, "x").verdict().unwrap().score, 1.0);
    }

    #[test]
    fn corrections_are_the_textbooks() {
        let column = |index: i32, shift: i32| {
            (format!("c{index}"), numbers(0, 50), numbers(shift, 50 + shift))
        };
        let shifts = [3, 9, 12, 14, 30];
        let columns: Vec<_> =
            shifts.iter().zip(0..).map(|(shift, index)| column(index, *shift)).collect();
        let reference = RecordBatch::try_from_iter(
            columns.iter().map(|(name, before, _)| (name, Arc::clone(before))),
        )
        .unwrap();
        let current = RecordBatch::try_from_iter(
            columns.iter().map(|(name, _, after)| (name, Arc::clone(after))),
        )
        .unwrap();
        let run = |correction| {
            let drift =
                compare(&reference, &current, &Options { correction, ..Options::default() });
            drift
                .columns
                .iter()
                .map(|column| {
                    let verdict = column.verdict().unwrap();
                    (verdict.score, verdict.decisive_score())
                })
                .collect::<Vec<_>>()
        };
        for (raw, adjusted) in run(Correction::Bonferroni) {
            assert_eq!(adjusted, (raw * 5.0).min(1.0));
        }
        let adjusted = run(Correction::BenjaminiHochberg);
        // In order of p: the largest stays, the smallest is multiplied by five.
        assert_eq!(adjusted[0].0, adjusted[0].1);
        assert_eq!(adjusted[4].1, adjusted[4].0 * 5.0);
        assert!(adjusted.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    }

    #[test]
    fn unsigned_columns_are_tested_and_said_so() {
        let array: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..100));
        let both = table(&[("u", array)]);
        let drift = compare(&both, &both, &Options::default());
        assert_eq!(drift.tested, 1);
        assert_eq!(drift.columns[0].findings[0].kind, FindingKind::BeyondEvidently);
        let drift =
            compare(&both, &both, &Options { compat: Compat::Evidently, ..Options::default() });
        assert_eq!(drift.tested, 0);
    }

    #[test]
    fn too_few_values_are_skipped() {
        let both = table(&[("x", numbers(0, 9))]);
        let drift = compare(&both, &both, &Options { min_samples: 10, ..Options::default() });
        assert!(
            matches!(&drift.columns[0].status, Status::Skipped(reason) if reason.contains("9 usable values"))
        );
    }
}
