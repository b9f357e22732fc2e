//! Experiments of another store, with the ids and times that they have there. What is here already stays as it is.

use std::collections::HashSet;
use std::sync::Arc;

use trainyard_mlflow::entities::{Experiment, LifecycleStage};
use trainyard_mlflow::{self as mlflow, uri};

use super::database::{Connection, Dialect, Value};
use super::experiment_numbers;
use super::permits::Reading;
use super::schema::WORKSPACE;
use super::sql_store::SqlStore;
use super::validate;
use crate::error::Result;

/// The tag that says which number an experiment had where it came from, if it could not keep it.
pub(crate) const IMPORTED_ID: &str = "trainyard.import.experiment_id";

/// An experiment of this store, as far as it matters to who brings others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownExperiment {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) creation_time: Option<i64>,
    pub(crate) artifact_location: String,
    /// Its number where it came from, if that is another one.
    pub(crate) imported_id: Option<String>,
}

impl SqlStore {
    /// All experiments, also those that are deleted.
    pub(crate) async fn known_experiments(&self) -> mlflow::Result<Vec<KnownExperiment>> {
        self.read_many(Reading::Listing, |connection| {
            connection.rows(
                "SELECT e.experiment_id, e.name, e.creation_time, e.artifact_location, t.value \
                 FROM experiments e LEFT JOIN experiment_tags t \
                 ON t.experiment_id = e.experiment_id AND t.\"key\" = ?1 ORDER BY e.experiment_id",
                &[IMPORTED_ID.into()],
                |row| {
                    Ok(KnownExperiment {
                        id: row.need_int(0)?,
                        name: row.text_or_empty(1)?,
                        creation_time: row.int(2)?,
                        artifact_location: row.text_or_empty(3)?,
                        imported_id: row.optional_text(4)?,
                    })
                },
            )
        })
        .await
    }

    /// Numbers of experiments that were removed: no other one gets them.
    pub(crate) async fn removed_experiments(&self) -> mlflow::Result<HashSet<i64>> {
        self.read_many(Reading::Listing, experiment_numbers::removed).await
    }

    /// The largest number that an experiment may have: of the column's type.
    pub(crate) async fn experiment_id_max(&self) -> mlflow::Result<i64> {
        self.read(|connection| {
            Ok(match connection.dialect() {
                Dialect::Sqlite => i64::MAX - 1,
                Dialect::Postgres => i64::from(i32::MAX) - 1,
            })
        })
        .await
    }

    /// Makes the experiment, with its own number or with the next one (and a tag of its own number). Without a
    /// location it keeps its files where all new experiments do. Returns its number and location.
    pub(crate) async fn import_experiment(
        &self,
        experiment: &Arc<Experiment>,
        number: Option<i64>,
        location: Option<String>,
    ) -> mlflow::Result<(i64, String)> {
        let (experiment, root) = (Arc::clone(experiment), self.artifact_root.clone());
        self.write(move |connection| {
            let id = match number {
                Some(number) => number,
                None => next_number(connection, &experiment.name)?,
            };
            let location = location.clone().unwrap_or_else(|| uri::join(&root, &id.to_string()));
            let sql = if number.is_some() { INSERT } else { UPDATE };
            put(connection, sql, id, &experiment, &location)?;
            if number.is_some() {
                count_on(connection)?;
            } else {
                insert_tag(connection, id, IMPORTED_ID, &experiment.experiment_id)?;
            }
            Ok((id, location))
        })
        .await
    }

    /// Adds the tags that the experiment does not have.
    pub(crate) async fn import_experiment_tags(
        &self,
        id: i64,
        experiment: &Arc<Experiment>,
    ) -> mlflow::Result<()> {
        let experiment = Arc::clone(experiment);
        self.write(move |connection| {
            for tag in &experiment.tags {
                insert_tag(connection, id, &tag.key, &tag.value)?;
            }
            Ok(())
        })
        .await
    }

