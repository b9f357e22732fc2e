//! `[monitor]` of `trainyard.toml`: what is compared, how, and what counts as drift.
//!
//! Keys have the names of the flags of `trainyard monitor`, which are Evidently's where it has them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, de};
use trainyard_base::duration;
use trainyard_data::RowFilter;
use trainyard_drift::{Bins, Compat, Correction, Kind, Method, Options};

use super::bytes::Bytes;
use super::log;
use crate::{Error, Result, toml_error};

/// `[monitor]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What production data is compared with: a table, a profile or `models:/…`; in a project the
    /// training data logged with the served version if none.
    pub reference: Option<String>,
    /// Production data; in a project the prediction log of the deployment if none.
    pub current: Option<String>,
    /// Requests that `trainyard run` sends to the new deployment before it monitors.
    pub requests: Option<String>,
    /// End with exit code 4 when the data set has drifted.
    pub fail_on_drift: bool,
    /// The page that `trainyard run` writes, relative to the project.
    pub report: PathBuf,
    /// A file of metrics for Prometheus' textfile collector.
    pub prometheus: Option<PathBuf>,

    /// Columns to compare; all if none.
    pub columns: Option<Vec<String>>,
    /// Column of current that holds the time, for `since` and `until`; a prediction log's own if none.
    pub time_column: Option<String>,
    /// Earliest time of current: `2026-01-31`, `2026-01-31T12:00:00Z`, or how long ago: `7d`.
    pub since: Option<String>,
    /// First time of current that does not count any more.
    pub until: Option<String>,
    /// Comparisons that every row of current must satisfy: `country = "NL"`, `amount >= 10`.
    #[serde(rename = "where")]
    pub conditions: Vec<String>,
    /// Memory to spend on data, about; half of what is free if none.
    pub memory: Option<Bytes>,

    #[serde(deserialize_with = "name")]
    pub method: Option<Method>,
    #[serde(deserialize_with = "name")]
    pub num_method: Option<Method>,
    #[serde(deserialize_with = "name")]
    pub cat_method: Option<Method>,
    #[serde(deserialize_with = "name")]
    pub text_method: Option<Method>,
    #[serde(deserialize_with = "names")]
    pub per_column_method: BTreeMap<String, Method>,
    pub threshold: Option<f64>,
    pub num_threshold: Option<f64>,
    pub cat_threshold: Option<f64>,
    pub text_threshold: Option<f64>,
    pub per_column_threshold: BTreeMap<String, f64>,
    /// Kinds by column, instead of those that are inferred; `unknown` leaves a column out.
    #[serde(deserialize_with = "names")]
    pub kinds: BTreeMap<String, Kind>,
    /// Share of drifted columns from which the data set counts as drifted.
    pub drift_share: f64,
    /// Adjustment of p-values: `none`, `bh`, `bonferroni`.
    #[serde(deserialize_with = "name")]
    pub correct: Option<Correction>,
    /// Bins with equal shares of the reference, so that days compare.
    pub bins: Option<usize>,
    /// Columns with fewer values on either side are skipped.
    pub min_samples: u64,
    /// Change of the share of missing values that is a finding.
    pub missing_share_change: f64,
    /// Seed of tests that regroup rows at random.
    pub seed: u32,
    /// `evidently`: do as Evidently does where it is defective.
    #[serde(deserialize_with = "name")]
    pub compat: Option<Compat>,
}

impl Default for Settings {
    fn default() -> Self {
        let options = Options::default();
        Self {
            reference: None,
            current: None,
            requests: None,
            fail_on_drift: false,
            report: PathBuf::from("reports/drift.html"),
            prometheus: None,
            columns: None,
            time_column: None,
            since: None,
            until: None,
            conditions: Vec::new(),
            memory: None,
            method: None,
            num_method: None,
            cat_method: None,
            text_method: None,
            per_column_method: BTreeMap::new(),
            threshold: None,
            num_threshold: None,
            cat_threshold: None,
            text_threshold: None,
            per_column_threshold: BTreeMap::new(),
            kinds: BTreeMap::new(),
            drift_share: options.drift_share,
            correct: None,
            bins: None,
            min_samples: options.min_samples,
            missing_share_change: options.missing_share_change,
            seed: options.seed,
            compat: None,
        }
    }
}

/// A file of settings alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    monitor: Settings,
}

/// A settings file is written by hand.
const FILE_BYTES_MAX: u64 = 16 << 20;

