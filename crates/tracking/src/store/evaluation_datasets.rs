//! Datasets of examples: themselves, their tags and the experiments that they belong to.

use async_trait::async_trait;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use trainyard_mlflow::entities::KeyValue;
use trainyard_mlflow::{
    self as mlflow, Error, EvaluationDataset, EvaluationDatasets, Page, SearchEvaluationDatasets,
};

use super::clock::{creation_millis, now_millis};
use super::database::{Connection, Row, Value};
use super::names::new_id;
use super::permits::Reading;
use super::schema::WORKSPACE;
use super::search_runs::experiment_ids;
use super::sql_store::SqlStore;
use super::trace_rows::fits;
use super::{evaluation_records, experiment_rows, page, trace_links};
use crate::error::Result;
use crate::search::{self, Sql, Style, parse};

const COLUMNS: &str = "d.dataset_id, d.name, d.schema, d.profile, d.digest, d.created_time, \
     d.last_update_time, d.created_by, d.last_updated_by";
/// Most datasets of a page, and how many are on one if nobody says.
const RESULTS_MAX: i64 = 50_000;
const RESULTS_DEFAULT: i64 = 1_000;
/// Sizes of columns.
const NAME_MAX: usize = 255;
const TAG_KEY_MAX: usize = 255;
const TAG_VALUE_MAX: usize = 5_000;
/// Most tags, or experiments, of a request.
const PARTS_MAX: usize = 1_000;
/// The tag that says who made it.
const USER: &str = "mlflow.user";

#[async_trait]
impl EvaluationDatasets for SqlStore {
    async fn create(
        &self,
        name: &str,
        experiment_ids: Vec<String>,
        tags: Vec<KeyValue>,
    ) -> mlflow::Result<EvaluationDataset> {
        fits("name", Some(name), NAME_MAX)?;
        check_count(experiment_ids.len())?;
        let now = creation_millis();
        let user = KeyValue::find(&tags, USER).map(str::to_owned);
        let dataset = EvaluationDataset {
            dataset_id: format!("d-{}", new_id()),
            name: name.to_owned(),
            digest: digest(name, now),
            tags,
            created_time: now,
            last_update_time: now,
            created_by: user.clone(),
            last_updated_by: user,
            experiment_ids,
            ..EvaluationDataset::default()
        };
        self.create_one(move |connection| create(connection, &dataset)).await
    }

    async fn get(&self, dataset_id: &str) -> mlflow::Result<EvaluationDataset> {
        let id = dataset_id.to_owned();
        self.read(move |connection| get(connection, &id)).await
    }

    async fn search(
        &self,
        search: SearchEvaluationDatasets,
    ) -> mlflow::Result<Page<EvaluationDataset>> {
        let reading = Reading::of(&search.filter);
        self.read_many(reading, move |connection| run_search(connection, &search)).await
    }

    async fn delete(&self, dataset_id: &str) -> mlflow::Result<()> {
        let id = dataset_id.to_owned();
        self.write(move |connection| delete(connection, &id)).await
    }

    async fn set_tags(&self, dataset_id: &str, tags: Vec<KeyValue>) -> mlflow::Result<()> {
        let id = dataset_id.to_owned();
        self.write(move |connection| {
            if find(connection, &id)?.is_none() {
                let message = format!("Could not find evaluation dataset with ID {id}");
                return Err(Error::not_found(message).into());
            }
            put_tags(connection, &id, &tags)
        })
        .await
    }

    async fn delete_tag(&self, dataset_id: &str, key: &str) -> mlflow::Result<()> {
        let (id, key) = (dataset_id.to_owned(), key.to_owned());
        self.write(move |connection| {
            let sql = "DELETE FROM evaluation_dataset_tags WHERE dataset_id = ?1 AND \"key\" = ?2";
            connection.execute(sql, &[(&id).into(), (&key).into()])?;
            Ok(())
        })
        .await
    }

    async fn experiment_ids(&self, dataset_id: &str) -> mlflow::Result<Vec<String>> {
        let id = dataset_id.to_owned();
        self.read(move |connection| experiments_of(connection, &id)).await
    }

    async fn add_to_experiments(
        &self,
        dataset_id: &str,
        experiment_ids: Vec<String>,
    ) -> mlflow::Result<EvaluationDataset> {
        check_count(experiment_ids.len())?;
        let id = dataset_id.to_owned();
        self.write(move |connection| {
            need(connection, &id)?;
            for experiment_id in &experiment_ids {
                let known = super::validate::experiment_id(experiment_id)
                    .and_then(|id| experiment_rows::find(connection, id));
                if known.is_err() {
                    let message = format!("No Experiment with id={experiment_id}");
                    return Err(Error::not_found(message).into());
                }
            }
            link(connection, &id, &experiment_ids)?;
            touched(connection, &id)
        })
        .await
    }

