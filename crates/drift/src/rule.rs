//! What a person says the values of a column must be, beside what the reference says.

use std::collections::BTreeSet;
use std::str::FromStr;

use regex::Regex;

use crate::column::Column;
use crate::finding::FindingKind;
use crate::kind::Kind;
use crate::labels::{for_each_own_label, label_beside};
use crate::values::family::Family;
use crate::values::{Numbers, Values};

/// Labels up to which a column's set of values is learned: more are a list that grows.
const LEARNED_LABELS_MAX: u64 = 20;
/// Rows from which on a column of which no two values are alike is one that tells rows apart.
const LEARNED_UNIQUE_ROWS_MIN: u64 = 100;
/// Share of the values that may break what was learned: a reference does not hold all that there is.
const LEARNED_TOLERANCE: f64 = 0.01;

/// Rules on the values of one column. None of them is about missing values but `missing_max`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColumnRule {
    /// The smallest number that is right.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// The only labels that are right.
    pub allowed: Option<BTreeSet<String>>,
    /// What every text must match.
    pub pattern: Option<Pattern>,
    /// The largest share of missing values, from 0 to 1.
    pub missing_max: Option<f64>,
    /// No two values are alike.
    pub unique: bool,
    /// The share of the values, from 0 to 1, that may break a rule without more than a note.
    pub tolerance: f64,
}

impl ColumnRule {
    /// The rules that a reference column keeps: range, labels where they are few, share of missing values (of
    /// which `missing_share_change` more is right), uniqueness. What time it is goes on, so times have no range.
    pub fn learned(column: &Column, kind: Kind, missing_share_change: f64) -> Self {
        let missing = column.missing() as f64 / column.rows().max(1) as f64;
        let mut rule = Self {
            missing_max: Some(rounded_up(missing + missing_share_change).min(1.0)),
            tolerance: LEARNED_TOLERANCE,
            ..Self::default()
        };
        let is_labels = kind == Kind::Categorical && column.distinct() <= LEARNED_LABELS_MAX;
        if is_labels && !column.is_empty() {
            let mut labels = BTreeSet::new();
            for_each_own_label(column, |label, _| {
                labels.insert(label);
            });
            rule.allowed = Some(labels);
        }
        if kind == Kind::Numerical {
            let numbers = column.numbers();
            rule.min = numbers.and_then(Numbers::min);
            rule.max = numbers.and_then(Numbers::max);
        }
        let tells_rows_apart = match column.values() {
            Values::Numbers(numbers) => kind == Kind::Numerical && numbers.is_integer(),
            Values::Strings(_) => kind == Kind::Text,
            Values::Other => false,
        };
        rule.unique = tells_rows_apart
            && column.len() >= LEARNED_UNIQUE_ROWS_MIN
            && column.distinct() == column.len();
        rule
    }

    /// Whether the rule takes the place of what the reference says about the same.
    pub(crate) fn replaces(&self, finding: FindingKind) -> bool {
        match finding {
            FindingKind::OutOfRange => self.min.is_some() || self.max.is_some(),
            FindingKind::NewCategories => self.allowed.is_some(),
            FindingKind::MissingShare => self.missing_max.is_some(),
            FindingKind::LostUniqueness => self.unique,
            _ => false,
        }
    }

    /// The labels that are right, in the form in which those of a column of this family are compared.
    pub(crate) fn labels(&self, family: Family) -> Option<BTreeSet<String>> {
        let allowed = self.allowed.as_ref()?;
        Some(allowed.iter().map(|label| label_beside(label, family)).collect())
    }
}

/// A share with as many digits as people write.
fn rounded_up(share: f64) -> f64 {
    const STEPS: f64 = 1e4;
    // What is whole but for the last bits of a sum stays.
    (share * STEPS - 1e-6).ceil() / STEPS
}

/// A regular expression that a whole text must match.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl FromStr for Pattern {
    type Err = regex::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // By itself first, so that a mistake is shown as it was written.
        Regex::new(text)?;
        Ok(Self { text: text.to_owned(), regex: Regex::new(&format!("^(?:{text})$"))? })
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn a_reference_teaches_its_rules() {
        let ids = Column::new(&[&Int64Array::from_iter_values(5..205)]);
        let rule = ColumnRule::learned(&ids, Kind::Numerical, 0.05);
        assert_eq!((rule.min, rule.max, rule.unique), (Some(5.0), Some(204.0), true));
        assert_eq!((rule.missing_max, rule.allowed), (Some(0.05), None));
        let gaps: Float64Array = (0..100).map(|i| (i % 2 == 0).then_some(f64::from(i))).collect();
        let rule = ColumnRule::learned(&Column::new(&[&gaps]), Kind::Numerical, 0.05);
        // Fractions are different by chance.
        assert_eq!((rule.missing_max, rule.unique), (Some(0.55), false));
        let towns = Column::new(&[&StringArray::from(["b", "a"].repeat(60))]);
        let rule = ColumnRule::learned(&towns, Kind::Categorical, 0.05);
        assert_eq!(rule.allowed, Some(["a".to_owned(), "b".to_owned()].into()));
        assert_eq!((rule.min, rule.unique), (None, false));
    }

    #[test]
    fn patterns_match_whole_texts() {
        let pattern: Pattern = "[A-Z]{2}|x".parse().unwrap();
        assert_eq!(
            ["NL", "x", "NLx", "xNL", ""].map(|text| pattern.matches(text)),
            [true, true, false, false, false]
        );
        assert!("(".parse::<Pattern>().is_err());
    }
}
