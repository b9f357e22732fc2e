//! Where the output of a job goes: a folder of parts, or one file that the parts are joined to at the end.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use trainyard_data::{join_csv, join_parquet};
use trainyard_mlflow::uri::without_credentials;

use super::inputs::Inputs;
use super::options::{PredictOptions, TableFormat};
use super::output::Output;
use super::record;
use crate::remote::is_remote;
use crate::{Error, Result};

/// Says that all parts are there, as the tools of Hadoop and Spark do.
pub(super) const SUCCESS: &str = "_SUCCESS";

/// Where a job writes.
pub(super) struct OutputPlace {
    /// Where its parts are.
    pub(super) parts: Output,
    pub(super) format: TableFormat,
    /// The file that they become.
    file: Option<PathBuf>,
}

impl OutputPlace {
    /// What the options ask for. A file that is there is not replaced unless they say so, or its job goes on.
    pub(super) fn open(options: &PredictOptions) -> Result<Self> {
        let (format, file) = shape(options)?;
        if options.overwrite && !options.shard.is_whole() {
            return Err(Error::predict(
                "jobs that share a table cannot begin it again: one would remove what another wrote",
                "remove the output by hand, or choose another",
            ));
        }
        let Some(file) = file else {
            let parts = Output::open(&options.output)?;
            return Ok(Self { parts, format, file: None });
        };
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let folder = file.with_file_name(format!(".{name}.parts"));
        if file.is_file() && !folder.join(record::NAME).is_file() && !options.overwrite {
            let what = format!("{} is there already", file.display());
            return Err(Error::predict(what, "choose another output, or replace it: --overwrite"));
        }
        let parts = Output::open(&folder.to_string_lossy())?;
        Ok(Self { parts, format, file: Some(file) })
    }

