//! Scorers in upstream's tables.

use async_trait::async_trait;
use trainyard_mlflow::{self as mlflow, Error, ScorerVersion, Scorers};
use uuid::Uuid;

use super::clock::creation_millis;
use super::database::{Connection, Row, Value};
use super::permits::Reading;
use super::sql_store::SqlStore;
use super::{experiment_rows, scorer_checks, validate};
use crate::error::Result;
use crate::search::Sql;

/// Scorers of an experiment, and versions of one.
const SCORERS_MAX: i64 = 1_000;
const VERSIONS_MAX: i64 = 10_000;
/// Most experiments that a request names.
const EXPERIMENTS_MAX: usize = 1_000;

const VERSION: &str = "SELECT s.experiment_id, s.scorer_name, s.scorer_id, v.scorer_version, \
     v.serialized_scorer, v.creation_time FROM scorers s JOIN scorer_versions v ON v.scorer_id = s.scorer_id";
const IS_LATEST: &str = "v.scorer_version = (SELECT max(o.scorer_version) FROM scorer_versions o \
     WHERE o.scorer_id = s.scorer_id)";

fn read(row: &dyn Row) -> Result<ScorerVersion> {
    Ok(ScorerVersion {
        experiment_id: row.need_int(0)?.to_string(),
        name: row.need_text(1)?,
        scorer_id: row.need_text(2)?,
        version: row.need_int(3)?,
        serialized: row.need_text(4)?,
        creation_time: row.int(5)?.unwrap_or_default(),
    })
}

#[async_trait]
impl Scorers for SqlStore {
    async fn register(
        &self,
        experiment_id: &str,
        name: &str,
        serialized: &str,
    ) -> mlflow::Result<ScorerVersion> {
        let data = scorer_checks::parsed(serialized)?;
        scorer_checks::check(&data)?;
        scorer_checks::check_name(name)?;
        let model = scorer_checks::model(&data).cloned();
        let [experiment_id, name, serialized] =
            [experiment_id, name, serialized].map(str::to_owned);
        self.create_one(move |connection| {
            let experiment = experiment_rows::get_active(connection, &experiment_id)?;
            scorer_checks::check_model(model.as_ref())?;
            let id = validate::experiment_id(&experiment.experiment_id)?;
            register(connection, id, &name, &serialized)
        })
        .await
    }

    async fn of_experiment(&self, experiment_id: &str) -> mlflow::Result<Vec<ScorerVersion>> {
        let experiment_id = experiment_id.to_owned();
        self.read_many(Reading::Listing, move |connection| {
            let id = active(connection, &experiment_id)?;
            let sql = format!(
                "{VERSION} WHERE s.experiment_id = ?1 AND {IS_LATEST} ORDER BY s.scorer_name"
            );
            connection.rows(&sql, &[id.into()], read)
        })
        .await
    }

    async fn latest(&self, experiment_ids: Vec<String>) -> mlflow::Result<Vec<ScorerVersion>> {
        if experiment_ids.len() > EXPERIMENTS_MAX {
            let message = format!("at most {EXPERIMENTS_MAX} experiments are named in a request");
            return Err(Error::invalid(message));
        }
        let ids = experiment_ids.iter().map(|id| validate::experiment_id(id));
        let ids: Vec<i64> = ids.collect::<Result<_>>()?;
        self.read_many(Reading::Listing, move |connection| {
            let mut sql = Sql::new(connection.dialect());
            sql.push(&format!(
                "{VERSION} JOIN experiments e ON e.experiment_id = s.experiment_id \
                 WHERE e.lifecycle_stage = 'active' AND {IS_LATEST}"
            ));
            if !ids.is_empty() {
                sql.push(" AND s.experiment_id IN ").push_list(ids.iter().copied());
            }
            sql.push(" ORDER BY s.experiment_id, s.scorer_name");
            connection.rows(&sql.text, &sql.values, read)
        })
        .await
    }

    async fn versions(
        &self,
        experiment_id: &str,
        name: &str,
    ) -> mlflow::Result<Vec<ScorerVersion>> {
        let [experiment_id, name] = [experiment_id, name].map(str::to_owned);
        self.read_many(Reading::Listing, move |connection| {
            let id = active(connection, &experiment_id)?;
            let sql = format!(
                "{VERSION} WHERE s.experiment_id = ?1 AND s.scorer_name = ?2 ORDER BY v.scorer_version"
            );
            let found = connection.rows(&sql, &[id.into(), (&name).into()], read)?;
            if found.is_empty() {
                return Err(missing(&experiment_id, &name, None).into());
            }
            Ok(found)
        })
        .await
    }

