//! `[monitor.column.NAME]` and `freshness`: rules on the data that a person writes down.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, de};
use toml::Value;
use trainyard_base::duration;
use trainyard_drift::{ColumnRule, Freshness, Pattern};

/// A `[monitor.column.NAME]` table.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Table {
    min: Option<f64>,
    max: Option<f64>,
    allowed: Option<Vec<Label>>,
    regex: Option<String>,
    missing_max: Option<f64>,
    unique: bool,
    tolerance: f64,
}

/// A label, which may be written as the number or truth value that it is.
#[derive(Deserialize)]
#[serde(untagged)]
enum Label {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
}

impl Label {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Boolean(value) => value.to_string(),
        }
    }
}

impl Table {
    fn rule(&self) -> Result<ColumnRule, String> {
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            return Err(format!("min = {min} is above max = {max}"));
        }
        let shares = [("missing_max", self.missing_max), ("tolerance", Some(self.tolerance))];
        for (key, share) in shares {
            if let Some(share) = share
                && !(0.0..=1.0).contains(&share)
            {
                return Err(format!("{key} = {share}: a share between 0 and 1"));
            }
        }
        let pattern = self.regex.as_deref().map(str::parse::<Pattern>).transpose();
        Ok(ColumnRule {
            min: self.min,
            max: self.max,
            allowed: self.allowed.as_ref().map(|labels| labels.iter().map(Label::text).collect()),
            pattern: pattern.map_err(|error| format!("regex: {error}"))?,
            missing_max: self.missing_max,
            unique: self.unique,
            tolerance: self.tolerance,
        })
    }
}

/// Reads rules, a table for each column.
pub(super) fn by_column<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, ColumnRule>, D::Error> {
    BTreeMap::<String, Table>::deserialize(deserializer)?
        .into_iter()
        .map(|(name, table)| match table.rule() {
            Ok(rule) => Ok((name, rule)),
            Err(reason) => Err(de::Error::custom(format!("column {name:?}: {reason}"))),
        })
        .collect()
}

/// Writes rules as the table that they are read from.
pub(super) fn write(text: &mut String, name: &str, rule: &ColumnRule) {
    // Writing to a String cannot fail.
    let _infallible = writeln!(text, "\n[monitor.column.{}]", Value::from(name));
    let mut line = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            let _infallible = writeln!(text, "{key} = {value}");
        }
    };
    line("min", rule.min.map(Value::from));
    line("max", rule.max.map(Value::from));
    line("allowed", rule.allowed.clone().map(|labels| Value::from(Vec::from_iter(labels))));
    line("regex", rule.pattern.as_ref().map(|pattern| Value::from(pattern.text())));
    line("missing_max", rule.missing_max.map(Value::from));
    line("unique", rule.unique.then_some(Value::from(true)));
    line("tolerance", Some(Value::from(rule.tolerance)));
}

/// How old the newest row may be, by a column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxAge {
    /// The column that holds the time.
    pub column: String,
    /// The age.
    #[serde(deserialize_with = "duration::deserialize")]
    pub max_age: Duration,
}

impl MaxAge {
    pub(super) fn at(&self, now: DateTime<Utc>) -> Freshness {
        Freshness {
            column: self.column.clone(),
            max_age: i64::try_from(self.max_age.as_micros()).unwrap_or(i64::MAX),
            now: now.timestamp_micros(),
        }
    }
}

impl FromStr for MaxAge {
    type Err = String;

    /// Reads `column=2h`; the name may hold `=` itself.
    fn from_str(text: &str) -> Result<Self, String> {
        let (column, age) = text
            .rsplit_once('=')
            .ok_or_else(|| format!("{text:?} is not COLUMN=AGE, such as time=2h"))?;
        let max_age = duration::parse(age).map_err(|error| error.to_string())?;
        Ok(Self { column: column.to_owned(), max_age })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Rules {
        #[serde(deserialize_with = "by_column")]
        column: BTreeMap<String, ColumnRule>,
    }

    #[derive(Deserialize)]
    struct File {
        monitor: Rules,
    }

    fn read(text: &str) -> Result<BTreeMap<String, ColumnRule>, String> {
        let file: Result<File, _> = toml::from_str(text);
        file.map(|file| file.monitor.column).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let rule = ColumnRule {
            min: Some(-1e-7),
            max: Some(3_432_670_000.0),
            allowed: Some(["1".to_owned(), "a \"b\"".to_owned()].into()),
            pattern: "[A-Z]{2}\\d+".parse().ok(),
            missing_max: Some(0.05),
            unique: true,
            tolerance: 0.01,
        };
        let mut text = String::new();
        write(&mut text, "a \"b\".c", &rule);
        write(&mut text, "plain", &ColumnRule::default());
        let rules = read(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(rules["a \"b\".c"], rule, "{text}");
        assert_eq!(rules["plain"], ColumnRule::default(), "{text}");
    }

    #[test]
    fn rules_are_read_as_people_write_them() {
        let rules = read("[monitor.column.a]\nmin = 0\nallowed = [1, 2.5, \"x\", true]\n").unwrap();
        let allowed = ["1", "2.5", "x", "true"].map(str::to_owned);
        assert_eq!(rules["a"].min, Some(0.0));
        assert_eq!(rules["a"].allowed, Some(allowed.into()));
        for (rule, part) in [
            ("min = 2\nmax = 1", "above max"),
            ("regex = \"(\"", "regex"),
            ("tolerance = 2", "between 0 and 1"),
            ("missing = 1", "missing"),
        ] {
            let error = read(&format!("[monitor.column.a]\n{rule}\n")).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let age: MaxAge = "a=b=2h".parse().unwrap();
        assert_eq!((age.column.as_str(), age.max_age.as_secs()), ("a=b", 7200));
        assert!("time".parse::<MaxAge>().is_err());
    }
}
