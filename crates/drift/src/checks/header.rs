//! What names that only one side has say of how a file was read: one that holds several, as with another separator,
//! and values in the place of names, as without a header.

use std::collections::BTreeSet;

use crate::finding::{Finding, FindingKind, Severity};
use crate::verdict::ColumnDrift;

/// What may stand between fields.
const SEPARATORS: [char; 9] = [' ', ';', ',', '\t', '|', ':', '^', '~', '\u{1}'];

/// Names of the other side from which on a name holds several.
const NAMES_MIN: usize = 2;

/// Names that are shown.
const SHOWN_MAX: usize = 3;

/// Finding on tables that have no column in common because one was read in another way.
pub(super) fn on_header(columns: &[ColumnDrift]) -> Option<Finding> {
    let (mut gone, mut new) = (BTreeSet::new(), BTreeSet::new());
    for column in columns {
        match (&column.reference, &column.current) {
            (Some(_), None) => gone.insert(column.name.as_str()),
            (None, Some(_)) => new.insert(column.name.as_str()),
            _ => return None,
        };
    }
    let message = in_one(&new, &gone, "current")
        .or_else(|| in_one(&gone, &new, "the reference"))
        .or_else(|| values(&new, &gone, "current"))
        .or_else(|| values(&gone, &new, "the reference"))?;
    Some(Finding::new(FindingKind::SimilarNames, Severity::Warning, message))
}

/// What is said where the only column of one side holds the names of the other's.
fn in_one(names: &BTreeSet<&str>, others: &BTreeSet<&str>, side: &str) -> Option<String> {
    let name = names.first().filter(|_| names.len() == 1)?;
    let holds_several = |separator: &char| {
        let parts = name.split(*separator).map(|part| part.trim().trim_matches('"'));
        parts.filter(|part| others.contains(part)).count() >= NAMES_MIN
    };
    let separator = SEPARATORS.into_iter().find(holds_several)?;
    Some(format!(
        "the only column of {side}, {name:?}, holds names of the other side's: are its fields separated by {separator:?}? --delimiter says so, of both sides"
    ))
}

/// What is said where names of one side are numbers, and none of the other's.
fn values(names: &BTreeSet<&str>, others: &BTreeSet<&str>, side: &str) -> Option<String> {
    // Not "nan", which is one for a parser.
    let is_number = |name: &str| {
        name.ends_with(|last: char| last.is_ascii_digit()) && name.parse::<f64>().is_ok()
    };
    if others.is_empty() || others.iter().any(|name| is_number(name)) {
        return None;
    }
    let numbers = names.iter().filter(|name| is_number(name));
    let numbers: Vec<String> = numbers.take(SHOWN_MAX).map(|name| format!("{name:?}")).collect();
    (!numbers.is_empty()).then(|| {
        format!(
            "columns of {side} are called {}, as values are: does its first line name the columns?",
            numbers.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::Float64Array;

    use super::*;
    use crate::{Column, Options, compare_columns};

    fn said(before: &[&str], after: &[&str]) -> String {
        let column = Column::new(&[&Float64Array::from(vec![1.0])]);
        let of = |name: &&str| {
            let (was, is) = (before.contains(name), after.contains(name));
            let options = Options::default();
            compare_columns(name, was.then_some(&column), is.then_some(&column), &options)
        };
        let names: BTreeSet<&str> = before.iter().chain(after).copied().collect();
        let columns: Vec<ColumnDrift> = names.iter().map(of).collect();
        on_header(&columns).map(|finding| finding.message).unwrap_or_default()
    }

    #[test]
    fn a_name_that_holds_several_tells_the_separator() {
        let names = ["age", "income"];
        assert!(said(&names, &["age income"]).contains("of current, \"age income\", holds"));
        assert!(said(&names, &["age^income"]).contains("separated by '^'"));
        assert!(said(&["\"age\":\"income\""], &names).contains("of the reference"));
        for other in [["years old"], ["age-income"]] {
            assert_eq!(said(&names, &other), "", "{other:?}");
        }
    }

    #[test]
    fn values_are_no_names() {
        let names = ["age", "income"];
        assert!(
            said(&names, &["31", "5000.5"]).contains("of current are called \"31\", \"5000.5\"")
        );
        assert!(said(&["31", "x"], &names).contains("of the reference are called \"31\""));
        assert_eq!(said(&["0", "1"], &["2", "3"]), "");
        assert_eq!(said(&names, &["age", "31"]), "");
        assert_eq!(said(&names, &["nan", "wages"]), "");
    }
}
