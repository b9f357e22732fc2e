//! The part of the data that a training program of the project's own is given: all but the holdout, as a file.

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use trainyard_base::TemporaryFolder;
use trainyard_data::{Format, Table};
use trainyard_mlflow::entities::{DatasetInput, Tag};
use trainyard_train::{DataSource, Rule};

use crate::temporary::temporary;
use crate::{Project, Result};

/// Variable with the path of the file.
const VARIABLE: &str = "TRAINYARD_TRAIN_DATA";

/// The file, which goes away with the value, and what the run says of it.
#[derive(Debug)]
pub(crate) struct TrainingPart {
    _folder: TemporaryFolder,
    /// Variables for the program.
    pub(crate) variables: Vec<(String, String)>,
    /// Tags for the run: the rule of the holdout.
    pub(crate) tags: Vec<Tag>,
    /// Both parts, as inputs of the run.
    pub(crate) inputs: Vec<DatasetInput>,
}

impl TrainingPart {
    /// Writes the training rows of a table, with all its columns, in the format that it was read from.
    pub(crate) fn write(project: &Project, table: &Table) -> Result<Self> {
        let assigned = trainyard_train::assign(&table.batch, &project.train_config())?;
        let part = |is_held_out: bool| {
            let keep = assigned.held_out.iter().map(|held_out| Some(*held_out == is_held_out));
            let keep = keep.collect::<BooleanArray>();
            filter_record_batch(&table.batch, &keep).map_err(trainyard_train::Error::from)
        };
        let (training, holdout) = (part(false)?, part(true)?);
        if training.num_rows() == 0 {
            return Err(trainyard_train::Error::EmptyTable.into());
        }
        let folder = temporary(&project.state_folder())?;
        let is_parquet = table.source.files.iter().all(|file| file.format == Format::Parquet);
        let file = folder.path().join(if is_parquet { "train.parquet" } else { "train.csv" });
        if is_parquet {
            trainyard_data::write_parquet(&file, &training)?;
        } else {
            trainyard_data::write_csv(&file, &training)?;
        }
        let source = DataSource::new(&table.source.name);
        let mut inputs: Vec<DatasetInput> =
            input(&source, &source.name, &training, "training").into_iter().collect();
        // Of a file of its own the rule has the digest.
        if !matches!(assigned.rule, Rule::File { .. }) {
            inputs.extend(input(&source, &format!("{}_holdout", source.name), &holdout, "eval"));
        }
        Ok(Self {
            _folder: folder,
            variables: vec![(VARIABLE.to_owned(), file.to_string_lossy().into_owned())],
            tags: vec![Tag::new(Rule::TAG, assigned.rule.to_tag())],
            inputs,
        })
    }
}

/// A table as input of a run; none for columns that MLflow has no type for, which a program may well use.
fn input(
    source: &DataSource,
    name: &str,
    table: &RecordBatch,
    context: &str,
) -> Option<DatasetInput> {
    let described = trainyard_train::digest(table)
        .and_then(|digest| trainyard_train::dataset_input(source, name, table, &digest, context));
    described
        .map_err(|error| tracing::warn!(%error, name, "the run does not describe this table"))
        .ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use trainyard_data::{ReadOptions, read};

    use super::*;

    const PROJECT: &str = "[model]\nname = \"Churn\"\n[train]\ncommand = \"true\"\n\
                           data = \"data.csv\"\ntarget = \"y\"\n";

    fn project(folder: &Path, extra: &str) -> Project {
        fs::write(folder.join("trainyard.toml"), format!("{PROJECT}{extra}")).unwrap();
        let rows: Vec<String> = (0..200).map(|row| format!("{row},{},a{row}\n", row % 2)).collect();
        fs::write(folder.join("data.csv"), format!("x,y,note\n{}", rows.concat())).unwrap();
        Project::open(folder, None).unwrap()
    }

    #[tokio::test]
    async fn the_program_gets_all_columns_of_all_rows_but_the_holdout() {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path(), "");
        let table = project.training_data().await.unwrap();
        let part = TrainingPart::write(&project, &table).unwrap();
        let (name, path) = &part.variables[0];
        assert_eq!(name, "TRAINYARD_TRAIN_DATA");
        assert_eq!(Path::new(path).file_name().unwrap(), "train.csv");
        let given = read(path, &ReadOptions::default()).unwrap();
        let assigned = trainyard_train::assign(&table.batch, &project.train_config()).unwrap();
        let held_out = assigned.held_out.iter().filter(|held_out| **held_out).count();
        assert!(held_out > 20);
        assert_eq!((given.num_rows(), given.num_columns()), (200 - held_out, 3));
        assert_eq!(Rule::from_tag(&part.tags[0].value), Some(assigned.rule));
        assert_eq!(part.inputs.len(), 2);
        // What was held out is not in it, and training it anew holds nothing else out.
        let again = trainyard_train::assign(&given, &project.train_config()).unwrap();
        assert!(again.held_out.iter().all(|held_out| !held_out));
        let path = PathBuf::from(path);
        drop(part);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn rows_of_the_holdouts_own_file_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("holdout.csv"), "x,y,note\n0,0,a0\n500,1,b\n").unwrap();
        let project = project(folder.path(), "holdout = { file = \"holdout.csv\" }\n");
        let table = project.training_data().await.unwrap();
        let part = TrainingPart::write(&project, &table).unwrap();
        let given = read(&part.variables[0].1, &ReadOptions::default()).unwrap();
        assert_eq!(given.num_rows(), 199);
        assert_eq!(part.inputs.len(), 1);
    }
}
