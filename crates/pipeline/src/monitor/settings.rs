//! `[monitor]` of `trainyard.toml` and the flags of `trainyard monitor`: what is compared, how, and what
//! counts as drift.
//!
//! Keys and flags have one name each, Evidently's where it has one, and stand in one struct: a field is a key
//! of the file, a flag with its help, and a line of [`Settings::over`], which puts flags over files. Defaults
//! are those of [`Options`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::{Deserialize, Deserializer, de};
use trainyard_base::duration;
use trainyard_data::{Decimal, Natural, ReadOptions, RowFilter, RowRule, instant};
use trainyard_drift::{
    AlertRule, Bins, ColumnRule, Compat, Correction, IGNORED_PREFIX, Kind, Method, Options,
    Silence, WindowLength,
};
use trainyard_engine::{Limits, Source};

use super::bytes::{Bytes, half_of_free};
use super::fail_on::FailOn;
use super::log;
use super::quality::Quality;
use super::rules::{self, MaxAge};
use super::text_options::{Delimiter, ShortRows};
use crate::{Error, Result, toml_error};

/// `[monitor]`, or the flags that were given.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Method")]
pub struct Settings {
    /// Reference: CSV or Parquet file, folder, glob, s3://…, - for stdin, a profile, models:/Name@alias, or a table of an
    /// engine (postgresql://…?table=NAME)
    #[arg(long, value_name = "SOURCE", help_heading = "Data")]
    pub reference: Option<String>,
    /// Current: CSV or Parquet file, folder (also of a prediction log), glob, s3://…, - for stdin, a profile, or a table
    /// of an engine
    #[arg(long, value_name = "SOURCE", help_heading = "Data")]
    pub current: Option<String>,
    /// Engine of sides that are written as '?table=NAME' or '?query=SELECT': postgresql://…, spark://…, duckdb://FILE,
    /// sqlite://FILE, flightsql://…, snowflake://…, bigquery://…
    #[arg(
        long,
        value_name = "URI",
        env = "TRAINYARD_ENGINE",
        hide_env_values = true,
        help_heading = "Data"
    )]
    pub engine: Option<String>,
    /// ADBC driver of the engine, or a folder with it [default: found where packages put it]
    #[arg(
        long,
        value_name = "PATH",
        env = "TRAINYARD_ENGINE_DRIVER",
        hide_env_values = true,
        help_heading = "Data"
    )]
    pub engine_driver: Option<PathBuf>,
    /// How long an engine may take for a side [default: 1h]
    #[serde(deserialize_with = "duration::deserialize_some")]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Data")]
    pub engine_timeout: Option<Duration>,
    /// Only these columns, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAMES", help_heading = "Data")]
    pub columns: Option<Vec<String>>,
    /// Only rows of both sides that satisfy this, such as 'country in ("NL", "BE") and not amount < 10'; may
    /// be repeated
    #[serde(rename = "where")]
    #[arg(long = "where", value_name = "COMPARISON", help_heading = "Data")]
    pub conditions: Option<Vec<String>>,
    /// Compare parts of both sides by themselves too: a column, which is a part for each of its values, or a
    /// condition such as 'color = "green"'; may be repeated
    #[serde(rename = "segment")]
    #[arg(long = "segment", value_name = "COLUMN|CONDITION", help_heading = "Data")]
    pub segments: Option<Vec<String>>,
    /// Only rows of current from this time on: 2026-01-31, 2026-01-31T12:00:00Z, or how long ago: 7d
    #[arg(long, value_name = "TIME", help_heading = "Data")]
    pub since: Option<String>,
    /// Only rows of current before this time
    #[arg(long, value_name = "TIME", help_heading = "Data")]
    pub until: Option<String>,
    /// Column of current that holds the time [default: that of a prediction log]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub time_column: Option<String>,
    /// Look at each window of time by itself, and keep what is found: 1h, 1d, 1w, or 10000 rows
    #[arg(long, value_name = "LENGTH", help_heading = "Windows")]
    pub window: Option<WindowLength>,
    /// Folder that results of windows are kept in [default: windows in the folder of the prediction log, else
    /// beside the page]
    #[arg(long, value_name = "DIR", help_heading = "Windows")]
    pub history: Option<PathBuf>,
    /// Read summaries of the prediction log alone, and not its rows; without it they are read of windows whose rows are
    /// gone
    #[arg(long, help_heading = "Windows")]
    pub from_summaries: bool,
    /// Labels of current, by which windows are judged: a CSV or Parquet file, folder or glob, with the id of each
    /// prediction and what was true [default: feedback beside the log]
    #[arg(long, value_name = "SOURCE", help_heading = "Windows")]
    pub labels: Option<String>,
    /// The id that current and labels share: one name, or CURRENT=LABELS [default: request_id, or that of the log]
    #[arg(long, value_name = "COLUMN", help_heading = "Windows")]
    pub on: Option<String>,
    /// Column of what was true, in labels and labelled reference [default: actual, or the project's target]
    #[arg(long, value_name = "COLUMN", help_heading = "Windows")]
    pub target: Option<String>,
    /// Labelled rows that the model did not learn from, such as a scored holdout: what quality was, and what estimates
    /// before labels learn from
    #[arg(long, value_name = "SOURCE", help_heading = "Windows")]
    pub labelled_reference: Option<String>,
    /// What is told of windows: `[[monitor.alert]]`; the usual rules if none is written.
    #[serde(rename = "alert")]
    #[arg(skip)]
    pub alerts: Option<Vec<AlertRule>>,
    /// What is not told of: `[[monitor.silence]]`.
    #[serde(rename = "silence")]
    #[arg(skip)]
    pub silences: Vec<Silence>,
    /// What separates fields of CSV: a character, or tab [default: told by the file]
    #[serde(deserialize_with = "name")]
    #[arg(long, value_name = "CHARACTER", help_heading = "Data")]
    pub delimiter: Option<Delimiter>,
    /// What stands before decimals in text: . or , [default: told by the column]
    #[arg(long, value_name = "CHARACTER", help_heading = "Data")]
    pub decimal: Option<char>,
    /// A word of CSV that is read as missing, instead of NA, NaN, null and their like; may be repeated
    #[arg(long, value_name = "WORD", help_heading = "Data")]
    pub null: Option<Vec<String>>,
    /// Encoding of CSV, such as windows-1252 or utf-16 [default: utf-8]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub encoding: Option<String>,
    /// Rows of CSV with fewer fields than the header: fill (what lacks is missing) or refuse [default: refuse]
    #[serde(deserialize_with = "name")]
    #[arg(long, value_name = "HOW", help_heading = "Data")]
    pub short_rows: Option<ShortRows>,
    /// Memory to spend on data, about: 512MB, 2GiB [default: half of what is free]
    #[arg(long, value_name = "SIZE", help_heading = "Data")]
    pub memory: Option<Bytes>,

    /// Method for all columns, by Evidently's name (ks, wasserstein, psi, …)
    #[serde(deserialize_with = "name")]
    #[arg(long, value_name = "METHOD")]
    pub method: Option<Method>,
    /// Method for numerical columns
    #[serde(deserialize_with = "name")]
    #[arg(long, value_name = "METHOD")]
    pub num_method: Option<Method>,
    /// Method for categorical columns
    #[serde(deserialize_with = "name")]
    #[arg(long, value_name = "METHOD")]
    pub cat_method: Option<Method>,
    /// Method for text columns
    #[serde(deserialize_with = "name")]
    #[arg(long, value_name = "METHOD")]
    pub text_method: Option<Method>,
    /// Method for one column; may be repeated
    #[serde(deserialize_with = "by_column")]
    #[arg(long, value_name = "COLUMN=METHOD", value_parser = pair::<Method>)]
    pub per_column_method: Vec<(String, Method)>,
    /// Threshold for all columns
    #[arg(long, value_name = "NUMBER")]
    pub threshold: Option<f64>,
    /// Threshold for numerical columns
    #[arg(long, value_name = "NUMBER")]
    pub num_threshold: Option<f64>,
    /// Threshold for categorical columns
    #[arg(long, value_name = "NUMBER")]
    pub cat_threshold: Option<f64>,
    /// Threshold for text columns
    #[arg(long, value_name = "NUMBER")]
    pub text_threshold: Option<f64>,
    /// Threshold for one column; may be repeated
    #[serde(deserialize_with = "numbers_by_column")]
    #[arg(long, value_name = "COLUMN=NUMBER", value_parser = pair::<f64>)]
    pub per_column_threshold: Vec<(String, f64)>,
    /// What a column is (numerical, categorical, text, datetime, unknown); may be repeated
    #[serde(deserialize_with = "by_column")]
    #[arg(long = "kind", value_name = "COLUMN=KIND", value_parser = pair::<Kind>)]
    pub kinds: Vec<(String, Kind)>,

    /// Share of drifted columns that makes the data set drifted [default: 0.5]
    #[arg(long, value_name = "SHARE")]
    pub drift_share: Option<f64>,
    /// Adjust p-values for the number of columns: none, bh (Benjamini–Hochberg), bonferroni
    #[serde(deserialize_with = "name")]
    #[arg(long, value_name = "HOW")]
    pub correct: Option<Correction>,
    /// Bins with equal shares of the reference, so that days compare
    #[arg(long, value_name = "COUNT")]
    pub bins: Option<usize>,
    /// Do not judge columns with fewer values on either side [default: 30]
    #[arg(long, value_name = "COUNT")]
    pub min_samples: Option<u64>,
    /// Change of the share of missing values that is a finding [default: 0.05]
    #[arg(long, value_name = "SHARE")]
    pub missing_share_change: Option<f64>,
    /// Times the rows of the reference, or one over it, that are a finding; 0 for never [default: 10]
    #[arg(long, value_name = "NUMBER")]
    pub volume_factor: Option<f64>,
    /// More of the rows that repeat another one than in the reference that are a finding [default: 0.05]
    #[arg(long, value_name = "SHARE", help_heading = "Quality")]
    pub duplicate_share_change: Option<f64>,
    /// A rule that every row of current must keep, such as 'total >= net'; may be repeated
    #[serde(rename = "checks")]
    #[arg(long = "check", value_name = "RULE", help_heading = "Quality")]
    pub checks: Option<Vec<String>>,
    /// Share of the rows that may break a rule without more than a note [default: 0]
    #[arg(long, value_name = "SHARE", help_heading = "Quality")]
    pub check_tolerance: Option<f64>,
    /// How old the newest row of current may be, by a column of times: time=2h
    #[arg(long = "max-age", value_name = "COLUMN=AGE", help_heading = "Quality")]
    pub freshness: Option<MaxAge>,
    /// Windows of time before that of current whose number of rows says what is usual; 0 for none [default: 7]
    #[arg(long, value_name = "COUNT", help_heading = "Quality")]
    pub volume_windows: Option<u32>,
    /// Times the usual rows of a window, or one over it, that are a finding; 0 for never [default: 3]
    #[arg(long, value_name = "NUMBER", help_heading = "Quality")]
    pub window_volume_factor: Option<f64>,
    /// Rules on the values of columns: `[monitor.column.NAME]`.
    #[serde(rename = "column", deserialize_with = "rules::by_column")]
    #[arg(skip)]
    pub rules: BTreeMap<String, ColumnRule>,
    /// Seed of tests that regroup rows at random [default: 0]
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u32>,
    /// Do as another tool does where it is defective: evidently
    #[serde(deserialize_with = "name")]
    #[arg(long, value_name = "TOOL")]
    pub compat: Option<Compat>,

    /// A file of metrics for Prometheus' textfile collector
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub prometheus: Option<PathBuf>,
    /// End with exit code 4 on this verdict; may be repeated
    #[arg(long, value_name = "VERDICT", help_heading = "Output")]
    pub fail_on: Vec<FailOn>,
    /// The same as --fail-on drift
    #[arg(long, help_heading = "Output")]
    pub fail_on_drift: bool,
    /// The page, relative to the project; the flag is `--output`, which `profile` has for another file.
    #[arg(skip)]
    pub report: Option<PathBuf>,
    /// Requests that `trainyard run` sends to the new deployment before it monitors.
    #[arg(skip)]
    pub requests: Option<String>,
}

