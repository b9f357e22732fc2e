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
        let are_flags = kind == Kind::Categorical
            && (are_flags_as_texts(reference, current) || are_flags_as_texts(current, reference));
        let severity = if are_digits || are_flags { Severity::Note } else { Severity::Serious };
        return Some(Finding::new(FindingKind::TypeChanged, severity, message()));
    }
    (reference.data_type() != current.data_type() && reference.family() != current.family())
        .then(|| Finding::new(FindingKind::TypeChanged, Severity::Note, message()))
}

/// Whether one side has flags and the other the words for them, which are the same labels.
fn are_flags_as_texts(flags: &Column, texts: &Column) -> bool {
    let is_flag = |text: &str| {
        let text = text.trim();
        text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
    };
    flags.family() == Family::Boolean
        && texts.strings().is_some_and(|texts| texts.iter().all(|(text, _)| is_flag(text)))
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

#[cfg(test)]
mod tests {
    use arrow_array::{BooleanArray, StringArray};

    use super::*;

    #[test]
    fn flags_as_words_are_a_note() {
        let flags = Column::new(&[&BooleanArray::from(vec![true, false])]);
        let severity = |words: [&str; 2]| {
            let words = Column::new(&[&StringArray::from(words.to_vec())]);
            [(&flags, &words), (&words, &flags)].map(|(before, after)| {
                type_change(before, after, Kind::Categorical).unwrap().severity
            })
        };
        assert_eq!(severity(["true", "False"]), [Severity::Note; 2]);
        // Labels that are flags today are as labels that are digits today.
        assert_eq!(severity(["true", "no"]), [Severity::Serious, Severity::Note]);
    }
}
