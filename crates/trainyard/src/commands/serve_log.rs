//! Flags of `serve` about its prediction log: where it is, what it may take, and for how long.

use std::time::Duration;

use clap::Args;
use trainyard_base::size;
use trainyard_serve::{LogOptions, LogStore, Retention};

use crate::failure::Failure;

/// A time after which something is done; none for never.
#[derive(Debug, Clone, Copy)]
struct Age(Option<Duration>);

/// The prediction log.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
#[expect(clippy::struct_field_names, reason = "they are the names of flags")]
pub(super) struct LogArguments {
    /// Folder or s3://, gs://, abfss:// URI that requests and predictions are logged to, as Parquet
    #[arg(long, env = "TRAINYARD_PREDICTION_LOG", value_name = "URI")]
    prediction_log: Option<String>,
    /// Disk that the prediction log and its feedback may take, as in 10GiB: beyond it predictions are
    /// dropped and counted, and feedback gets 507. In any case a twentieth of the disk is left free, or
    /// 1 GiB of a large one
    #[arg(long, value_parser = size::parse, value_name = "BYTES")]
    prediction_log_max: Option<u64>,
    /// Answer when what was predicted is durable in the prediction log, as x-prediction-logged then says
    #[arg(long)]
    prediction_log_commit: bool,
    /// Remove from the prediction log and its feedback what is older, as in 30d
    #[arg(long, value_parser = trainyard_base::duration::parse, value_name = "TIME")]
    prediction_log_keep: Option<Duration>,
    /// Remove the oldest from the prediction log and its feedback where there is more, as in 10GiB
    #[arg(long, value_parser = size::parse, value_name = "BYTES")]
    prediction_log_keep_size: Option<u64>,
    /// Disk that summaries of the prediction log may take, which stay when rows are removed; the oldest go first, and 0
    /// keeps none
    #[arg(long, value_parser = size::parse_or_off, value_name = "BYTES", default_value = "1GiB")]
    prediction_log_summaries: u64,
    /// Remove summaries of what is older, as in 400d
    #[arg(long, value_parser = trainyard_base::duration::parse, value_name = "TIME")]
    prediction_log_summaries_keep: Option<Duration>,
    /// Merge summaries of hours to days when these ended so long ago (an hour or more), or off
    #[arg(long, value_parser = age, value_name = "TIME", default_value = "7d")]
    prediction_log_summaries_days_after: Age,
}

impl LogArguments {
    /// What they come to; nothing is logged where no place is named.
    pub(super) fn options(&self) -> Result<Option<LogOptions>, Failure> {
        let retention = Retention {
            age_max: self.prediction_log_keep,
            bytes_max: self.prediction_log_keep_size,
        };
        if retention.age_max.is_some_and(|age| age.is_zero()) || retention.bytes_max == Some(0) {
            return Err(Failure::input("a prediction log that keeps nothing is none")
                .hint("leave --prediction-log out"));
        }
        let days_after = self.prediction_log_summaries_days_after.0;
        if days_after.is_some_and(|after| after < LogOptions::DAYS_AFTER_MIN) {
            return Err(Failure::input("hours are merged to days an hour after these or later")
                .hint("write --prediction-log-summaries-days-after 1h"));
        }
        if self.prediction_log_summaries_keep.is_some_and(|age| age.is_zero()) {
            return Err(Failure::input("summaries that are kept for no time are none")
                .hint("write --prediction-log-summaries 0"));
        }
        let Some(uri) = &self.prediction_log else { return Ok(None) };
        let mut log = place(uri)?;
        if log.store.is_some() && !retention.is_forever() {
            return Err(Failure::input("--prediction-log-keep is for a folder, not for a bucket")
                .hint("set a lifecycle rule on the bucket"));
        }
        if log.store.is_some() && self.prediction_log_commit {
            return Err(Failure::input(
                "--prediction-log-commit is for a folder, not for a bucket",
            )
            .hint("log to a folder, and copy whole segments to the bucket"));
        }
        log.bytes_max = self.prediction_log_max;
        log.commits = self.prediction_log_commit;
        log.retention = retention;
        log.summaries_bytes_max = self.prediction_log_summaries;
        log.summaries_age_max = self.prediction_log_summaries_keep;
        log.summaries_days_after = days_after;
        Ok(Some(log))
    }
}

fn age(text: &str) -> Result<Age, String> {
    trainyard_base::duration::parse_or_off(text).map(Age).map_err(|error| error.to_string())
}

/// A folder of this machine, or a place in an object store.
fn place(uri: &str) -> Result<LogOptions, Failure> {
    let place = trainyard_storage::open(uri).map_err(|error| Failure::input(error.to_string()))?;
    Ok(match place.local {
        Some(folder) => LogOptions::new(folder),
        None => LogOptions::to_store(LogStore { store: place.store, path: place.path }),
    })
}
