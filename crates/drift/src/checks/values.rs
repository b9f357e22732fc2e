//! The values of a column that both sides have.

use super::numbers::percent;
use super::range::{earlier, out_of_range};
use super::schema::type_change;
use super::sentinel::sentinel;
use super::uniqueness::lost_uniqueness;
use crate::column::Column;
use crate::finding::{Finding, FindingKind, Severity};
use crate::kind::Kind;
use crate::options::Options;
use crate::too_few;
use crate::values::family::Family;

/// Findings on the values of a column that both sides have.
pub(crate) fn on_values(
    reference: &Column,
    current: &Column,
    kind: Kind,
    options: &Options,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(type_change(reference, current, kind));
    findings.extend(empty_side(reference, current, options));
    findings.extend(missing_share(reference, current, options));
    findings.extend(infinite(reference, current, options));
    if reference.distinct() > 1 && current.distinct() == 1 && current.len() > 1 {
        let message =
            format!("one single value in current; the reference has {}", reference.distinct());
        findings.push(Finding::new(FindingKind::BecameConstant, Severity::Warning, message));
    }
    findings.extend(lost_uniqueness(reference, current, kind, options));
    match kind {
        Kind::Numerical => findings.extend(out_of_range(reference, current)),
        Kind::Datetime => findings.extend(earlier(reference, current)),
        Kind::Categorical | Kind::Text | Kind::Unknown => {}
    }
    if matches!(kind, Kind::Numerical | Kind::Datetime) && !options.is_evidently() {
        findings.extend(sentinel(reference, current, options));
    }
    findings
}

/// Findings on a column with too few values to judge, for this reason: of a handful, labels that are gone and
/// shares that changed say nothing. Where there are rows enough, how few of them have a value does.
pub(crate) fn on_few_values(
    reference: &Column,
    current: &Column,
    kind: Kind,
    reason: &str,
    options: &Options,
) -> Vec<Finding> {
    let mut findings = vec![too_few::finding(reason)];
    findings.extend(type_change(reference, current, kind));
    if reference.rows().min(current.rows()) >= options.least_samples() {
        findings.extend(missing_share(reference, current, options));
    }
    findings
}

/// Chance from which on an empty side is one of many nights: of a column that is often missing, a handful of
/// rows may have no value.
const EMPTY_BY_CHANCE_MIN: f64 = 1e-3;

fn empty_side(reference: &Column, current: &Column, options: &Options) -> Option<Finding> {
    if matches!(reference.family(), Family::Nested) || matches!(current.family(), Family::Nested) {
        return None;
    }
    let rows = current.rows();
    let by_chance = rows > 0 && missing(reference).powf(rows as f64) >= EMPTY_BY_CHANCE_MIN;
    let (severity, message) = match (reference.is_empty(), current.is_empty()) {
        (false, true) if by_chance && !options.is_evidently() => {
            (Severity::Warning, "no usable value in current, which may be chance")
        }
        (false, true) => (Severity::Serious, "no usable value in current"),
        (true, false) => (Severity::Warning, "no usable value in the reference"),
        (true, true) => (Severity::Note, "no usable value on either side"),
        (false, false) => return None,
    };
    Some(Finding::new(FindingKind::Empty, severity, message))
}

fn missing_share(reference: &Column, current: &Column, options: &Options) -> Option<Finding> {
    // An empty side has a finding of its own.
    if reference.is_empty() || current.is_empty() {
        return None;
    }
    let (before, after) = (missing(reference), missing(current));
    let change = (after - before).abs();
    if change == 0.0 || change < options.missing_share_change {
        return None;
    }
    let message =
        format!("{} missing in the reference, {} in current", percent(before), percent(after));
    Some(Finding::new(FindingKind::MissingShare, Severity::Warning, message))
}

/// Infinite values are left out of the test: more of them than before are a warning, as missing ones are.
fn infinite(reference: &Column, current: &Column, options: &Options) -> Option<Finding> {
    let (before, after) = (reference.infinite(), current.infinite());
    if before == 0 && after == 0 {
        return None;
    }
    let share = |column: &Column| column.infinite() as f64 / column.rows().max(1) as f64;
    let change = share(current) - share(reference);
    let is_more = change > 0.0 && change >= options.missing_share_change;
    let severity =
        if after > 0 && (before == 0 || is_more) { Severity::Warning } else { Severity::Note };
    let message = format!(
        "{before} infinite values in the reference, {after} in current; they are left out of the test"
    );
    Some(Finding::new(FindingKind::Infinite, severity, message))
}

/// Share of missing values.
fn missing(column: &Column) -> f64 {
    column.missing() as f64 / column.rows().max(1) as f64
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, StringArray};

    use super::*;

    fn kinds(reference: &Column, current: &Column, kind: Kind) -> Vec<FindingKind> {
        on_values(reference, current, kind, &Options::default())
            .iter()
            .map(|finding| finding.kind)
            .collect()
    }

    #[test]
    fn numbers_tell_range_missing_and_infinite() {
        let reference = Column::new(&[&Float64Array::from(vec![1.0, 2.0, 3.0])]);
        let current = Column::new(&[&Float64Array::from(vec![
            Some(2.0),
            None,
            Some(9.0),
            Some(f64::INFINITY),
        ])]);
        assert_eq!(
            kinds(&reference, &current, Kind::Numerical),
            vec![FindingKind::MissingShare, FindingKind::Infinite, FindingKind::OutOfRange]
        );
    }

    #[test]
    fn more_infinite_values_than_before_are_a_warning() {
        let column = |infinite: usize| {
            let values =
                (0..100).map(|row| if row < infinite { f64::INFINITY } else { row as f64 / 7.0 });
            Column::new(&[&Float64Array::from_iter_values(values)])
        };
        let severity = |before: usize, after: usize| {
            infinite(&column(before), &column(after), &Options::default())
                .map(|finding| finding.severity)
        };
        assert_eq!(severity(0, 0), None);
        assert_eq!(severity(0, 1), Some(Severity::Warning));
        assert_eq!(severity(2, 4), Some(Severity::Note));
        assert_eq!(severity(2, 25), Some(Severity::Warning));
        assert_eq!(severity(25, 2), Some(Severity::Note));
    }

    #[test]
    fn a_column_that_is_often_missing_may_be_so_in_all_of_a_few_rows() {
        let half: Float64Array = (0..100).map(|i| (i % 2 == 0).then_some(1.5)).collect();
        let severity = |reference: Float64Array, rows: usize| {
            let none = Float64Array::from(vec![None; rows]);
            let (reference, none) = (Column::new(&[&reference]), Column::new(&[&none]));
            let findings = on_values(&reference, &none, Kind::Numerical, &Options::default());
            (findings[0].kind, findings[0].severity)
        };
        assert_eq!(severity(half.clone(), 3), (FindingKind::Empty, Severity::Warning));
        assert_eq!(severity(half, 30), (FindingKind::Empty, Severity::Serious));
        let full = Float64Array::from(vec![1.0; 100]);
        assert_eq!(severity(full, 3), (FindingKind::Empty, Severity::Serious));
    }

    #[test]
    fn a_number_that_becomes_text_is_serious() {
        let reference = Column::new(&[&Float64Array::from(vec![1.0])]);
        let current = Column::new(&[&StringArray::from(vec!["1"])]);
        let findings = on_values(&reference, &current, Kind::Categorical, &Options::default());
        assert_eq!(findings[0].kind, FindingKind::TypeChanged);
        assert_eq!(findings[0].severity, Severity::Serious);
        assert!(findings[0].message.contains("float64 to string"), "{}", findings[0].message);
    }
}
