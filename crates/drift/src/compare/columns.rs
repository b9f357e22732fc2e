//! One column of both sides.

use std::borrow::Cow;

use arrow_array::Array;

use super::judge::judge;
use crate::checks;
use crate::column::Column;
use crate::distribution::{self, Distribution};
use crate::kind::{Inferred, Kind, infer};
use crate::labels;
use crate::method::Method;
use crate::options::Options;
use crate::side::{Scale, scale, side};
use crate::sides::Sides;
use crate::text_features::lengths;
use crate::too_few::too_few;
use crate::values::Pair;
use crate::verdict::{ColumnDrift, Role, Status};

/// Compares two Arrow arrays as one column.
///
/// ```
/// use arrow_array::StringArray;
/// use trainyard_drift::{Options, compare_arrays};
///
/// let before = StringArray::from(["red", "blue", "green"].repeat(20));
/// let after = StringArray::from(["red", "blue", "green", "pink"].repeat(20));
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
    let mut drift = match (reference, current) {
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
    if let (Some(rule), Some(current)) = (options.rules.get(name), current) {
        drift.findings.retain(|finding| !rule.replaces(finding.kind));
        drift.findings.extend(checks::on_rules(current, rule));
    }
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
        words: Vec::new(),
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

/// The kind that was asked for, or the inferred one. A profile asks for what its table would give, and
/// has the same reason then.
fn kind_of(name: &str, column: &Column, options: &Options) -> Inferred {
    let given = |kind| Inferred { kind, reason: "given".to_owned(), beyond_evidently: false };
    match options.kinds.get(name) {
        Some(kind) if options.is_evidently() => given(*kind),
        Some(kind) => {
            let inferred = infer(name, column, options.compat);
            if inferred.kind == *kind { inferred } else { given(*kind) }
        }
        None => infer(name, column, options.compat),
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
        words: Vec::new(),
        findings: Vec::new(),
    }
}

fn both_sides(name: &str, reference: &Column, current: &Column, options: &Options) -> ColumnDrift {
    let (reference, current) = if options.is_evidently() {
        (Cow::Borrowed(reference), Cow::Borrowed(current))
    } else {
        (reference.beside(current), current.beside(reference))
    };
    let (reference, current) = (reference.as_ref(), current.as_ref());
    let decides = if options.is_evidently() { current } else { reference };
    let inferred = kind_of(name, decides, options);
    let kind = inferred.kind;
    let usable = !reference.is_empty() && !current.is_empty();
    let is_judged = usable && kind != Kind::Unknown && !options.is_evidently();
    let few = if is_judged { too_few(reference, current, options) } else { None };
    let mut findings = match &few {
        Some(reason) => checks::on_few_values(reference, current, kind, reason, options),
        None => checks::on_values(reference, current, kind, options),
    };
    let sides = Sides::new(reference, current, options.compat);
    let status = judge(name, &inferred, &sides, options);
    let mut distribution = None;
    if usable {
        distribution = match kind {
            Kind::Numerical | Kind::Datetime => sides.pair().and_then(distribution::of_numbers),
            Kind::Categorical => Some(distribution::of_labels(&sides)),
            Kind::Text => text_distribution(reference, current),
            Kind::Unknown => None,
        };
    }
    if usable && kind == Kind::Categorical && few.is_none() {
        let (new, vanished) = labels::one_sided(reference, current, options.compat);
        let respelt = match (new.count, options.is_evidently()) {
            (0, _) | (_, true) => Vec::new(),
            _ => labels::respelt(reference, current),
        };
        let rows = [reference.len(), current.len()];
        findings.extend(checks::on_labels(&new, &vanished, &respelt, rows));
        if !options.is_evidently() {
            findings.extend(checks::on_rare_labels(&sides));
        }
    }
    if usable && kind == Kind::Text && few.is_none() && !options.is_evidently() {
        findings.extend(checks::on_repeated_texts(&sides));
    }
    let mut words = Vec::new();
    if let Status::Tested(verdict) = &status
        && verdict.method == Method::TextContent
        && verdict.drifted
        && let Some((finding, telling)) = checks::on_texts(&sides)
    {
        findings.push(finding);
        words = telling;
    }
    if inferred.beyond_evidently && matches!(status, Status::Tested(_)) {
        findings.push(checks::schema::beyond_evidently(decides));
    }
    ColumnDrift {
        name: name.to_owned(),
        role: role(name, options),
        kind,
        kind_reason: inferred.reason,
        scale: scale(if decides.is_empty() { current } else { decides }),
        counted: kind != Kind::Datetime && matches!(status, Status::Tested(_)),
        status,
        reference: Some(side(reference, kind)),
        current: Some(side(current, kind)),
        distribution,
        words,
        findings,
    }
}

/// Lengths of the texts on both sides.
fn text_distribution(reference: &Column, current: &Column) -> Option<Distribution> {
    let (before, after) = (lengths(reference.strings()?), lengths(current.strings()?));
    distribution::of_numbers(&Pair::new(&before, &after))
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float32Array, Float64Array};

    use super::*;

    #[test]
    fn single_precision_is_as_it_is_written() {
        for distinct in [3, 90] {
            let values: Vec<f64> = (0..300).map(|row| f64::from(row % distinct) / 10.0).collect();
            let single = Float32Array::from_iter_values(values.iter().map(|value| *value as f32));
            let double = Float64Array::from(values);
            let (single, double): (&dyn Array, &dyn Array) = (&single, &double);
            for (before, after) in [(single, double), (double, single)] {
                let drift = compare_arrays("x", before, after, &Options::default());
                assert!(!drift.drifted(), "{distinct}: {:?}", drift.status);
                assert!(drift.findings.is_empty(), "{distinct}: {:?}", drift.findings);
            }
        }
    }
}
