//! One column of both sides.

use arrow_array::Array;

use super::judge::judge;
use crate::checks;
use crate::column::Column;
use crate::distribution::{self, Distribution};
use crate::kind::{Inferred, Kind, infer};
use crate::labels;
use crate::options::Options;
use crate::side::{Scale, scale, side};
use crate::sides::Sides;
use crate::text_features::lengths;
use crate::values::Pair;
use crate::verdict::{ColumnDrift, Role, Status};

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
            column.findings.push(checks::schema::missing_column());
            column.reference = column.current.take();
            column
        }
        (None, Some(current)) => {
            let mut column =
                one_side(name, current, options, "the reference does not have this column");
            column.findings.push(checks::schema::new_column());
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
        scale: scale(column),
        status: Status::Skipped(reason.to_owned()),
        counted: false,
        reference: None,
        current: Some(side(column, inferred.kind)),
        distribution: None,
        findings: Vec::new(),
    }
}

fn both_sides(name: &str, reference: &Column, current: &Column, options: &Options) -> ColumnDrift {
    let inferred = kind_of(name, current, options);
    let kind = inferred.kind;
    let mut findings = checks::on_values(reference, current, kind, options);
    let sides = Sides::new(reference, current);
    let status = judge(name, &inferred, &sides, options);
    let usable = !reference.is_empty() && !current.is_empty();
    let mut distribution = None;
    if usable {
        distribution = match kind {
            Kind::Numerical | Kind::Datetime => sides.pair().and_then(distribution::of_numbers),
            Kind::Categorical => {
                Some(distribution::of_labels(reference, current, sides.frequencies()))
            }
            Kind::Text => text_distribution(reference, current),
            Kind::Unknown => None,
        };
    }
    if usable && kind == Kind::Categorical {
        let (new, vanished) = labels::one_sided(reference, current);
        findings.extend(checks::on_labels(&new, &vanished, reference.len(), current.len()));
    }
    if inferred.beyond_evidently && matches!(status, Status::Tested(_)) {
        findings.push(checks::schema::beyond_evidently(current));
    }
    ColumnDrift {
        name: name.to_owned(),
        role: role(name, options),
        kind,
        kind_reason: inferred.reason,
        scale: scale(current),
        counted: kind != Kind::Datetime && matches!(status, Status::Tested(_)),
        status,
        reference: Some(side(reference, kind)),
        current: Some(side(current, kind)),
        distribution,
        findings,
    }
}

/// Lengths of the texts on both sides.
fn text_distribution(reference: &Column, current: &Column) -> Option<Distribution> {
    let (before, after) = (lengths(reference.strings()?), lengths(current.strings()?));
    distribution::of_numbers(&Pair::new(&before, &after))
}