    /// Gives experiment 0 the name that it has elsewhere, if nobody named it here and no other one has that name.
    pub(crate) async fn import_default_name(&self, name: &str) -> mlflow::Result<()> {
        let name = name.to_owned();
        self.write(move |connection| {
            connection.execute(
                "UPDATE experiments SET name = ?1 WHERE experiment_id = 0 AND name = 'Default' \
                 AND NOT EXISTS (SELECT 1 FROM experiments o WHERE o.workspace = ?2 AND o.name = ?1)",
                &[(&name).into(), WORKSPACE.into()],
            )?;
            Ok(())
        })
        .await
    }

    /// How many tags the experiment has, besides that of its number elsewhere.
    pub(crate) async fn experiment_tag_count(&self, id: i64) -> mlflow::Result<u64> {
        self.read(move |connection| {
            let sql =
                "SELECT count(*) FROM experiment_tags WHERE experiment_id = ?1 AND \"key\" <> ?2";
            count(connection, sql, &[id.into(), IMPORTED_ID.into()])
        })
        .await
    }
}

/// Lets new experiments get numbers above those that were brought: PostgreSQL counts for itself, and an import that is
/// killed must not leave it behind.
fn count_on(connection: &mut dyn Connection) -> Result<()> {
    match connection.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => connection.execute_script(
            "SELECT setval(pg_get_serial_sequence('experiments', 'experiment_id'), \
             GREATEST((SELECT max(experiment_id) FROM experiments), \
             nextval(pg_get_serial_sequence('experiments', 'experiment_id'))))",
        ),
    }
}

/// The number that a query of one number answers.
pub(super) fn count(
    connection: &mut dyn Connection,
    sql: &str,
    parameters: &[Value<'_>],
) -> Result<u64> {
    let counted = connection.first(sql, parameters, |row| row.need_int(0))?;
    Ok(u64::try_from(counted.unwrap_or_default()).unwrap_or_default())
}

/// The number that the database gives to a new experiment.
fn next_number(connection: &mut dyn Connection, name: &str) -> Result<i64> {
    let (column, number) = experiment_numbers::of_new_row(connection.dialect());
    let id = connection.first(
        &format!(
            "INSERT INTO experiments ({column}name, workspace, lifecycle_stage) \
             VALUES ({number}?1, ?2, 'active') RETURNING experiment_id"
        ),
        &[name.into(), WORKSPACE.into()],
        |row| row.need_int(0),
    )?;
    id.ok_or_else(|| crate::Error::database("no id for a new experiment"))
}

const INSERT: &str = "INSERT INTO experiments (experiment_id, name, workspace, \
     artifact_location, lifecycle_stage, creation_time, last_update_time) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
/// Of an experiment that was made for its number.
const UPDATE: &str = "UPDATE experiments SET name = ?2, workspace = ?3, artifact_location = ?4, \
     lifecycle_stage = ?5, creation_time = ?6, last_update_time = ?7 WHERE experiment_id = ?1";

fn put(
    connection: &mut dyn Connection,
    sql: &str,
    id: i64,
    experiment: &Experiment,
    location: &str,
) -> Result<()> {
    validate::experiment_name(&experiment.name)?;
    let stage = match experiment.lifecycle_stage {
        LifecycleStage::Active => "active",
        LifecycleStage::Deleted => "deleted",
    };
    connection.execute(
        sql,
        &[
            id.into(),
            (&experiment.name).into(),
            WORKSPACE.into(),
            location.into(),
            stage.into(),
            experiment.creation_time.into(),
            experiment.last_update_time.into(),
        ],
    )?;
    Ok(())
}

fn insert_tag(connection: &mut dyn Connection, id: i64, key: &str, value: &str) -> Result<()> {
    connection.execute(
        "INSERT INTO experiment_tags (\"key\", value, experiment_id) VALUES (?1, ?2, ?3) \
         ON CONFLICT (\"key\", experiment_id) DO NOTHING",
        &[key.into(), value.into(), id.into()],
    )?;
    Ok(())
}