/// Flags about the comparison of two sides, which `trainyard profile` does not make, by their ids.
pub const COMPARISON_FLAGS: [&str; 27] = [
    "reference",
    "current",
    "segments",
    "window",
    "history",
    "from_summaries",
    "labels",
    "on",
    "target",
    "labelled_reference",
    "drift_share",
    "correct",
    "bins",
    "min_samples",
    "missing_share_change",
    "volume_factor",
    "duplicate_share_change",
    "checks",
    "check_tolerance",
    "freshness",
    "volume_windows",
    "window_volume_factor",
    "seed",
    "compat",
    "prometheus",
    "fail_on",
    "fail_on_drift",
];

/// Windows that say what is usual: a week of days.
const VOLUME_WINDOWS: u32 = 7;
/// Days differ by less: a Sunday has half the rows of a Monday, an hour's outage costs a few percent.
const WINDOW_VOLUME_FACTOR: f64 = 3.0;

/// Where the page is written if nothing else is said.
const REPORT: &str = "reports/drift.html";

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

    /// These settings over those: what is given here counts, else what is given there. Settings by column
    /// are given for each column alone.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            reference: self.reference.or(below.reference),
            current: self.current.or(below.current),
            engine: self.engine.or(below.engine),
            engine_driver: self.engine_driver.or(below.engine_driver),
            engine_timeout: self.engine_timeout.or(below.engine_timeout),
            columns: self.columns.or(below.columns),
            conditions: self.conditions.or(below.conditions),
            segments: self.segments.or(below.segments),
            since: self.since.or(below.since),
            until: self.until.or(below.until),
            time_column: self.time_column.or(below.time_column),
            window: self.window.or(below.window),
            history: self.history.or(below.history),
            from_summaries: self.from_summaries || below.from_summaries,
            labels: self.labels.or(below.labels),
            on: self.on.or(below.on),
            target: self.target.or(below.target),
            labelled_reference: self.labelled_reference.or(below.labelled_reference),
            alerts: self.alerts.or(below.alerts),
            silences: [below.silences, self.silences].concat(),
            delimiter: self.delimiter.or(below.delimiter),
            decimal: self.decimal.or(below.decimal),
            null: self.null.or(below.null),
            encoding: self.encoding.or(below.encoding),
            short_rows: self.short_rows.or(below.short_rows),
            memory: self.memory.or(below.memory),
            method: self.method.or(below.method),
            num_method: self.num_method.or(below.num_method),
            cat_method: self.cat_method.or(below.cat_method),
            text_method: self.text_method.or(below.text_method),
            // Of two for one column the last counts.
            per_column_method: [below.per_column_method, self.per_column_method].concat(),
            threshold: self.threshold.or(below.threshold),
            num_threshold: self.num_threshold.or(below.num_threshold),
            cat_threshold: self.cat_threshold.or(below.cat_threshold),
            text_threshold: self.text_threshold.or(below.text_threshold),
            per_column_threshold: [below.per_column_threshold, self.per_column_threshold].concat(),
            kinds: [below.kinds, self.kinds].concat(),
            drift_share: self.drift_share.or(below.drift_share),
            correct: self.correct.or(below.correct),
            bins: self.bins.or(below.bins),
            min_samples: self.min_samples.or(below.min_samples),
            missing_share_change: self.missing_share_change.or(below.missing_share_change),
            volume_factor: self.volume_factor.or(below.volume_factor),
            duplicate_share_change: self.duplicate_share_change.or(below.duplicate_share_change),
            checks: self.checks.or(below.checks),
            check_tolerance: self.check_tolerance.or(below.check_tolerance),
            freshness: self.freshness.or(below.freshness),
            volume_windows: self.volume_windows.or(below.volume_windows),
            window_volume_factor: self.window_volume_factor.or(below.window_volume_factor),
            rules: below.rules.into_iter().chain(self.rules).collect(),
            seed: self.seed.or(below.seed),
            compat: self.compat.or(below.compat),
            prometheus: self.prometheus.or(below.prometheus),
            fail_on: if self.fail_on.is_empty() { below.fail_on } else { self.fail_on },
            fail_on_drift: self.fail_on_drift || below.fail_on_drift,
            report: self.report.or(below.report),
            requests: self.requests.or(below.requests),
        }
    }

    /// Rules that types do not hold; the error names key and value.
    pub fn check(&self) -> Result<(), String> {
        let shares = [
            ("drift_share", self.drift_share),
            ("missing_share_change", self.missing_share_change),
            ("duplicate_share_change", self.duplicate_share_change),
            ("check_tolerance", self.check_tolerance),
        ];
        for (key, share) in shares {
            if let Some(share) = share
                && !(0.0..=1.0).contains(&share)
            {
                return Err(format!("monitor.{key} = {share}: a share between 0 and 1"));
            }
        }
        if let Some(decimal) = self.decimal
            && !matches!(decimal, '.' | ',')
        {
            return Err(format!("monitor.decimal = {decimal:?}: a point or a comma"));
        }
        let is_factor = |factor: f64| factor == 0.0 || (1.0..=f64::MAX).contains(&factor);
        let factors = [
            ("volume_factor", self.volume_factor),
            ("window_volume_factor", self.window_volume_factor),
        ];
        for (key, factor) in factors {
            if let Some(factor) = factor
                && !is_factor(factor)
            {
                return Err(format!("monitor.{key} = {factor}: 1 or more, or 0 for never"));
            }
        }
        for text in self.checks.iter().flatten() {
            RowRule::parse(text).map_err(|error| format!("monitor.checks: {error}"))?;
        }
        let rules = self.alerts.as_deref().unwrap_or_default();
        for (at, rule) in rules.iter().enumerate() {
            rule.check().map_err(|error| format!("monitor.alert: {error}"))?;
            if rules[..at].iter().any(|other| rule.is_taken_for(other)) {
                return Err(format!(
                    "monitor.alert: two alerts on the same are called {:?}: give each a `name`",
                    rule.title()
                ));
            }
        }
        for until in self.silences.iter().filter_map(|silence| silence.until.as_ref()) {
            if instant(until).is_none() {
                return Err(format!("monitor.silence: until = {until:?} is no time; 2026-01-31"));
            }
        }
        if let Some(bins) = self.bins
            && !(2..=Bins::MAX).contains(&bins)
        {
            return Err(format!("monitor.bins = {bins}: from 2 to {}", Bins::MAX));
        }
        let sides = [("reference", &self.reference), ("current", &self.current)];
        for (key, side) in sides {
            if self.segments.is_some() && side.as_deref() == Some(trainyard_data::STDIN) {
                return Err(format!(
                    "monitor.segment reads both sides several times, and {key} is standard input"
                ));
            }
        }
        self.check_engines()?;
        let thresholds =
            [self.threshold, self.num_threshold, self.cat_threshold, self.text_threshold];
        let by_column = self.per_column_threshold.iter().map(|(_, threshold)| *threshold);
        let mut thresholds = thresholds.into_iter().flatten().chain(by_column);
        match thresholds.find(|threshold| !(threshold.is_finite() && *threshold >= 0.0)) {
            Some(wrong) => Err(format!("monitor: {wrong} is no threshold; 0 or more")),
            None => Ok(()),
        }
    }

    /// What of engines is not asked.
    fn check_engines(&self) -> Result<(), String> {
        let is_in_engine = self.current.as_deref().is_some_and(Source::is_one);
        let Some(window) = self.window.filter(|_| is_in_engine) else { return Ok(()) };
        let what = if window.milliseconds().is_none() {
            "counts rows, which have no order in an engine; take windows of time: 1d"
        } else if self.segments.is_some() {
            "and monitor.segment read rows, and those of current stay in their engine; name the segment: --where 'a = b'"
        } else if self.labels.is_some() {
            "and monitor.labels read rows, and those of current stay in their engine; give the predictions as a file"
        } else {
            return Ok(());
        };
        Err(format!("monitor.window {what}"))
    }

    /// How columns are compared.
    pub fn options(&self) -> Options {
        let usual = Options::default();
        Options {
            columns: self.columns.clone(),
            method: self.method,
            num_method: self.num_method,
            cat_method: self.cat_method,
            text_method: self.text_method,
            per_column_method: self.per_column_method.iter().cloned().collect(),
            threshold: self.threshold,
            num_threshold: self.num_threshold,
            cat_threshold: self.cat_threshold,
            text_threshold: self.text_threshold,
            per_column_threshold: self.per_column_threshold.iter().cloned().collect(),
            kinds: self.kinds.iter().cloned().collect(),
            rules: self.rules.clone(),
            drift_share: self.drift_share.unwrap_or(usual.drift_share),
            correction: self.correct.unwrap_or(usual.correction),
            bins: self.bins.map_or(usual.bins, Bins::ReferenceQuantiles),
            min_samples: self.min_samples,
            missing_share_change: self.missing_share_change.unwrap_or(usual.missing_share_change),
            duplicate_share_change: self
                .duplicate_share_change
                .unwrap_or(usual.duplicate_share_change),
            volume_factor: self.volume_factor.unwrap_or(usual.volume_factor),
            is_window: self.since.is_some() || self.until.is_some(),
            seed: self.seed.unwrap_or(usual.seed),
            compat: self.compat.unwrap_or(usual.compat),
            target: None,
            prediction: None,
        }
    }

    /// What current is held to beyond its columns, at this time.
    pub(super) fn quality(&self, now: DateTime<Utc>) -> Result<Quality> {
        let rules = self.checks.iter().flatten().map(|text| RowRule::parse(text));
        Ok(Quality {
            rules: rules.collect::<trainyard_data::Result<_>>()?,
            tolerance: self.check_tolerance.unwrap_or(0.0),
            freshness: self.freshness.as_ref().map(|age| age.at(now)),
            window_factor: self.window_volume_factor.unwrap_or(WINDOW_VOLUME_FACTOR),
            ..Quality::default()
        })
    }

    /// How many windows before that of current are counted.
    pub(super) fn volume_windows(&self) -> u32 {
        self.volume_windows.unwrap_or(VOLUME_WINDOWS)
    }

    /// How text is read: as people mean it, or, where Evidently is followed, as pandas does.
    pub fn text(&self) -> ReadOptions {
        let of_kinds = |wanted: &[Kind]| -> BTreeSet<String> {
            let of_kind = self.kinds.iter().filter(|(_, kind)| wanted.contains(kind));
            of_kind.map(|(column, _)| column.clone()).collect()
        };
        let decimal = self.decimal.map(|sign| match sign {
            ',' => Decimal::Comma,
            _ => Decimal::Point,
        });
        let natural = Natural {
            decimal,
            labels: of_kinds(&[Kind::Categorical, Kind::Text]),
            numbers: of_kinds(&[Kind::Numerical]),
            ..Natural::default()
        };
        ReadOptions {
            natural: (self.compat != Some(Compat::Evidently)).then_some(natural),
            delimiter: self.delimiter.map(|delimiter| delimiter.0),
            nulls: self.null.clone(),
            encoding: self.encoding.clone(),
            fill_short_records: self.short_rows == Some(ShortRows::Fill),
            ..ReadOptions::default()
        }
    }

    /// How engines are asked.
    pub(super) fn engine_limits(&self) -> Limits {
        Limits {
            // A variable that is set to nothing is none.
            driver: self.engine_driver.clone().filter(|path| !path.as_os_str().is_empty()),
            time: self.engine_timeout.unwrap_or(Limits::TIME),
            ..Limits::default()
        }
    }

    /// A source with the engine that it leaves out.
    pub(super) fn in_engine(&self, source: &str) -> String {
        // What runs without flags, as `run --watch`, has the variable all the same.
        let engine = self.engine.clone().or_else(|| std::env::var("TRAINYARD_ENGINE").ok());
        match engine.filter(|engine| !engine.is_empty()) {
            Some(engine) => Source::within(&engine, source),
            None => source.to_owned(),
        }
    }

    /// Both sides with the engine that they leave out.
    #[must_use]
    pub(super) fn sides_in_engine(self) -> Self {
        let whole = |side: &Option<String>| side.as_deref().map(|side| self.in_engine(side));
        Self { reference: whole(&self.reference), current: whole(&self.current), ..self }
    }

    /// The verdicts that are not accepted, with these that a command adds.
    pub fn fails_on(&self, further: &[FailOn], drift: bool) -> Vec<FailOn> {
        let drift = (drift || self.fail_on_drift).then_some(FailOn::Drift);
        self.fail_on.iter().chain(further).copied().chain(drift).collect()
    }

    /// Where the page is written.
    pub fn report(&self) -> &Path {
        self.report.as_deref().unwrap_or_else(|| Path::new(REPORT))
    }

    /// Bytes to spend on data: what was asked for, or half of what is free.
    pub fn memory(&self) -> u64 {
        self.memory.map_or_else(half_of_free, |bytes| bytes.0)
    }

    /// Which rows of the reference count: those that conditions choose, which are about the data. Windows of
    /// time are about current, as are conditions on what a prediction log alone has.
    pub fn reference_rows(&self) -> Result<RowFilter> {
        let mut rows = RowFilter::default();
        for condition in self.conditions.iter().flatten() {
            let one = RowFilter { conditions: vec![condition.clone()], ..RowFilter::default() };
            if !one.columns()?.iter().any(|name| name.starts_with(IGNORED_PREFIX)) {
                rows.conditions.extend(one.conditions);
            }
        }
        Ok(rows)
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
            conditions: self.conditions.clone().unwrap_or_default(),
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
fn by_column<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Vec<(String, T)>, D::Error> {
    BTreeMap::<String, String>::deserialize(deserializer)?
        .into_iter()
        .map(|(column, name)| Ok((column, name.parse().map_err(de::Error::custom)?)))
        .collect()
}

/// Reads numbers, one a column.
fn numbers_by_column<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(String, f64)>, D::Error> {
    Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
}

/// Reads `column=value`; the name may hold `=` itself.
fn pair<T: FromStr<Err: Display>>(text: &str) -> Result<(String, T), String> {
    let (column, value) =
        text.rsplit_once('=').ok_or_else(|| format!("{text:?} is not COLUMN=VALUE"))?;
    let value = value.parse().map_err(|error: T::Err| error.to_string())?;
    Ok((column.to_owned(), value))
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
            ("[monitor]\nfail_on = [\"red\"]\n", "red"),
            ("[other]\n", "other"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn flags_go_over_files() {
        let file = read(
            "[monitor]\nseed = 1\ndrift_share = 0.3\nwhere = [\"x > 1\"]\n[monitor.per_column_method]\na = \"ks\"\nb = \"ks\"\n",
        )
        .unwrap();
        let flags = Settings {
            seed: Some(2),
            conditions: Some(vec!["y > 1".to_owned()]),
            per_column_method: vec![("b".to_owned(), Method::Psi)],
            ..Settings::default()
        };
        let both = flags.over(file);
        assert_eq!(both.rows(DateTime::UNIX_EPOCH).conditions, ["y > 1"]);
        assert_eq!(both.reference_rows().unwrap().conditions, ["y > 1"]);
        let options = both.options();
        assert_eq!((options.seed, options.drift_share), (2, 0.3));
        assert_eq!(options.per_column_method["a"], Method::KolmogorovSmirnov);
        assert_eq!(options.per_column_method["b"], Method::Psi);
        assert_eq!(options.min_samples, Options::default().min_samples);
    }

    #[test]
    fn what_only_a_prediction_log_has_chooses_rows_of_current_alone() {
        let settings = Settings {
            since: Some("7d".to_owned()),
            conditions: Some(vec![
                "\"trainyard.model\" = a and x > 1".to_owned(),
                "x > 2".to_owned(),
            ]),
            ..Settings::default()
        };
        let rows = settings.reference_rows().unwrap();
        assert_eq!((rows.conditions, rows.since), (vec!["x > 2".to_owned()], None));
        assert_eq!(settings.rows(DateTime::UNIX_EPOCH).conditions.len(), 2);
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
