//! The flags of `monitor` and `profile`, and how they go over a project's settings.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use trainyard_drift::{Compat, Correction, Kind, Method};
use trainyard_pipeline::monitor::{Bytes, Settings};

use crate::failure::Failure;

/// What is read of the data.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(super) struct DataArguments {
    /// Only these columns, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    columns: Option<Vec<String>>,
    /// Only rows of current that satisfy this, such as 'country = "NL"' or 'amount >= 10'; may be repeated
    #[arg(long = "where", value_name = "COMPARISON")]
    conditions: Vec<String>,
    /// Only rows of current from this time on: 2026-01-31, 2026-01-31T12:00:00Z, or how long ago: 7d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only rows of current before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Column of current that holds the time [default: that of a prediction log]
    #[arg(long, value_name = "NAME")]
    time_column: Option<String>,
    /// Memory to spend on data, about: 512MB, 2GiB [default: half of what is free]
    #[arg(long, value_name = "SIZE")]
    memory: Option<Bytes>,
}

/// How columns are compared.
#[derive(Debug, Args)]
#[command(next_help_heading = "Method")]
pub(super) struct MethodArguments {
    /// Method for all columns, by Evidently's name (ks, wasserstein, psi, …)
    #[arg(long, value_name = "METHOD")]
    method: Option<Method>,
    /// Method for numerical columns
    #[arg(long, value_name = "METHOD")]
    num_method: Option<Method>,
    /// Method for categorical columns
    #[arg(long, value_name = "METHOD")]
    cat_method: Option<Method>,
    /// Method for text columns
    #[arg(long, value_name = "METHOD")]
    text_method: Option<Method>,
    /// Method for one column; may be repeated
    #[arg(long, value_name = "COLUMN=METHOD", value_parser = pair::<Method>)]
    per_column_method: Vec<(String, Method)>,
    /// Threshold for all columns
    #[arg(long, value_name = "NUMBER")]
    threshold: Option<f64>,
    /// Threshold for numerical columns
    #[arg(long, value_name = "NUMBER")]
    num_threshold: Option<f64>,
    /// Threshold for categorical columns
    #[arg(long, value_name = "NUMBER")]
    cat_threshold: Option<f64>,
    /// Threshold for text columns
    #[arg(long, value_name = "NUMBER")]
    text_threshold: Option<f64>,
    /// Threshold for one column; may be repeated
    #[arg(long, value_name = "COLUMN=NUMBER", value_parser = pair::<f64>)]
    per_column_threshold: Vec<(String, f64)>,
    /// What a column is (numerical, categorical, text, datetime, unknown); may be repeated
    #[arg(long, value_name = "COLUMN=KIND", value_parser = pair::<Kind>)]
    kind: Vec<(String, Kind)>,
    /// A file with a [monitor] table, as in trainyard.toml; flags go over it
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// What is made of the comparisons.
#[derive(Debug, Args)]
#[command(next_help_heading = "Method")]
pub(super) struct JudgeArguments {
    /// Share of drifted columns that makes the data set drifted [default: 0.5]
    #[arg(long, value_name = "SHARE")]
    drift_share: Option<f64>,
    /// Adjust p-values for the number of columns: none, bh (Benjamini–Hochberg), bonferroni
    #[arg(long, value_name = "HOW")]
    correct: Option<Correction>,
    /// Bins with equal shares of the reference, so that days compare
    #[arg(long, value_name = "COUNT")]
    bins: Option<usize>,
    /// Skip columns with fewer values on either side [default: 1]
    #[arg(long, value_name = "COUNT")]
    min_samples: Option<u64>,
    /// Change of the share of missing values that is a finding [default: 0.05]
    #[arg(long, value_name = "SHARE")]
    missing_share_change: Option<f64>,
    /// Seed of tests that regroup rows at random [default: 0]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u32>,
    /// Do as another tool does where it is defective: evidently
    #[arg(long, value_name = "TOOL")]
    compat: Option<Compat>,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A table
    Text,
    /// Everything but the pictures
    Json,
    /// The shape of Evidently's snapshot.json()
    Evidently,
    /// For pull requests
    Markdown,
}

/// Reads `column=value`; the name may hold `=` itself.
fn pair<T: std::str::FromStr>(text: &str) -> Result<(String, T), String>
where
    T::Err: std::fmt::Display,
{
    let (column, value) =
        text.rsplit_once('=').ok_or_else(|| format!("{text:?} is not COLUMN=VALUE"))?;
    let value = value.parse().map_err(|error: T::Err| error.to_string())?;
    Ok((column.to_owned(), value))
}

/// Flags over what a file says.
pub(super) fn over(
    mut settings: Settings,
    data: &DataArguments,
    method: &MethodArguments,
    judge: Option<&JudgeArguments>,
) -> Result<Settings, Failure> {
    fn put<T: Clone>(target: &mut Option<T>, flag: Option<&T>) {
        if let Some(flag) = flag {
            *target = Some(flag.clone());
        }
    }
    put(&mut settings.columns, data.columns.as_ref());
    put(&mut settings.since, data.since.as_ref());
    put(&mut settings.until, data.until.as_ref());
    put(&mut settings.time_column, data.time_column.as_ref());
    put(&mut settings.memory, data.memory.as_ref());
    if !data.conditions.is_empty() {
        settings.conditions.clone_from(&data.conditions);
    }
    put(&mut settings.method, method.method.as_ref());
    put(&mut settings.num_method, method.num_method.as_ref());
    put(&mut settings.cat_method, method.cat_method.as_ref());
    put(&mut settings.text_method, method.text_method.as_ref());
    settings.per_column_method.extend(method.per_column_method.iter().cloned());
    put(&mut settings.threshold, method.threshold.as_ref());
    put(&mut settings.num_threshold, method.num_threshold.as_ref());
    put(&mut settings.cat_threshold, method.cat_threshold.as_ref());
    put(&mut settings.text_threshold, method.text_threshold.as_ref());
    settings.per_column_threshold.extend(method.per_column_threshold.iter().cloned());
    settings.kinds.extend(method.kind.iter().cloned());
    if let Some(judge) = judge {
        settings.drift_share = judge.drift_share.unwrap_or(settings.drift_share);
        put(&mut settings.correct, judge.correct.as_ref());
        put(&mut settings.bins, judge.bins.as_ref());
        settings.min_samples = judge.min_samples.unwrap_or(settings.min_samples);
        settings.missing_share_change =
            judge.missing_share_change.unwrap_or(settings.missing_share_change);
        settings.seed = judge.seed.unwrap_or(settings.seed);
        put(&mut settings.compat, judge.compat.as_ref());
    }
    settings.check().map_err(Failure::input)?;
    Ok(settings)
}
