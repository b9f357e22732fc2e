//! Experiments and their tags.

use async_trait::async_trait;
use trainyard_mlflow::entities::{DatasetSummary, Experiment, LifecycleStage, Tag};
use trainyard_mlflow::{
    self as mlflow, Error, ErrorCode, Experiments, Page, SearchExperiments, uri,
};

use super::audit::{Auditor, Change};
use super::clock::{creation_millis, now_millis};
use super::database::Connection;
use super::experiment_numbers;
use super::experiment_rows::{check_active, find, get, get_by_name, not_found};
use super::permits::Reading;
use super::schema::WORKSPACE;
use super::sql_store::SqlStore;
use super::{datasets, search_experiments, validate};
use crate::error::Result;

#[async_trait]
impl Experiments for SqlStore {
    async fn health(&self) -> mlflow::Result<()> {
        self.condition().await
    }

    async fn create(
        &self,
        name: &str,
        artifact_location: Option<&str>,
        tags: &[Tag],
    ) -> mlflow::Result<String> {
        validate::experiment_name(name)?;
        let location = artifact_location.filter(|location| !location.is_empty());
        let location = location.map(absolute).transpose()?;
        tags.iter().try_for_each(validate::experiment_tag)?;
        let (name, tags) = (name.to_owned(), tags.to_vec());
        let (root, audit) = (self.artifact_root.clone(), self.auditor());
        self.write(move |connection| {
            let id = create(connection, &name, location.as_deref(), &tags, &root)?;
            let made = Change::of_experiment("experiment.create", &id).after(name.clone());
            let tags = tags.iter().map(|tag| tagged(&id, tag));
            audit.note(connection, std::iter::once(made).chain(tags).collect())?;
            Ok(id)
        })
        .await
    }

    async fn get(&self, experiment_id: &str) -> mlflow::Result<Experiment> {
        let id = experiment_id.to_owned();
        self.read(move |connection| get(connection, &id)).await
    }

    async fn get_by_name(&self, name: &str) -> mlflow::Result<Experiment> {
        let name = name.to_owned();
        self.read(move |connection| get_by_name(connection, &name)).await
    }

    async fn search(&self, search: SearchExperiments) -> mlflow::Result<Page<Experiment>> {
        let reading = Reading::of(&search.filter);
        self.read_many(reading, move |connection| search_experiments::search(connection, &search))
            .await
    }

    async fn rename(&self, experiment_id: &str, new_name: &str) -> mlflow::Result<()> {
        let (id, name) = (experiment_id.to_owned(), new_name.to_owned());
        let audit = self.auditor();
        self.write(move |connection| rename(connection, &audit, &id, &name)).await
    }

    async fn delete(&self, experiment_id: &str) -> mlflow::Result<()> {
        let (id, audit) = (experiment_id.to_owned(), self.auditor());
        self.write(move |connection| {
            delete(connection, &id)?;
            audit.note(connection, vec![staged("experiment.delete", &id, "active", "deleted")])
        })
        .await
    }

    async fn restore(&self, experiment_id: &str) -> mlflow::Result<()> {
        let (id, audit) = (experiment_id.to_owned(), self.auditor());
        self.write(move |connection| {
            restore(connection, &id)?;
            audit.note(connection, vec![staged("experiment.restore", &id, "deleted", "active")])
        })
        .await
    }

    async fn set_tag(&self, experiment_id: &str, tag: Tag) -> mlflow::Result<()> {
        let (id, audit) = (experiment_id.to_owned(), self.auditor());
        self.write(move |connection| set_tag(connection, &audit, &id, &tag)).await
    }

    async fn delete_tag(&self, experiment_id: &str, key: &str) -> mlflow::Result<()> {
        let (id, key) = (experiment_id.to_owned(), key.to_owned());
        let audit = self.auditor();
        self.write(move |connection| delete_tag(connection, &audit, &id, &key)).await
    }

    async fn search_datasets(
        &self,
        experiment_ids: &[String],
    ) -> mlflow::Result<Vec<DatasetSummary>> {
        let ids = experiment_ids.to_vec();
        self.read_many(Reading::Listing, move |connection| datasets::search(connection, &ids)).await
    }
}

fn tagged(id: &str, tag: &Tag) -> Change {
    let change = Change::of_experiment("experiment.set_tag", id).part("tag", &tag.key);
    change.after(tag.value.clone())
}

fn staged(action: &'static str, id: &str, from: &str, to: &str) -> Change {
    Change::of_experiment(action, id).before(from.to_owned()).after(to.to_owned())
}

/// A local path of an experiment's files holds wherever the program runs next.
fn absolute(location: &str) -> Result<String> {
    validate::artifact_location(location)?;
    if uri::scheme(location).is_some() {
        return Ok(location.to_owned());
    }
    let path = std::path::absolute(location).map_err(|error| Error::io(location, error))?;
    Ok(path.display().to_string())
}

