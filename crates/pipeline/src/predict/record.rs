//! What a job remembers of itself beside its output, so that whoever goes on with it does the same: the versions that
//! its aliases meant when it began, what was in its input, and how it answers.

use serde::{Deserialize, Serialize};

use super::options::{PredictOptions, TableFormat};
use super::output::Output;
use crate::{Error, Result};

/// Its name. Readers of tables leave out what begins so.
pub(super) const NAME: &str = "_predict.json";

/// Whoever writes parts in another way has another number.
const LAYOUT: u32 = 1;

/// A model as it was found when the job began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ModelRecord {
    /// Before its columns, where there are several models.
    pub(super) name: String,
    /// As it was asked for: an alias may mean another version by now.
    pub(super) asked: String,
    /// What it meant.
    pub(super) uri: String,
    pub(super) version: Option<String>,
    /// Of all files of its folder.
    pub(super) digest: String,
}

/// A file of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// SHA-256 of its bytes, or what its store calls their version.
    pub(super) digest: String,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each a flag of the verb")]
pub(super) struct JobRecord {
    layout: u32,
    pub(super) models: Vec<ModelRecord>,
    pub(super) files: Vec<FileRecord>,
    keep: Vec<String>,
    probabilities: bool,
    explain: bool,
    format: TableFormat,
    leaves_bad_rows_out: bool,
    lenient: bool,
    /// The run that all of its shards are logged to.
    pub(super) run_id: Option<String>,
}

impl JobRecord {
    pub(super) fn new(
        options: &PredictOptions,
        format: TableFormat,
        models: Vec<ModelRecord>,
        files: Vec<FileRecord>,
    ) -> Self {
        Self {
            layout: LAYOUT,
            models,
            files,
            keep: options.keep.clone(),
            probabilities: options.probabilities,
            explain: options.explain,
            format,
            leaves_bad_rows_out: options.bad_rows.is_some(),
            lenient: options.lenient,
            run_id: None,
        }
    }

    /// The record of the job whose output this is; none of an empty place.
    pub(super) async fn read(output: &Output) -> Result<Option<Self>> {
        let Some(bytes) = output.get(NAME).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let what = format!("{NAME} in {output} is no record of a job: {error}");
            Error::predict(what, "choose another output, or begin again with --overwrite")
        })
    }

    /// Writes it down if nobody did; whether it was written.
    pub(super) async fn create(&self, output: &Output) -> Result<bool> {
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::predict(error.to_string(), "this is a bug"))?;
        output.create(NAME, bytes).await
    }

    /// Refuses to go on with a job that is another one than is asked for now.
    pub(super) fn check(&self, now: &Self, output: &Output) -> Result<()> {
        let differs = |what: &str| {
            let what = format!("the output of {output} was begun with {what}");
            Err(Error::predict(what, "choose another output, or begin again with --overwrite"))
        };
        if self.layout != now.layout {
            return differs("another version of this program");
        }
        let asked = |record: &Self| -> Vec<(String, String)> {
            let models = record.models.iter();
            models.map(|model| (model.name.clone(), model.asked.clone())).collect()
        };
        if asked(self) != asked(now) {
            let names: Vec<&str> = self.models.iter().map(|model| &*model.asked).collect();
            return differs(&format!("other models ({})", names.join(", ")));
        }
        let other = self.models.iter().zip(&now.models).find(|(was, is)| was.digest != is.digest);
        if let Some((was, _)) = other {
            return differs(&format!("another content of {}", was.uri));
        }
        let content = |record: &Self| -> Vec<String> {
            record.files.iter().map(|file| file.digest.clone()).collect()
        };
        if content(self) != content(now) {
            return differs("another input, or another content of it");
        }
        let how = |record: &Self| {
            let Self { probabilities, explain, leaves_bad_rows_out, lenient, .. } = *record;
            let flags = (probabilities, explain, leaves_bad_rows_out, lenient);
            (record.keep.clone(), record.format, flags)
        };
        if how(self) != how(now) {
            return differs(
                "other flags (--keep, --probabilities, --explain, --format, --bad-rows or --lenient)",
            );
        }
        Ok(())
    }
}
