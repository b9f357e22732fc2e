//! The flags of `trainyard quality`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::monitor::FailOn;

/// A loss of two points must be found in a day of 5,000 labels, whose interval takes nearly one; without any margin
/// one quiet day in forty would be worse.
const MARGIN: f64 = 0.005;

/// Whether labels or numbers are predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Labels
    Classification,
    /// Quantities
    Regression,
}

/// What is judged, and how.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Data")]
pub struct QualityOptions {
    /// Predictions: a prediction log, or a CSV or Parquet file, folder or glob [default: the project's log]
    #[arg(long, value_name = "SOURCE")]
    pub predictions: Option<String>,
    /// Labels: a CSV or Parquet file, folder or glob, with the id of each prediction and what was true
    /// [default: feedback beside the log]
    #[arg(long, value_name = "SOURCE")]
    pub labels: Option<String>,
    /// The id that predictions and labels share: one name, or PREDICTIONS=LABELS [default: request_id, or that of
    /// the log]
    #[arg(long, value_name = "COLUMN")]
    pub on: Option<String>,
    /// Labelled rows that the model did not learn from, such as a scored holdout: what quality was, and what
    /// estimates learn from
    #[arg(long, value_name = "SOURCE")]
    pub reference: Option<String>,
    /// Column of what was true, in labels and reference [default: actual, or the project's target]
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,
    /// Column of what was predicted [default: prediction]
    #[arg(long, value_name = "COLUMN")]
    pub prediction: Option<String>,
    /// Column with the probability of what was predicted [default: probability, where it is there]
    #[arg(long, value_name = "COLUMN")]
    pub probability: Option<String>,
    /// Column with the probability of a class; once for each class, or for one of two
    #[arg(long = "class-probability", value_name = "CLASS=COLUMN", value_parser = pair)]
    pub class_probabilities: Vec<(String, String)>,
    /// The class that metrics of one class are about [default: the second of two, in their order]
    #[arg(long, value_name = "CLASS")]
    pub positive: Option<String>,
    /// What is predicted [default: told by the predictions]
    #[arg(long, value_enum)]
    pub task: Option<Task>,
    /// Judge parts by themselves too, one for each value of this column; may be repeated
    #[arg(long = "segment", value_name = "COLUMN")]
    pub segments: Vec<String>,
    /// Only predictions that satisfy this, such as 'country in ("NL", "BE")'; may be repeated
    #[arg(long = "where", value_name = "COMPARISON")]
    pub conditions: Vec<String>,
    /// Only predictions from this time on: 2026-01-31, 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only predictions before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Column of predictions that holds the time [default: that of a prediction log]
    #[arg(long, value_name = "COLUMN")]
    pub time_column: Option<String>,

    /// What the verdict looks at; may be repeated [default: accuracy and roc_auc, or mae and rmse]
    #[arg(long = "metric", value_name = "METRIC", help_heading = "Verdict")]
    pub metrics: Vec<String>,
    /// What a metric was on the holdout, where no reference says it: accuracy=0.93; may be repeated
    #[arg(long = "before", value_name = "METRIC=NUMBER", value_parser = figure, help_heading = "Verdict")]
    pub before: Vec<(String, f64)>,
    /// What a metric may lose: of a share as it is, of an error as a share of it [default: 0.005]
    #[arg(long, value_name = "NUMBER", help_heading = "Verdict")]
    pub margin: Option<f64>,
    /// End with exit code 4 on this verdict; may be repeated
    #[arg(long, value_name = "VERDICT", help_heading = "Verdict")]
    pub fail_on: Vec<FailOn>,

    /// Where the page is written [default: reports/quality.html]
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
}

impl QualityOptions {
    /// What a metric may lose.
    pub(super) fn margin(&self) -> f64 {
        self.margin.unwrap_or(MARGIN)
    }

    /// Names of the id in predictions and labels, where one is given.
    pub(super) fn ids(&self) -> Option<(&str, &str)> {
        let on = self.on.as_deref()?;
        Some(on.split_once('=').unwrap_or((on, on)))
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((class, column)) if !class.is_empty() && !column.is_empty() => {
            Ok((class.to_owned(), column.to_owned()))
        }
        _ => Err("CLASS=COLUMN is wanted".to_owned()),
    }
}

fn figure(text: &str) -> Result<(String, f64), String> {
    let (metric, number) = text.split_once('=').ok_or("METRIC=NUMBER is wanted")?;
    let number: f64 = number.parse().map_err(|_error| format!("{number:?} is not a number"))?;
    Ok((metric.to_owned(), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read() {
        assert_eq!(pair("a=b=c"), Ok(("a=b".to_owned(), "c".to_owned())));
        assert!(pair("a=").is_err() && pair("a").is_err());
        assert_eq!(figure("mae=2.5"), Ok(("mae".to_owned(), 2.5)));
        assert!(figure("mae=x").is_err());
        let on = |on: &str| QualityOptions { on: Some(on.to_owned()), ..QualityOptions::default() };
        assert_eq!(on("id").ids(), Some(("id", "id")));
        assert_eq!(on("id=key").ids(), Some(("id", "key")));
    }
}
