//! The rule by which a version's holdout was chosen, as its run records it: applied to another table, it says
//! which of those rows the version was never trained on.

use std::fmt;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::moment::Moments;
use super::row_hash::{hashes, threshold};
use crate::columns::named;
use crate::{Error, Result};

/// Longest tag that MLflow servers keep whole: 5,000 characters before 2.16, 8,000 since.
const TAG_CHARS_MAX: usize = 5_000;

/// Which rows were held out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Rule {
    /// Drawn at random from one table, and known for that one alone.
    Random {
        /// Share of the rows.
        share: f64,
        /// Seed of the draw.
        seed: u32,
        /// Whether each class has the same share.
        stratify: bool,
        /// SHA-256 of the table.
        digest: String,
    },
    /// Rows whose hash is among the lowest of all possible ones.
    Hash {
        /// Share of the hashes.
        share: f64,
        /// Columns that are hashed; none in a tag that could not hold them.
        columns: Vec<String>,
        /// SHA-256 of their names.
        columns_digest: String,
    },
    /// Rows whose id has a hash among the lowest.
    Id {
        /// Share of the hashes.
        share: f64,
        /// Column of the id.
        column: String,
    },
    /// Rows later than a moment.
    After {
        /// Column of the moments.
        column: String,
        /// The moment.
        after: String,
    },
    /// A table of its own; rows that occur in it were not trained on.
    File {
        /// SHA-256 of that table.
        digest: String,
    },
}

impl Rule {
    /// Tag of a run with its rule.
    pub const TAG: &'static str = "trainyard.holdout";

    /// The rule by the hash of these columns.
    pub(crate) fn hash(share: f64, mut columns: Vec<String>) -> Self {
        columns.sort();
        let columns_digest = hex::encode(Sha256::digest(columns.join("\n")));
        Self::Hash { share, columns, columns_digest }
    }

    /// The rule as the value of a tag. So many columns that no tag holds their names are told by digest.
    pub fn to_tag(&self) -> String {
        let write = |rule: &Self| serde_json::to_string(rule).unwrap_or_default();
        let text = write(self);
        match self {
            Self::Hash { share, columns_digest, .. } if text.chars().count() > TAG_CHARS_MAX => {
                let columns_digest = columns_digest.clone();
                write(&Self::Hash { share: *share, columns: Vec::new(), columns_digest })
            }
            _ => text,
        }
    }

    /// The rule of a tag; none if the text is not one.
    pub fn from_tag(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether both hold the same rows of today's data out.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Hash { share, columns_digest, .. },
                Self::Hash { share: other, columns_digest: digest, .. },
            ) => share == other && columns_digest == digest,
            _ => self == other,
        }
    }

    /// For each row of a table, whether this rule holds it out. `today` is the rule of that table, which has
    /// the names of columns that a tag could not hold.
    ///
    /// # Errors
    ///
    /// [`Error::RuleNotApplicable`] if that cannot be told of single rows, or if the table lacks the columns.
    pub(crate) fn held_out(&self, table: &RecordBatch, today: &Self) -> Result<Vec<bool>> {
        let not = |reason: String| Error::RuleNotApplicable { rule: self.to_string(), reason };
        let columns = |columns: &[String]| {
            named(table, columns, "holdout").map_err(|error| not(error.to_string()))
        };
        let below = |columns: &RecordBatch, share: f64| -> Result<Vec<bool>> {
            let threshold = threshold(share);
            Ok(hashes(columns)?.into_iter().map(|hash| hash < threshold).collect())
        };
        match self {
            Self::Hash { share, columns: names, columns_digest } => {
                let names = match today {
                    Self::Hash { columns, columns_digest: digest, .. }
                        if names.is_empty() && digest == columns_digest =>
                    {
                        columns
                    }
                    _ if names.is_empty() => {
                        return Err(not("the columns have changed since".to_owned()));
                    }
                    _ => names,
                };
                below(&columns(names)?, *share)
            }
            Self::Id { share, column } => below(&columns(std::slice::from_ref(column))?, *share),
            Self::After { column, after } => {
                let moments =
                    Moments::read(table, column).map_err(|error| not(error.to_string()))?;
                let after = moments.parse(after).map_err(|error| not(error.to_string()))?;
                Ok(moments.values.iter().map(|value| *value > after).collect())
            }
            Self::Random { .. } => Err(not("it is drawn anew when the data change".to_owned())),
            Self::File { .. } => Err(not("that file is another one now".to_owned())),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random { share, seed, .. } => write!(f, "random, {share} by seed {seed}"),
            Self::Hash { share, .. } => write!(f, "hash, {share} of the rows"),
            Self::Id { share, column } => write!(f, "hash, {share} of the values of {column:?}"),
            Self::After { column, after } => write!(f, "{column:?} after {after}"),
            Self::File { digest } => {
                let short: String = digest.chars().take(8).collect();
                write!(f, "a file of its own, {short}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array};

    use super::*;

    fn table() -> RecordBatch {
        let ids: ArrayRef = Arc::new(Int64Array::from((0..1_000).collect::<Vec<_>>()));
        RecordBatch::try_from_iter([("id", ids)]).unwrap()
    }

    #[test]
    fn a_tag_is_the_rule() {
        for rule in [
            Rule::hash(0.2, vec!["b".to_owned(), "a".to_owned()]),
            Rule::Id { share: 0.3, column: "customer".to_owned() },
            Rule::After { column: "date".to_owned(), after: "2026-09-01".to_owned() },
            Rule::File { digest: "abc".to_owned() },
        ] {
            assert_eq!(Rule::from_tag(&rule.to_tag()), Some(rule));
        }
        assert_eq!(Rule::from_tag("hash"), None);
    }

    #[test]
    fn a_larger_share_holds_the_same_rows_out_and_more() {
        let rule = |share| Rule::hash(share, vec!["id".to_owned()]);
        let fewer = rule(0.2).held_out(&table(), &rule(0.2)).unwrap();
        let more = rule(0.3).held_out(&table(), &rule(0.3)).unwrap();
        assert!(fewer.iter().zip(&more).all(|(fewer, more)| !fewer || *more));
    }

    #[test]
    fn columns_too_many_for_a_tag_are_told_by_digest() {
        let wide = Rule::hash(0.2, (0..2_000).map(|index| format!("column_{index}")).collect());
        let read = Rule::from_tag(&wide.to_tag()).unwrap();
        assert!(wide.to_tag().len() < TAG_CHARS_MAX && read.is(&wide));
        let other = Rule::hash(0.2, vec!["id".to_owned()]);
        let error = read.held_out(&table(), &other).unwrap_err().to_string();
        assert!(error.contains("the columns have changed"), "{error}");
    }

    #[test]
    fn a_rule_whose_column_is_gone_says_so() {
        let rule = Rule::Id { share: 0.2, column: "customer".to_owned() };
        let error = rule.held_out(&table(), &rule).unwrap_err().to_string();
        assert!(error.contains("\"customer\""), "{error}");
    }
}