    /// Refuses an output that holds the input: it would be removed, or written over.
    pub(super) fn check_apart(&self, inputs: &Inputs, options: &PredictOptions) -> Result<()> {
        let holds_input = match (&self.file, self.parts.local()) {
            (Some(file), _) => inputs.are_in(file),
            (None, Some(folder)) => inputs.are_in(folder),
            (None, None) => {
                let rest = options.input.strip_prefix(options.output.trim_end_matches('/'));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        };
        if holds_input {
            let what =
                format!("the input is in the output, {}", without_credentials(&options.output));
            return Err(Error::predict(what, "choose another output"));
        }
        Ok(())
    }

    /// Begins to write, or to go on. What is returned says that this job is alive: as long as it is there nobody begins the
    /// output again, whose parts would be of both.
    pub(super) async fn begin(&self, overwrite: bool) -> Result<Option<File>> {
        self.ours().await?;
        if overwrite {
            let alone = self.parts.claim(true)?;
            if self.parts.local().is_none() {
                self.check_ended().await?;
            }
            self.clear().await?;
            drop(alone);
        }
        self.parts.claim(false)
    }

    /// Refuses a job of a store that has not ended: without locks nobody can tell whether it was killed.
    async fn check_ended(&self) -> Result<()> {
        let names = self.parts.names().await?;
        if !names.contains(record::NAME) || names.contains(SUCCESS) {
            return Ok(());
        }
        let what = format!("a job that writes to {} has not ended", self.parts);
        let hint = "wait until it is done; if it was killed, go on with it without --overwrite, or remove what it wrote";
        Err(Error::predict(what, hint))
    }

    /// The objects of a job, or nothing. A folder with anything else in it is refused: parts without the record of a job
    /// are those of another tool.
    async fn ours(&self) -> Result<BTreeSet<String>> {
        let names = self.parts.names().await?;
        match names.first() {
            Some(name) if !names.contains(record::NAME) => Err(Error::predict(
                format!("{} holds other files, such as {name}", self.parts),
                "choose an empty folder",
            )),
            _ => Ok(names),
        }
    }

    /// Removes what an earlier job wrote.
    async fn clear(&self) -> Result<()> {
        let names = self.ours().await?;
        let is_job = names.contains(record::NAME);
        for name in names.iter().filter(|name| is_ours(name) && *name != record::NAME) {
            self.parts.remove(name).await?;
        }
        if is_job {
            self.parts.remove(record::NAME).await?;
        }
        Ok(())
    }

    /// The objects of a job whose parts are all there. It is not ended otherwise: another one may have ended it
    /// meanwhile, and removes them.
    pub(super) async fn whole(&self, parts: u64) -> Result<BTreeSet<String>> {
        let names = self.parts.names().await?;
        let part = |name: &String| -> Option<String> {
            let numbers = name.trim_start_matches('_').strip_prefix("part-")?.split_once('.')?.0;
            Some(numbers.to_owned())
        };
        let there = names.iter().filter_map(part).collect::<BTreeSet<_>>().len();
        if there as u64 == parts {
            return Ok(names);
        }
        let what = format!("{there} of {parts} parts are left in {}", self.parts);
        Err(Error::predict(what, "another job ended this one, or begins it again; try again"))
    }

    /// Joins the parts among these objects where one file was asked for.
    pub(super) fn join(&self, names: &BTreeSet<String>) -> Result<()> {
        let (Some(file), Some(folder)) = (&self.file, self.parts.local()) else { return Ok(()) };
        let parts: Vec<PathBuf> =
            names.iter().filter(|name| name.starts_with("part-")).map(|n| folder.join(n)).collect();
        if parts.is_empty() {
            let what = format!("no row is left to write to {}", file.display());
            return Err(Error::predict(
                what,
                "the table has none, or --bad-rows says which were left out",
            ));
        }
        match self.format {
            TableFormat::Csv => join_csv(file, &parts)?,
            TableFormat::Parquet => join_parquet(file, &parts)?,
        }
        Ok(())
    }

    /// Leaves the output as its reader wants it, when nothing is left to be done. What remembers the job goes last:
    /// until then a job that is killed here goes on.
    pub(super) async fn settle(&self, success: Vec<u8>) -> Result<()> {
        let (Some(_), Some(folder)) = (&self.file, self.parts.local()) else {
            return self.parts.put(SUCCESS, success).await;
        };
        for name in self.parts.names().await?.iter().filter(|name| *name != record::NAME) {
            self.parts.remove(name).await?;
        }
        self.parts.remove(record::NAME).await?;
        std::fs::remove_dir_all(folder).map_err(|source| Error::io(folder, source))
    }

    /// Whether an earlier attempt did all there is to do.
    pub(super) async fn is_settled(&self) -> Result<bool> {
        Ok(self.parts.names().await?.contains(SUCCESS))
    }
}

/// Whether a job writes objects of this name.
fn is_ours(name: &str) -> bool {
    let begins = ["part-", "_part-", "_bad-", "_shard-"];
    begins.iter().any(|begin| name.starts_with(begin)) || name == SUCCESS || name == record::NAME
}

/// The format of the output, and its file if it is one.
pub(super) fn shape(options: &PredictOptions) -> Result<(TableFormat, Option<PathBuf>)> {
    let path = options.output.strip_prefix("file://").unwrap_or(&options.output);
    let by_name = TableFormat::of_name(path).filter(|_format| !Path::new(path).is_dir());
    let Some(format) = by_name else {
        return Ok((options.format.unwrap_or(TableFormat::Parquet), None));
    };
    if is_remote(path) {
        let what = format!("{path} is one object, and its parts are an object each");
        return Err(Error::predict(what, "name a prefix for them, without the ending"));
    }
    if !options.shard.is_whole() {
        let what = format!("{path} is one file, and jobs that share a table write a folder");
        return Err(Error::predict(what, "name a folder, without the ending"));
    }
    if let Some(other) = options.format.filter(|other| *other != format) {
        let what = format!("{path} is asked for as {other}");
        return Err(Error::predict(what, "leave --format out, or name it accordingly"));
    }
    Ok((format, Some(PathBuf::from(path))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_a_job_wrote_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let parts = Output::open(&folder.path().to_string_lossy()).unwrap();
        let place = OutputPlace { parts, format: TableFormat::Csv, file: None };
        // As Spark writes it.
        place.parts.put("part-00000-c1.csv", b"x\n1\n".to_vec()).await.unwrap();
        place.parts.put(SUCCESS, Vec::new()).await.unwrap();
        let error = place.clear().await.unwrap_err().to_string();
        assert!(error.contains("holds other files"), "{error}");
        place.parts.put(record::NAME, b"{}".to_vec()).await.unwrap();
        place.clear().await.unwrap();
        assert!(place.parts.names().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_output_is_not_begun_again_while_a_job_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().to_string_lossy().into_owned();
        let place = || {
            let parts = Output::open(&name).unwrap();
            OutputPlace { parts, format: TableFormat::Csv, file: None }
        };
        let one = place().begin(false).await.unwrap();
        place().parts.put(record::NAME, b"{}".to_vec()).await.unwrap();
        // Another that shares the table.
        let other = place().begin(false).await.unwrap();
        for alive in [one, other] {
            let error = place().begin(true).await.unwrap_err().to_string();
            assert!(error.contains("another job writes"), "{error}");
            drop(alive.unwrap());
        }
        place().begin(true).await.unwrap();
        assert!(place().parts.names().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_job_of_a_store_is_begun_again_once_it_has_ended() {
        let store = std::sync::Arc::new(object_store::memory::InMemory::new());
        let root = object_store::path::Path::from("scores");
        let parts = Output::Store { uri: "s3://out/scores".to_owned(), store, root };
        let place = OutputPlace { parts, format: TableFormat::Csv, file: None };
        place.parts.put(record::NAME, b"{}".to_vec()).await.unwrap();
        let error = place.begin(true).await.unwrap_err().to_string();
        assert!(error.contains("has not ended"), "{error}");
        place.parts.put(SUCCESS, Vec::new()).await.unwrap();
        assert!(place.begin(true).await.unwrap().is_none());
        assert!(place.parts.names().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_another_job_removes_is_not_joined() {
        let folder = tempfile::tempdir().unwrap();
        let parts = Output::open(&folder.path().to_string_lossy()).unwrap();
        for name in ["part-00000-000000.csv", "_part-00000-000001.empty", "_bad-00000-000001.jsonl"]
        {
            parts.put(name, b"x\n1\n".to_vec()).await.unwrap();
        }
        let place = OutputPlace { parts, format: TableFormat::Csv, file: None };
        let names = place.whole(2).await.unwrap();
        place.parts.remove("part-00000-000000.csv").await.unwrap();
        let error = place.whole(2).await.unwrap_err().to_string();
        assert!(error.contains("1 of 2 parts"), "{error}");
        // Nor is it in between.
        let file = folder.path().join("out.csv");
        let place = OutputPlace { file: Some(file.clone()), ..place };
        place.join(&names).unwrap_err();
        assert!(!file.exists());
    }
}