    async fn remove_from_experiments(
        &self,
        dataset_id: &str,
        experiment_ids: Vec<String>,
    ) -> mlflow::Result<EvaluationDataset> {
        check_count(experiment_ids.len())?;
        let id = dataset_id.to_owned();
        self.write(move |connection| {
            need(connection, &id)?;
            for experiment_id in &experiment_ids {
                connection.execute(
                    "DELETE FROM entity_associations WHERE source_type = 'evaluation_dataset' \
                     AND source_id = ?1 AND destination_type = 'experiment' \
                     AND destination_id = ?2",
                    &[(&id).into(), experiment_id.into()],
                )?;
            }
            touched(connection, &id)
        })
        .await
    }

    async fn upsert_records(
        &self,
        dataset_id: &str,
        records: Vec<Json>,
    ) -> mlflow::Result<(i64, i64)> {
        let records = evaluation_records::checked(records)?;
        let id = dataset_id.to_owned();
        self.write(move |connection| {
            // Whoever else adds records waits until these are there: what both say of one example is merged.
            let hold = "UPDATE evaluation_datasets SET digest = digest WHERE dataset_id = ?1";
            connection.execute(hold, &[(&id).into()])?;
            let Some(dataset) = find(connection, &id)? else {
                if records.is_empty() {
                    return Ok((0, 0));
                }
                return Err(not_found(&id));
            };
            let now = now_millis();
            let counts = evaluation_records::upsert(connection, &dataset, &records, now)?;
            let digest = digest(&dataset.name, now);
            let sql = "UPDATE evaluation_datasets SET digest = ?2 WHERE dataset_id = ?1";
            connection.execute(sql, &[(&id).into(), digest.into()])?;
            Ok(counts)
        })
        .await
    }

    async fn records(
        &self,
        dataset_id: &str,
        max_results: i64,
        page_token: Option<String>,
    ) -> mlflow::Result<Page<Json>> {
        let id = dataset_id.to_owned();
        self.read_many(Reading::Listing, move |connection| {
            evaluation_records::page(connection, &id, max_results, page_token.as_deref())
        })
        .await
    }

    async fn delete_records(
        &self,
        dataset_id: &str,
        record_ids: Vec<String>,
    ) -> mlflow::Result<i64> {
        check_count(record_ids.len())?;
        let id = dataset_id.to_owned();
        self.write(move |connection| evaluation_records::delete(connection, &id, &record_ids)).await
    }
}

fn check_count(count: usize) -> Result<()> {
    if count > PARTS_MAX {
        let message = format!("at most {PARTS_MAX} can be named at once, got {count}");
        return Err(Error::invalid(message).into());
    }
    Ok(())
}

fn digest(name: &str, time: i64) -> String {
    let digest = Sha256::digest(format!("{name}:{time}"));
    hex::encode(digest).chars().take(8).collect()
}

fn not_found(id: &str) -> crate::Error {
    Error::not_found(format!("Evaluation dataset with id '{id}' not found")).into()
}

fn read(row: &dyn Row) -> Result<EvaluationDataset> {
    Ok(EvaluationDataset {
        dataset_id: row.need_text(0)?,
        name: row.need_text(1)?,
        schema: row.optional_text(2)?,
        profile: row.optional_text(3)?.filter(|text| text != "null"),
        digest: row.text_or_empty(4)?,
        created_time: row.int(5)?.unwrap_or_default(),
        last_update_time: row.int(6)?.unwrap_or_default(),
        created_by: row.optional_text(7)?,
        last_updated_by: row.optional_text(8)?,
        ..EvaluationDataset::default()
    })
}

/// A dataset without its tags.
fn find(connection: &mut dyn Connection, id: &str) -> Result<Option<EvaluationDataset>> {
    let sql = format!("SELECT {COLUMNS} FROM evaluation_datasets d WHERE d.dataset_id = ?1");
    connection.first(&sql, &[id.into()], read)
}

fn fill(connection: &mut dyn Connection, datasets: &mut [EvaluationDataset]) -> Result<()> {
    for dataset in datasets {
        let sql = "SELECT \"key\", value FROM evaluation_dataset_tags WHERE dataset_id = ?1 \
                   ORDER BY \"key\"";
        dataset.tags = connection.rows(sql, &[(&dataset.dataset_id).into()], |row| {
            Ok(KeyValue::new(row.need_text(0)?, row.text_or_empty(1)?))
        })?;
    }
    Ok(())
}

fn experiments_of(connection: &mut dyn Connection, id: &str) -> Result<Vec<String>> {
    let sql = "SELECT destination_id FROM entity_associations \
               WHERE source_type = 'evaluation_dataset' AND source_id = ?1 \
               AND destination_type = 'experiment' ORDER BY created_time, destination_id";
    connection.rows(sql, &[id.into()], |row| row.need_text(0))
}

fn get(connection: &mut dyn Connection, id: &str) -> Result<EvaluationDataset> {
    let mut dataset = [find(connection, id)?.ok_or_else(|| not_found(id))?];
    fill(connection, &mut dataset)?;
    let [dataset] = dataset;
    Ok(dataset)
}

