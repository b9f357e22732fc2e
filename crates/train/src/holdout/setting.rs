//! `holdout`: how rows are held out, as a project says it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a value of `holdout` may look like.
const FORMS: &str = "\"hash\", \"random\", { column = \"date\", after = \"2026-09-01\" }, \
                     { column = \"date\", newest = 0.2 } or { file = \"holdout.csv\" }";

/// How rows are held out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Holdout {
    /// scikit-learn's `train_test_split`: drawn anew whenever the table changes.
    #[default]
    Random,
    /// By a hash of a row's content, or of its `id`: the same row is always on the same side.
    Hash,
    /// Rows later than a moment.
    After {
        /// Column of dates, times or numbers.
        column: String,
        /// The moment, as it is written in the column.
        after: String,
    },
    /// The newest share of the rows.
    Newest {
        /// Column of dates, times or numbers.
        column: String,
        /// Share of the rows, between 0 and 1.
        newest: f64,
    },
    /// A table of its own.
    File {
        /// Path of a CSV or Parquet file, folder or glob.
        file: String,
    },
}

impl Holdout {
    /// The column that says on which side a row is, if one does.
    pub(crate) fn column(&self) -> Option<&str> {
        match self {
            Self::After { column, .. } | Self::Newest { column, .. } => Some(column),
            Self::Random | Self::Hash | Self::File { .. } => None,
        }
    }
}

impl TryFrom<Value> for Holdout {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let wrong = || format!("holdout must be {FORMS}");
        match value {
            Value::String(name) if name == "hash" => Ok(Self::Hash),
            Value::String(name) if name == "random" => Ok(Self::Random),
            Value::Object(keys) => of_table(keys).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

fn of_table(mut keys: Map<String, Value>) -> Option<Holdout> {
    let mut text = |key: &str| match keys.remove(key) {
        Some(Value::String(text)) => Some(text),
        // `after = 2025`: a number needs no quotes.
        Some(Value::Number(number)) => Some(number.to_string()),
        // `after = 2026-09-01`: TOML has dates, which its reader hands on as a table of one text.
        Some(Value::Object(date)) => {
            date.values().next().and_then(Value::as_str).map(str::to_owned)
        }
        _ => None,
    };
    let (column, after) = (text("column"), text("after"));
    let (newest, file) = (text("newest"), text("file"));
    if !keys.is_empty() {
        return None;
    }
    match (column, after, newest, file) {
        (Some(column), Some(after), None, None) => Some(Holdout::After { column, after }),
        (Some(column), None, Some(newest), None) => {
            let newest = newest.parse().ok().filter(|share| (0.0..1.0).contains(share))?;
            (newest > 0.0).then_some(Holdout::Newest { column, newest })
        }
        (None, None, None, Some(file)) => Some(Holdout::File { file }),
        _ => None,
    }
}

impl From<Holdout> for Value {
    fn from(holdout: Holdout) -> Self {
        match holdout {
            Holdout::Random => json!("random"),
            Holdout::Hash => json!("hash"),
            Holdout::After { column, after } => json!({ "column": column, "after": after }),
            Holdout::Newest { column, newest } => json!({ "column": column, "newest": newest }),
            Holdout::File { file } => json!({ "file": file }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written() {
        for text in [
            r#""hash""#,
            r#""random""#,
            r#"{"column":"date","after":"2026-09-01"}"#,
            r#"{"column":"date","newest":0.2}"#,
            r#"{"file":"holdout.csv"}"#,
        ] {
            let read: Holdout = serde_json::from_str(text).unwrap();
            let written = serde_json::to_value(&read).unwrap();
            assert_eq!(written, serde_json::from_str::<Value>(text).unwrap());
        }
        let year: Holdout = serde_json::from_str(r#"{"column":"year","after":2025}"#).unwrap();
        assert_eq!(year, Holdout::After { column: "year".to_owned(), after: "2025".to_owned() });
    }

    #[test]
    fn what_is_no_rule_is_refused_with_the_forms() {
        for text in [
            r#""hashed""#,
            "0.2",
            r#"{"after":"2026-09-01"}"#,
            r#"{"column":"date","newest":1.5}"#,
            r#"{"column":"date","newest":0.2,"after":"2026-09-01"}"#,
            r#"{"file":"a.csv","seed":1}"#,
        ] {
            let error = serde_json::from_str::<Holdout>(text).unwrap_err().to_string();
            assert!(error.contains("newest = 0.2"), "{text}: {error}");
        }
    }
}
