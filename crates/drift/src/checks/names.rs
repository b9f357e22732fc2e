//! Columns that are missing and new only because their name is written in another way.

use unicode_normalization::UnicodeNormalization as _;

use crate::finding::{Finding, FindingKind, Severity};
use crate::verdict::ColumnDrift;

/// Findings on names that only one side has and that differ by blanks, case, accents or punctuation alone, or by
/// the encoding in which they were read.
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
        let alike = |(before, other): &&(&str, String)| {
            !name.is_empty() && *other == name
                || misread(&column.name).is_some_and(|read| read == *before)
        };
        findings.extend(gone.iter().filter(alike).map(|(before, _)| {
            let message = format!(
                "the column {before:?} of the reference may be {:?} of current: {}",
                column.name,
                difference(before, &column.name)
            );
            Finding::new(FindingKind::SimilarNames, Severity::Warning, message)
        }));
    }
    findings
}

/// In what two names differ that may be one.
fn difference(before: &str, after: &str) -> &'static str {
    if misread(after).is_some_and(|read| read == before) {
        "UTF-8 text was read as Latin-1 where it was written"
    } else if before.nfc().eq(after.nfc()) {
        "the names look the same, but their accents are composed in another way (Unicode NFC and NFD)"
    } else {
        "the names differ only in blanks, case, accents or punctuation"
    }
}

/// What a name was before its UTF-8 was taken for Latin-1: `Größe` of `GrÃ¶Ã\u{9f}e`.
fn misread(name: &str) -> Option<String> {
    if name.is_ascii() {
        return None;
    }
    let bytes: Vec<u8> = name.chars().map(u8::try_from).collect::<Result<_, _>>().ok()?;
    String::from_utf8(bytes).ok()
}

/// The letters and digits of a name, small and without accents.
fn plain(name: &str) -> String {
    name.nfkd()
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

    #[test]
    fn names_that_look_alike_are_told_apart() {
        let said = |before, after| {
            let column = Column::new(&[&Float64Array::from(vec![1.0])]);
            let options = Options::default();
            let gone = compare_columns(before, Some(&column), None, &options);
            let new = compare_columns(after, None, Some(&column), &options);
            on_names(&[gone, new]).into_iter().map(|finding| finding.message).collect::<String>()
        };
        assert!(said("citt\u{e0}", "citta\u{300}").contains("composed in another way"));
        assert!(said("citt\u{e0}", "citt\u{c3}\u{a0}").contains("read as Latin-1"));
        assert!(said("citt\u{e0}", "citta").contains("blanks, case, accents or punctuation"));
        assert_eq!(said("citt\u{e0}", "city"), "");
    }
}
