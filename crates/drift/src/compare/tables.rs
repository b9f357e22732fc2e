//! Two tables, and which of their columns are compared.

use std::collections::{HashMap, HashSet};

use arrow_array::RecordBatch;
use rayon::prelude::*;
use trainyard_base::pandas::is_row_label;

use super::columns::compare_columns;
use super::dataset::conclude;
use crate::column::Column;
use crate::options::Options;
use crate::pandas_note;
use crate::verdict::DatasetDrift;

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
    let options = &pandas_note::with_pandas_types(options, pandas.map(String::as_str));
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

/// Columns of a prediction log about the request, and row labels that pandas stores with a table.
fn is_ignored(name: &str) -> bool {
    name.starts_with(IGNORED_PREFIX) || is_row_label(name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray, UInt32Array};

    use super::*;
    use crate::{
        ColumnDrift, Compat, Correction, DatasetVerdict, FindingKind, Kind, Method, Status,
    };

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
        // What the reference knows as numbers is not compared as labels.
        assert_eq!(column(&drift, "t").kind, Kind::Numerical);
        assert!(matches!(column(&drift, "t").status, Status::Failed(_)));
        assert_eq!((drift.tested, drift.drifted), (1, 0));
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
    fn the_largest_change_comes_first_whatever_the_method() {
        let reference = table(&[("ks", numbers(0, 200)), ("distance", numbers(0, 200))]);
        let order = |ks: i32, distance: i32| {
            let current = table(&[
                ("ks", numbers(ks, 200 + ks)),
                ("distance", numbers(distance, 200 + distance)),
            ]);
            let per_column_method = [("distance".to_owned(), Method::Wasserstein)].into();
            let options = Options { per_column_method, ..Options::default() };
            let drift = compare(&reference, &current, &options);
            assert_eq!(drift.drifted, 2);
            drift.by_severity()[0].name.clone()
        };
        assert_eq!(order(120, 10), "ks");
        assert_eq!(order(30, 180), "distance");
    }

    #[test]
    fn too_few_values_are_skipped() {
        let (nine, others) = (table(&[("x", numbers(0, 9))]), table(&[("x", numbers(1, 10))]));
        let drift = compare(&nine, &others, &Options::default());
        assert!(
            matches!(&drift.columns[0].status, Status::Skipped(reason) if reason.contains("9 usable values"))
        );
        // Said once, of the table.
        assert_eq!(drift.findings[0].kind, FindingKind::TooFew);
        assert!(drift.columns[0].findings.is_empty(), "{:?}", drift.columns[0].findings);
        // Equal tables are equal at any size.
        let same = compare(&nine, &nine, &Options::default());
        assert_eq!((same.tested, same.verdict()), (1, DatasetVerdict::Stable));
        let asked = Options { min_samples: Some(9), ..Options::default() };
        assert_eq!(compare(&nine, &others, &asked).tested, 1);
    }

    #[test]
    fn little_traffic_is_not_broken() {
        let trained = || [("x", numbers(0, 500)), ("y", numbers(0, 500))];
        let verdict = |current: &[(&str, ArrayRef)]| {
            let drift = compare(&table(&trained()), &table(current), &Options::default());
            (drift.is_too_small(), drift.verdict())
        };
        let few = [("x", numbers(7, 10)), ("y", numbers(0, 3))];
        assert_eq!(verdict(&few), (true, DatasetVerdict::Warning));
        // A column that is gone is gone, however few rows there are.
        assert_eq!(verdict(&few[..1]), (true, DatasetVerdict::Broken));
        // Columns that are not judged are columns still: one that fails is one of three.
        let sparse: Float64Array = (0..500).map(|row| (row < 3).then_some(1.5)).collect();
        let per_column_method = [("z".to_owned(), Method::TotalVariation)].into();
        let options = Options { per_column_method, ..Options::default() };
        let before = table(&[&trained()[..], &[("z", numbers(0, 500))]].concat());
        let after =
            [("x", numbers(0, 500)), ("y", Arc::new(sparse) as ArrayRef), ("z", numbers(0, 500))];
        let drift = compare(&before, &table(&after), &options);
        assert_eq!((drift.tested, drift.untestable()), (1, 1));
        assert_eq!(drift.verdict(), DatasetVerdict::Warning);
        // Of 500 rows 497 have no value now: that is said, too.
        let kinds: Vec<FindingKind> =
            column(&drift, "y").findings.iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, [FindingKind::TooFew, FindingKind::MissingShare]);
        // Nothing that is ever tested is another case than too little of it.
        let kinds = [("x".to_owned(), Kind::Unknown), ("y".to_owned(), Kind::Unknown)].into();
        let options = Options { kinds, ..Options::default() };
        let drift = compare(&table(&trained()), &table(&few), &options);
        assert_eq!((drift.is_untested(), drift.verdict()), (true, DatasetVerdict::Warning));
    }

    #[test]
    fn the_reference_says_what_a_column_is() {
        let many: ArrayRef = Arc::new(Int64Array::from_iter_values((0..500).map(|row| row % 40)));
        let few: ArrayRef = Arc::new(Int64Array::from_iter_values((0..500).map(|row| row % 7)));
        let index: ArrayRef = Arc::new(Int64Array::from_iter_values(0..500));
        let empty: ArrayRef = Arc::new(Float64Array::from(vec![None; 500]));
        let words: ArrayRef =
            Arc::new(StringArray::from_iter_values((0..500).map(|i| format!("w{i}"))));
        let side = |whole: &ArrayRef, half: &ArrayRef, filled: &ArrayRef| {
            table(&[
                ("whole", Arc::clone(whole)),
                ("half", Arc::clone(half)),
                ("filled", Arc::clone(filled)),
                ("Unnamed: 0", Arc::clone(&index)),
            ])
        };
        let whole: ArrayRef =
            Arc::new(Float64Array::from_iter_values((0..500).map(|i| f64::from(i % 7))));
        let (reference, current) = (side(&whole, &many, &empty), side(&few, &few, &words));
        let by_table = compare(&reference, &current, &Options::default());
        let kinds: Vec<Kind> = by_table.columns.iter().map(|column| column.kind).collect();
        assert_eq!(kinds, [Kind::Numerical, Kind::Numerical, Kind::Unknown, Kind::Unknown]);
        assert!(!column(&by_table, "whole").drifted());
        let of_filled: Vec<FindingKind> =
            column(&by_table, "filled").findings.iter().map(|finding| finding.kind).collect();
        assert_eq!(of_filled, [FindingKind::Empty]);
        // A profile says the same.
        let profile = crate::Profile::new(&reference).pin(&Options::default());
        let options = profile.pinned(&Options::default());
        assert_eq!(profile.compare(&crate::Profile::new(&current), &options), by_table);
    }

    #[test]
    fn the_verdict_is_never_green_where_something_is_wrong() {
        let none: ArrayRef = Arc::new(Float64Array::from(vec![None; 100]));
        let verdict = |columns: &[(&str, ArrayRef)], compat| {
            let reference =
                table(&[("a", numbers(0, 100)), ("b", numbers(0, 100)), ("c", numbers(0, 100))]);
            compare(&reference, &table(columns), &Options { compat, ..Options::default() })
                .verdict()
        };
        let ours = |columns: &[(&str, ArrayRef)]| verdict(columns, Compat::Trainyard);
        let (same, moved) = (numbers(0, 100), numbers(60, 160));
        let of = |b: &ArrayRef, c: &ArrayRef| {
            [("a", numbers(0, 100)), ("b", Arc::clone(b)), ("c", Arc::clone(c))]
        };
        assert_eq!(ours(&of(&same, &same)), DatasetVerdict::Stable);
        assert_eq!(ours(&of(&same, &moved)), DatasetVerdict::Warning);
        assert_eq!(ours(&of(&moved, &moved)), DatasetVerdict::Drift);
        assert_eq!(ours(&of(&moved, &none)), DatasetVerdict::Broken);
        assert_eq!(ours(&[("a", numbers(0, 100)), ("b", numbers(0, 100))]), DatasetVerdict::Broken);
        assert_eq!(ours(&[("a", numbers(0, 0)), ("b", numbers(0, 0))]), DatasetVerdict::Broken);
        // A method that does not apply leaves one column untested, which may be too many to tell.
        let per_column_method = [("c".to_owned(), Method::TotalVariation)].into();
        let options = Options { per_column_method, ..Options::default() };
        let all = table(&of(&same, &same));
        let drift = compare(&all, &all, &options);
        assert_eq!((drift.tested + drift.untestable(), drift.untestable()), (3, 1));
        assert_eq!(drift.verdict(), DatasetVerdict::Warning);
        let half = all.project(&[0, 2]).unwrap();
        assert_eq!(compare(&half, &half, &options).verdict(), DatasetVerdict::Broken);
        // Evidently does not look at what is not there.
        let gone = [("a", numbers(0, 100)), ("b", numbers(0, 100))];
        assert_eq!(verdict(&gone, Compat::Evidently), DatasetVerdict::Warning);
        // Whatever share counts as drift: a column that drifted is not green.
        let options = Options { drift_share: 1.0, ..Options::default() };
        let moved = table(&of(&same, &moved));
        assert_eq!(compare(&all, &moved, &options).verdict(), DatasetVerdict::Warning);
        // What is left out on purpose is not looked at.
        let kinds = [("c".to_owned(), Kind::Unknown)].into();
        let options = Options { kinds, ..Options::default() };
        assert_eq!(compare(&all, &moved, &options).verdict(), DatasetVerdict::Stable);
        // Nor is a column green on which nothing decides.
        let mut drift = compare(&all, &all, &Options::default());
        for column in drift.columns.iter_mut().take(2) {
            if let Status::Tested(verdict) = &mut column.status {
                (verdict.score, verdict.drifted) = (f64::NAN, false);
            }
        }
        assert_eq!((drift.untestable(), drift.verdict()), (2, DatasetVerdict::Broken));
    }
}