fn need(connection: &mut dyn Connection, id: &str) -> Result<()> {
    match find(connection, id)? {
        Some(_dataset) => Ok(()),
        None => Err(Error::not_found(format!("Dataset '{id}' not found")).into()),
    }
}

fn create(
    connection: &mut dyn Connection,
    dataset: &EvaluationDataset,
) -> Result<EvaluationDataset> {
    let id = dataset.dataset_id.as_str();
    let parameters: [Value<'_>; 8] = [
        id.into(),
        (&dataset.name).into(),
        (&dataset.digest).into(),
        dataset.created_time.into(),
        dataset.last_update_time.into(),
        dataset.created_by.as_ref().into(),
        dataset.last_updated_by.as_ref().into(),
        WORKSPACE.into(),
    ];
    connection.execute(
        "INSERT INTO evaluation_datasets (dataset_id, name, digest, created_time, last_update_time, \
         created_by, last_updated_by, workspace) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &parameters,
    )?;
    put_tags(connection, id, &dataset.tags)?;
    link(connection, id, &dataset.experiment_ids)?;
    Ok(EvaluationDataset { experiment_ids: dataset.experiment_ids.clone(), ..get(connection, id)? })
}

fn put_tags(connection: &mut dyn Connection, id: &str, tags: &[KeyValue]) -> Result<()> {
    check_count(tags.len())?;
    for tag in tags {
        fits("key", Some(&tag.key), TAG_KEY_MAX)?;
        fits("value", Some(&tag.value), TAG_VALUE_MAX)?;
        connection.execute(
            "INSERT INTO evaluation_dataset_tags (dataset_id, \"key\", value) VALUES (?1, ?2, ?3) \
             ON CONFLICT (dataset_id, \"key\") DO UPDATE SET value = excluded.value",
            &[id.into(), (&tag.key).into(), (&tag.value).into()],
        )?;
    }
    Ok(())
}

fn link(connection: &mut dyn Connection, id: &str, experiments: &[String]) -> Result<()> {
    experiments.iter().try_for_each(|experiment| {
        trace_links::link(connection, ("evaluation_dataset", id), ("experiment", experiment))
    })
}

fn touched(connection: &mut dyn Connection, id: &str) -> Result<EvaluationDataset> {
    let sql = "UPDATE evaluation_datasets SET last_update_time = ?2 WHERE dataset_id = ?1";
    connection.execute(sql, &[id.into(), now_millis().into()])?;
    get(connection, id)
}

/// Removes a dataset, if it is there, with its records and tags.
fn delete(connection: &mut dyn Connection, id: &str) -> Result<()> {
    connection.execute(
        "DELETE FROM entity_associations WHERE (source_type = 'evaluation_dataset' \
         AND source_id = ?1) OR (destination_type = 'evaluation_dataset' AND destination_id = ?1)",
        &[id.into()],
    )?;
    connection.execute("DELETE FROM evaluation_datasets WHERE dataset_id = ?1", &[id.into()])?;
    Ok(())
}

fn run_search(
    connection: &mut dyn Connection,
    request: &SearchEvaluationDatasets,
) -> Result<Page<EvaluationDataset>> {
    let max_results = if request.max_results == 0 { RESULTS_DEFAULT } else { request.max_results };
    page::check_max_results(max_results, RESULTS_MAX)?;
    let offset = page::offset(request.page_token.as_deref())?;
    let expression = parse(&request.filter, Style::Plain)?;
    let mut sql = Sql::new(connection.dialect());
    sql.push(&format!("SELECT {COLUMNS} FROM evaluation_datasets d WHERE d.workspace = "));
    sql.push_value(WORKSPACE);
    if !request.experiment_ids.is_empty() {
        let ids = experiment_ids(&request.experiment_ids)?;
        sql.push(
            " AND EXISTS (SELECT 1 FROM entity_associations l WHERE l.source_id = d.dataset_id \
             AND l.source_type = 'evaluation_dataset' AND l.destination_type = 'experiment' \
             AND l.destination_id IN ",
        );
        sql.push_list(ids.iter().map(ToString::to_string)).push(")");
    }
    if let Some(expression) = &expression {
        sql.push(" AND ");
        sql.push_expression(expression, &mut |comparison, sql| {
            search::evaluation_datasets::push_condition(sql, comparison)
        })?;
    }
    sql.push(" ORDER BY ").push(&search::evaluation_datasets::order(&request.order_by)?);
    page::push(&mut sql, max_results, offset);
    let found = connection.rows(&sql.text, &sql.values, read)?;
    let page = page::cut(found, offset, max_results);
    let fill = |group: &mut [EvaluationDataset]| {
        fill(connection, group)?;
        // Who may see one is told by its experiments.
        for dataset in group {
            dataset.experiment_ids = experiments_of(connection, &dataset.dataset_id)?;
        }
        Ok(())
    };
    let size = |dataset: &EvaluationDataset| {
        page::size(&dataset.tags) + dataset.schema.as_ref().map_or(0, String::len)
    };
    let (items, next_page_token) = page::fill(page, offset, fill, size)?;
    Ok(Page { items, next_page_token })
}
