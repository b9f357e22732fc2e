//! Columns that are missing and new only because their name is written in another way.

use crate::finding::{Finding, FindingKind, Severity};
use crate::verdict::ColumnDrift;

/// Findings on names that only one side has and that differ by blanks, case or punctuation alone.
pub(super) fn on_names(columns: &[ColumnDrift]) -> Vec<Finding> {
    let is_new = |column: &&ColumnDrift| column.reference.is_none() && column.current.is_some();
    let is_gone = |column: &&ColumnDrift| column.reference.is_some() && column.current.is_none();
    let gone: Vec<(&str, String)> = columns
        .iter()
        .filter(is_gone)
        .map(|column| (column.name.as_str(), plain(&column.name)))
        .collect();
    let mut findings = Vec::new();
    for column in columns.iter().filter(is_new) {
        let name = plain(&column.name);
        let alike = gone.iter().filter(|(_, other)| !name.is_empty() && *other == name);
        findings.extend(alike.map(|(before, _)| {
            let message = format!(
                "the column {before:?} of the reference may be {:?} of current: the names differ only in blanks, case or punctuation",
                column.name
            );
            Finding::new(FindingKind::SimilarNames, Severity::Warning, message)
        }));
    }
    findings
}

/// The letters and digits of a name, small.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use arrow_array::Float64Array;

    use super::*;
    use crate::{Column, Options, compare_columns};

    #[test]
    fn names_are_quoted() {
        let column = Column::new(&[&Float64Array::from(vec![1.0])]);
        let of = |name, is_gone: bool| {
            let (before, after) =
                if is_gone { (Some(&column), None) } else { (None, Some(&column)) };
            compare_columns(name, before, after, &Options::default())
        };
        let findings = on_names(&[
            of("Income ", true),
            of("age", true),
            of("income", false),
            of("Aged", false),
        ]);
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0]
                .message
                .starts_with("the column \"Income \" of the reference may be \"income\""),
            "{}",
            findings[0].message
        );
    }
}