    async fn get(
        &self,
        experiment_id: &str,
        name: &str,
        version: Option<i64>,
    ) -> mlflow::Result<ScorerVersion> {
        let [experiment_id, name] = [experiment_id, name].map(str::to_owned);
        self.read(move |connection| {
            let id = active(connection, &experiment_id)?;
            let scorer_id = scorer_id(connection, id, &name)?
                .ok_or_else(|| missing(&experiment_id, &name, None))?;
            let found = if let Some(version) = version {
                let sql = format!("{VERSION} WHERE s.scorer_id = ?1 AND v.scorer_version = ?2");
                connection.first(&sql, &[(&scorer_id).into(), version.into()], read)?
            } else {
                let sql = format!("{VERSION} WHERE s.scorer_id = ?1 AND {IS_LATEST}");
                connection.first(&sql, &[(&scorer_id).into()], read)?
            };
            Ok(found.ok_or_else(|| missing(&experiment_id, &name, version))?)
        })
        .await
    }

    async fn delete(
        &self,
        experiment_id: &str,
        name: &str,
        version: Option<i64>,
    ) -> mlflow::Result<()> {
        let [experiment_id, name] = [experiment_id, name].map(str::to_owned);
        self.write(move |connection| {
            let id = active(connection, &experiment_id)?;
            let scorer_id = scorer_id(connection, id, &name)?
                .ok_or_else(|| missing(&experiment_id, &name, None))?;
            let key: [Value<'_>; 1] = [(&scorer_id).into()];
            let removed = match version {
                Some(version) => connection.execute(
                    "DELETE FROM scorer_versions WHERE scorer_id = ?1 AND scorer_version = ?2",
                    &[(&scorer_id).into(), version.into()],
                )?,
                None => {
                    connection.execute("DELETE FROM scorer_versions WHERE scorer_id = ?1", &key)?
                }
            };
            if removed == 0 {
                return Err(missing(&experiment_id, &name, version).into());
            }
            if version.is_none() {
                connection.execute("DELETE FROM scorers WHERE scorer_id = ?1", &key)?;
            }
            Ok(())
        })
        .await
    }
}

/// The number of an experiment that is there and not deleted.
fn active(connection: &mut dyn Connection, experiment_id: &str) -> Result<i64> {
    let experiment = experiment_rows::get_active(connection, experiment_id)?;
    validate::experiment_id(&experiment.experiment_id)
}

fn scorer_id(
    connection: &mut dyn Connection,
    experiment_id: i64,
    name: &str,
) -> Result<Option<String>> {
    let sql = "SELECT scorer_id FROM scorers WHERE experiment_id = ?1 AND scorer_name = ?2";
    connection.first(sql, &[experiment_id.into(), name.into()], |row| row.need_text(0))
}

fn missing(experiment_id: &str, name: &str, version: Option<i64>) -> Error {
    let version = version.map(|version| format!(" and version {version}")).unwrap_or_default();
    Error::not_found(format!(
        "Scorer with name '{name}'{version} not found for experiment {experiment_id}."
    ))
}

fn register(
    connection: &mut dyn Connection,
    experiment_id: i64,
    name: &str,
    serialized: &str,
) -> Result<ScorerVersion> {
    let scorer_id = match scorer_id(connection, experiment_id, name)? {
        Some(scorer_id) => scorer_id,
        None => create(connection, experiment_id, name)?,
    };
    let key: [Value<'_>; 1] = [(&scorer_id).into()];
    let sql = "SELECT count(*), max(scorer_version) FROM scorer_versions WHERE scorer_id = ?1";
    let counted = connection
        .first(sql, &key, |row| Ok((row.need_int(0)?, row.int(1)?.unwrap_or_default())))?;
    let (count, last) = counted.unwrap_or_default();
    if count >= VERSIONS_MAX {
        let message = format!("the scorer has {VERSIONS_MAX} versions, which is the most");
        return Err(Error::invalid(message).into());
    }
    let (version, creation_time) = (last + 1, creation_millis());
    connection.execute(
        "INSERT INTO scorer_versions (scorer_id, scorer_version, serialized_scorer, creation_time) \
         VALUES (?1, ?2, ?3, ?4)",
        &[(&scorer_id).into(), version.into(), serialized.into(), creation_time.into()],
    )?;
    Ok(ScorerVersion {
        experiment_id: experiment_id.to_string(),
        name: name.to_owned(),
        scorer_id,
        version,
        serialized: serialized.to_owned(),
        creation_time,
    })
}

fn create(connection: &mut dyn Connection, experiment_id: i64, name: &str) -> Result<String> {
    let sql = "SELECT count(*) FROM scorers WHERE experiment_id = ?1";
    let there = connection.first(sql, &[experiment_id.into()], |row| row.need_int(0))?;
    if there.is_some_and(|there| there >= SCORERS_MAX) {
        let message = format!("the experiment has {SCORERS_MAX} scorers, which is the most");
        return Err(Error::invalid(message).into());
    }
    let scorer_id = Uuid::new_v4().to_string();
    connection.execute(
        "INSERT INTO scorers (experiment_id, scorer_name, scorer_id) VALUES (?1, ?2, ?3)",
        &[experiment_id.into(), name.into(), (&scorer_id).into()],
    )?;
    Ok(scorer_id)
}