/// Makes an experiment and returns its id.
fn create(
    connection: &mut dyn Connection,
    name: &str,
    artifact_location: Option<&str>,
    tags: &[Tag],
    artifact_root: &str,
) -> Result<String> {
    let now = creation_millis();
    let (column, number) = experiment_numbers::of_new_row(connection.dialect());
    let inserted = connection.first(
        &format!(
            "INSERT INTO experiments ({column}name, workspace, artifact_location, lifecycle_stage, \
             creation_time, last_update_time) VALUES ({number}?1, ?2, ?3, 'active', ?4, ?4) \
             RETURNING experiment_id"
        ),
        &[name.into(), WORKSPACE.into(), artifact_location.into(), now.into()],
        |row| row.need_int(0),
    );
    let id = match inserted {
        Ok(Some(id)) => id,
        Ok(None) => return Err(crate::Error::database("no id for a new experiment")),
        Err(error) if error.is_unique() => return Err(exists(name)),
        Err(error) => return Err(error),
    };
    if artifact_location.is_none() {
        let location = uri::join(artifact_root, &id.to_string());
        connection.execute(
            "UPDATE experiments SET artifact_location = ?1 WHERE experiment_id = ?2",
            &[location.into(), id.into()],
        )?;
    }
    for tag in tags {
        upsert_tag(connection, id, tag)?;
    }
    Ok(id.to_string())
}

fn exists(name: &str) -> crate::Error {
    Error::already_exists(format!("Experiment(name={name}) already exists.")).into()
}

fn upsert_tag(connection: &mut dyn Connection, id: i64, tag: &Tag) -> Result<()> {
    connection.execute(
        "INSERT INTO experiment_tags (\"key\", value, experiment_id) VALUES (?1, ?2, ?3) \
         ON CONFLICT (\"key\", experiment_id) DO UPDATE SET value = excluded.value",
        &[(&tag.key).into(), (&tag.value).into(), id.into()],
    )?;
    Ok(())
}

/// Gives an active experiment another name.
fn rename(connection: &mut dyn Connection, audit: &Auditor, id: &str, name: &str) -> Result<()> {
    validate::experiment_name(name)?;
    let id = validate::experiment_id(id)?;
    let experiment = find(connection, id)?;
    if experiment.lifecycle_stage != LifecycleStage::Active {
        // Upstream answers 500 here, which clients repeat for minutes.
        return Err(Error::invalid("Cannot rename a non-active experiment.").into());
    }
    let renamed = connection.execute(
        "UPDATE experiments SET name = ?1, last_update_time = ?2 WHERE experiment_id = ?3",
        &[name.into(), now_millis().into(), id.into()],
    );
    match renamed {
        Ok(_rows) => {
            let change = Change::of_experiment("experiment.rename", id);
            audit.note(connection, vec![change.before(experiment.name).after(name.to_owned())])
        }
        // The code is upstream's for a name that another experiment has.
        Err(error) if error.is_unique() => Err(Error::api(
            ErrorCode::BadRequest,
            format!("Experiment(name={name}) already exists."),
        )
        .into()),
        Err(error) => Err(error),
    }
}

/// Marks an experiment and all its runs as deleted.
fn delete(connection: &mut dyn Connection, id: &str) -> Result<()> {
    let now = now_millis();
    let id = move_to(connection, id, LifecycleStage::Active, "deleted", now)?;
    connection.execute(
        "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ?1 WHERE experiment_id = ?2",
        &[now.into(), id.into()],
    )?;
    Ok(())
}

/// Brings an experiment and all its runs back.
fn restore(connection: &mut dyn Connection, id: &str) -> Result<()> {
    let id = move_to(connection, id, LifecycleStage::Deleted, "active", now_millis())?;
    connection.execute(
        "UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE experiment_id = ?1",
        &[id.into()],
    )?;
    Ok(())
}

fn move_to(
    connection: &mut dyn Connection,
    id: &str,
    from: LifecycleStage,
    to: &str,
    now: i64,
) -> Result<i64> {
    let id = validate::experiment_id(id)?;
    if find(connection, id)?.lifecycle_stage != from {
        return Err(not_found(id));
    }
    connection.execute(
        "UPDATE experiments SET lifecycle_stage = ?1, last_update_time = ?2 \
         WHERE experiment_id = ?3",
        &[to.into(), now.into(), id.into()],
    )?;
    Ok(id)
}

/// Sets or replaces a tag.
fn set_tag(connection: &mut dyn Connection, audit: &Auditor, id: &str, tag: &Tag) -> Result<()> {
    validate::experiment_tag(tag)?;
    let number = validate::experiment_id(id)?;
    check_active(&find(connection, number)?)?;
    let before = tag_before(connection, audit, number, &tag.key)?;
    upsert_tag(connection, number, tag)?;
    audit.note(connection, vec![tagged(&number.to_string(), tag).before(before)])
}

/// The value of a tag, where it is to be written down.
fn tag_before(
    connection: &mut dyn Connection,
    audit: &Auditor,
    id: i64,
    key: &str,
) -> Result<Option<String>> {
    if !audit.is_on() {
        return Ok(None);
    }
    let sql = "SELECT value FROM experiment_tags WHERE experiment_id = ?1 AND \"key\" = ?2";
    connection.first(sql, &[id.into(), key.into()], |row| row.text_or_empty(0))
}

/// Removes a tag.
fn delete_tag(connection: &mut dyn Connection, audit: &Auditor, id: &str, key: &str) -> Result<()> {
    let number = validate::experiment_id(id)?;
    check_active(&find(connection, number)?)?;
    let before = tag_before(connection, audit, number, key)?;
    let removed = connection.execute(
        "DELETE FROM experiment_tags WHERE experiment_id = ?1 AND \"key\" = ?2",
        &[number.into(), key.into()],
    )?;
    if removed == 0 {
        return Err(Error::not_found(format!(
            "No tag with name: {key} in experiment with id {id}"
        ))
        .into());
    }
    let change = Change::of_experiment("experiment.delete_tag", number).part("tag", key);
    audit.note(connection, vec![change.before(before)])
}
