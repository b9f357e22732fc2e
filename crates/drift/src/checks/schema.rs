//! Columns that are gone, new, or of another type.

use crate::column::Column;
use crate::finding::{Finding, FindingKind, Severity};
use crate::kind::Kind;
use crate::values::family::{Family, type_name};

/// Finding on a column that only the reference has.
pub(crate) fn missing_column() -> Finding {
    Finding::new(
        FindingKind::MissingColumn,
        Severity::Serious,
        "the reference has this column, current does not",
    )
}

/// Finding on a column that only current has.
pub(crate) fn new_column() -> Finding {
    Finding::new(
        FindingKind::NewColumn,
        Severity::Warning,
        "current has this column, the reference does not",
    )
}

/// Finding on a column that Evidently leaves out.
pub(crate) fn beyond_evidently(column: &Column) -> Finding {
    let name = type_name(column.data_type());
    Finding::new(
        FindingKind::BeyondEvidently,
        Severity::Note,
        format!("Evidently does not test {name} columns; it is tested here"),
    )
}

/// Finding on a column whose type is another one now.
pub(super) fn type_change(reference: &Column, current: &Column, kind: Kind) -> Option<Finding> {
    // The type of a column without values is a guess of whoever wrote it.
    let is_empty = |column: &Column| column.is_empty() && column.family() != Family::Nested;
    if is_empty(reference) || is_empty(current) {
        return None;
    }
    let (before, after) = (group(reference.family()), group(current.family()));
    let message = || {
        format!(
            "the type changed from {} to {}",
            type_name(reference.data_type()),
            type_name(current.data_type())
        )
    };
    if before != after {
        // Labels that happen to be all digits today are read as numbers; new ones are found as labels.
        let are_digits =
            kind == Kind::Categorical && before == Group::Text && after == Group::Number;
        let severity = if are_digits { Severity::Note } else { Severity::Serious };
        return Some(Finding::new(FindingKind::TypeChanged, severity, message()));
    }
    (reference.data_type() != current.data_type() && reference.family() != current.family())
        .then(|| Finding::new(FindingKind::TypeChanged, Severity::Note, message()))
}

/// Types that carry the same sort of value.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Group {
    Number,
    Text,
    Time,
    Nested,
    Nothing,
}

fn group(family: Family) -> Group {
    match family {
        Family::Float | Family::Integer | Family::Unsigned | Family::Decimal | Family::Boolean => {
            Group::Number
        }
        Family::String | Family::Dictionary => Group::Text,
        Family::Instant | Family::Interval => Group::Time,
        Family::Nested => Group::Nested,
        Family::Null => Group::Nothing,
    }
}