impl Settings {
    /// Reads a file that holds a `[monitor]` table and nothing else.
    pub fn read(path: &Path) -> Result<Self> {
        let unreadable = |error| Error::config(path, format!("it cannot be read: {error}"));
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > FILE_BYTES_MAX {
            return Err(Error::config(path, format!("{size} bytes: a settings file is small")));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let file: File = toml::from_str(&text)
            .map_err(|error| Error::config(path, toml_error::describe(&text, &error)))?;
        file.monitor.check().map_err(|reason| Error::config(path, reason))?;
        Ok(file.monitor)
    }

    /// Rules that types do not hold; the error names key and value.
    pub fn check(&self) -> Result<(), String> {
        let shares = [
            ("drift_share", self.drift_share),
            ("missing_share_change", self.missing_share_change),
        ];
        for (key, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("monitor.{key} = {share}: a share between 0 and 1"));
            }
        }
        if let Some(bins) = self.bins
            && !(2..=Bins::MAX).contains(&bins)
        {
            return Err(format!("monitor.bins = {bins}: from 2 to {}", Bins::MAX));
        }
        let thresholds =
            [self.threshold, self.num_threshold, self.cat_threshold, self.text_threshold];
        let mut thresholds =
            thresholds.into_iter().flatten().chain(self.per_column_threshold.values().copied());
        match thresholds.find(|threshold| !(threshold.is_finite() && *threshold >= 0.0)) {
            Some(wrong) => Err(format!("monitor: {wrong} is no threshold; 0 or more")),
            None => Ok(()),
        }
    }

    /// How columns are compared.
    pub fn options(&self) -> Options {
        Options {
            columns: self.columns.clone(),
            method: self.method,
            num_method: self.num_method,
            cat_method: self.cat_method,
            text_method: self.text_method,
            per_column_method: self.per_column_method.clone(),
            threshold: self.threshold,
            num_threshold: self.num_threshold,
            cat_threshold: self.cat_threshold,
            text_threshold: self.text_threshold,
            per_column_threshold: self.per_column_threshold.clone(),
            drift_share: self.drift_share,
            kinds: self.kinds.clone(),
            correction: self.correct.unwrap_or_default(),
            bins: self.bins.map_or(Bins::Pooled, Bins::ReferenceQuantiles),
            min_samples: self.min_samples,
            missing_share_change: self.missing_share_change,
            seed: self.seed,
            compat: self.compat.unwrap_or_default(),
            target: None,
            prediction: None,
        }
    }

    /// Which rows of current count.
    pub fn rows(&self, now: DateTime<Utc>) -> RowFilter {
        let time = |text: &Option<String>| {
            text.as_ref().map(|text| match duration::parse(text) {
                Ok(ago) => log::time(now - ago),
                Err(_) => text.clone(),
            })
        };
        RowFilter {
            time_column: self.time_column.clone(),
            since: time(&self.since),
            until: time(&self.until),
            conditions: self.conditions.clone(),
        }
    }
}

/// Reads a choice by its name.
fn name<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(de::Error::custom)
}

/// Reads choices by name, one a column.
fn names<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    BTreeMap::<String, String>::deserialize(deserializer)?
        .into_iter()
        .map(|(column, name)| Ok((column, name.parse().map_err(de::Error::custom)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("monitor.toml");
        std::fs::write(&path, text).unwrap();
        Settings::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_evidentlys() {
        let settings = read(
            "[monitor]\nnum_method = \"psi\"\ncorrect = \"bh\"\nbins = 10\nmemory = \"512MB\"\nwhere = [\"x > 1\"]\n[monitor.per_column_method]\n\"a b\" = \"ks\"\n[monitor.kinds]\nid = \"unknown\"\n",
        )
        .unwrap();
        let options = settings.options();
        assert_eq!(options.num_method, Some(Method::Psi));
        assert_eq!(options.per_column_method["a b"], Method::KolmogorovSmirnov);
        assert_eq!(options.correction, Correction::BenjaminiHochberg);
        assert_eq!(options.kinds["id"], Kind::Unknown);
        assert_eq!(options.bins, Bins::ReferenceQuantiles(10));
        assert_eq!(settings.memory.unwrap().0, 512_000_000);
    }

    #[test]
    fn wrong_values_are_named() {
        for (text, expected) in [
            ("[monitor]\nmethod = \"kss\"\n", "no drift method is called \"kss\""),
            ("[monitor]\nmetod = \"ks\"\n", "metod"),
            ("[monitor]\nbins = 1\n", "from 2 to"),
            ("[monitor]\nthreshold = -0.5\n", "-0.5"),
            ("[monitor]\ndrift_share = 2\n", "share"),
            ("[monitor]\nmemory = \"lots\"\n", "lots"),
            ("[other]\n", "other"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_window_may_be_said_by_its_length() {
        let now = DateTime::parse_from_rfc3339("2026-03-08T12:00:00Z").unwrap().to_utc();
        let settings = Settings {
            since: Some("7d".to_owned()),
            until: Some("2026-03-05".to_owned()),
            ..Settings::default()
        };
        let rows = settings.rows(now);
        assert_eq!(rows.since.as_deref(), Some("2026-03-01T12:00:00.000Z"));
        assert_eq!(rows.until.as_deref(), Some("2026-03-05"));
    }
}
