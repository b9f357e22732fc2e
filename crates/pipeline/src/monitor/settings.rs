//! `[monitor]` of `trainyard.toml` and the flags of `trainyard monitor`: what is compared, how, and what
//! counts as drift.
//!
//! Keys and flags have one name each, Evidently's where it has one, and stand in one struct: a field is a key
//! of the file, a flag with its help, and a line of [`Settings::over`], which puts flags over files. Files are read and
//! checked beside it (`settings_file.rs`), and what they ask for is there, too (`settings_meaning.rs`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use trainyard_base::duration;
use trainyard_drift::{
    AlertRule, ColumnRule, Compat, Correction, Kind, Method, Silence, WindowLength,
};
use trainyard_engine::Sample;

use super::bytes::Bytes;
use super::fail_on::FailOn;
use super::rules::{self, MaxAge};
use super::settings_words::{by_column, name, numbers_by_column, pair};
use super::text_options::{Delimiter, ShortRows};

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
    /// About how many rows quantiles are of, drawn by the engine: auto (100000 of tables with more than 1000000), off (all), or
    /// 10000 to 1000000 [default: auto]
    #[serde(deserialize_with = "name")]
    #[arg(long, value_name = "ROWS", help_heading = "Data")]
    pub engine_sample: Option<Sample>,
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
    /// Column of what was predicted, in current and labelled reference [default: prediction]
    #[arg(long, value_name = "COLUMN", help_heading = "Windows")]
    pub prediction: Option<String>,
    /// Labelled rows that the model did not learn from, such as a scored holdout: what quality was, and what estimates
    /// before labels learn from
    #[arg(long, value_name = "SOURCE", help_heading = "Windows")]
    pub labelled_reference: Option<String>,
    /// Numbers that are computed of each window's rows, by name: `[monitor.metrics]`.
    #[arg(skip)]
    pub metrics: BTreeMap<String, String>,
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
pub const COMPARISON_FLAGS: [&str; 28] = [
    "reference",
    "current",
    "segments",
    "window",
    "history",
    "from_summaries",
    "labels",
    "on",
    "target",
    "prediction",
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

impl Settings {
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
            engine_sample: self.engine_sample.or(below.engine_sample),
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
            prediction: self.prediction.or(below.prediction),
            labelled_reference: self.labelled_reference.or(below.labelled_reference),
            metrics: below.metrics.into_iter().chain(self.metrics).collect(),
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
}
