//! Registered models, their tags and aliases.

use async_trait::async_trait;
use trainyard_mlflow::entities::{ModelVersion, RegisteredModel, Tag};
use trainyard_mlflow::{
    self as mlflow, AliasId, Error, Page, RegisteredModels, SearchRegisteredModels, VersionId,
};

use super::clock::{creation_millis, now_millis};
use super::database::Connection;
use super::permits::Reading;
use super::registered_model_rows::{find, get, get_by_alias, latest_versions};
use super::schema::WORKSPACE;
use super::sql_store::SqlStore;
use super::{model_version_rows, search_registry, validate, webhook_outbox};
use crate::error::Result;
use crate::webhooks::change::Change;

#[async_trait]
impl RegisteredModels for SqlStore {
    async fn health(&self) -> mlflow::Result<()> {
        self.condition().await
    }

    async fn create(
        &self,
        name: &str,
        tags: &[Tag],
        description: Option<&str>,
    ) -> mlflow::Result<RegisteredModel> {
        let (name, tags) = (name.to_owned(), tags.to_vec());
        let description = description.map(str::to_owned);
        self.change(move |connection| {
            let description = description.as_deref();
            let model = create(connection, &name, &tags, description)?;
            let change = Change::ModelCreated { name: &name, tags: &tags, description };
            Ok((model, webhook_outbox::add(connection, &change)?))
        })
        .await
    }

    async fn get(&self, name: &str) -> mlflow::Result<RegisteredModel> {
        let name = name.to_owned();
        self.read(move |connection| get(connection, &name)).await
    }

    async fn rename(&self, name: &str, new_name: &str) -> mlflow::Result<RegisteredModel> {
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        self.write(move |connection| rename(connection, &name, &new_name)).await
    }

    async fn update(
        &self,
        name: &str,
        description: Option<&str>,
    ) -> mlflow::Result<RegisteredModel> {
        let (name, description) = (name.to_owned(), description.map(str::to_owned));
        self.write(move |connection| update(connection, &name, description.as_deref())).await
    }

    async fn delete(&self, name: &str) -> mlflow::Result<()> {
        let name = name.to_owned();
        self.write(move |connection| delete(connection, &name)).await
    }

    async fn search(
        &self,
        search: SearchRegisteredModels,
    ) -> mlflow::Result<Page<RegisteredModel>> {
        let reading = Reading::of(&search.filter);
        self.read_many(reading, move |connection| {
            search_registry::registered_models(connection, &search)
        })
        .await
    }

    async fn set_tag(&self, name: &str, tag: Tag) -> mlflow::Result<()> {
        let name = name.to_owned();
        self.change(move |connection| {
            set_tag(connection, &name, &tag)?;
            let change = Change::ModelTagSet { name: &name, tag: &tag };
            Ok(((), webhook_outbox::add(connection, &change)?))
        })
        .await
    }

    async fn delete_tag(&self, name: &str, key: &str) -> mlflow::Result<()> {
        let (name, key) = (name.to_owned(), key.to_owned());
        self.change(move |connection| {
            delete_tag(connection, &name, &key)?;
            let change = Change::ModelTagDeleted { name: &name, key: &key };
            Ok(((), webhook_outbox::add(connection, &change)?))
        })
        .await
    }

    async fn set_alias(&self, id: VersionId<'_>, alias: &str) -> mlflow::Result<()> {
        let (name, version) = (id.name.to_owned(), id.version.to_owned());
        let alias = alias.to_owned();
        self.change(move |connection| {
            set_alias(connection, VersionId { name: &name, version: &version }, &alias)?;
            let change = Change::AliasSet { name: &name, alias: &alias, version: &version };
            Ok(((), webhook_outbox::add(connection, &change)?))
        })
        .await
    }

    async fn delete_alias(&self, id: AliasId<'_>) -> mlflow::Result<()> {
        let (name, alias) = (id.name.to_owned(), id.alias.to_owned());
        self.change(move |connection| {
            delete_alias(connection, AliasId { name: &name, alias: &alias })?;
            let change = Change::AliasDeleted { name: &name, alias: &alias };
            Ok(((), webhook_outbox::add(connection, &change)?))
        })
        .await
    }

    async fn get_by_alias(&self, id: AliasId<'_>) -> mlflow::Result<ModelVersion> {
        let (name, alias) = (id.name.to_owned(), id.alias.to_owned());
        self.read(move |connection| {
            get_by_alias(connection, AliasId { name: &name, alias: &alias })
        })
        .await
    }

    async fn get_latest_versions(
        &self,
        name: &str,
        stages: &[String],
    ) -> mlflow::Result<Vec<ModelVersion>> {
        let (name, stages) = (name.to_owned(), stages.to_vec());
        self.read(move |connection| get_latest_versions(connection, &name, &stages)).await
    }
}

/// The newest version of each of the stages; of all stages if none are named.
fn get_latest_versions(
    connection: &mut dyn Connection,
    name: &str,
    stages: &[String],
) -> Result<Vec<ModelVersion>> {
    find(connection, name)?;
    let mut wanted = Vec::with_capacity(stages.len());
    for stage in stages {
        wanted.push(validate::stage(stage)?);
    }
    let mut versions = latest_versions(connection, name)?;
    versions
        .retain(|version| wanted.is_empty() || wanted.contains(&version.current_stage.as_str()));
    for version in &mut versions {
        model_version_rows::fill_aliases(connection, version)?;
    }
    Ok(versions)
}

/// Makes a registered model.
fn create(
    connection: &mut dyn Connection,
    name: &str,
    tags: &[Tag],
    description: Option<&str>,
) -> Result<RegisteredModel> {
    validate::model_name(name)?;
    for tag in tags {
        validate::registry_tag(tag)?;
    }
    let now = creation_millis();
    let inserted = connection.execute(
        "INSERT INTO registered_models (workspace, name, creation_time, last_updated_time, \
         description) VALUES (?1, ?2, ?3, ?3, ?4)",
        &[WORKSPACE.into(), name.into(), now.into(), description.into()],
    );
    match inserted {
        Ok(_rows) => {}
        Err(error) if error.is_unique() => return Err(exists(name)),
        Err(error) => return Err(error),
    }
    for tag in tags {
        upsert_tag(connection, name, tag)?;
    }
    get(connection, name)
}

fn exists(name: &str) -> crate::Error {
    Error::already_exists(format!("Registered Model (name={name}) already exists.")).into()
}

/// Gives a registered model another name; versions, tags and aliases move with it.
fn rename(connection: &mut dyn Connection, name: &str, new_name: &str) -> Result<RegisteredModel> {
    validate::new_model_name(new_name)?;
    find(connection, name)?;
    let now = now_millis();
    let renamed = connection.execute(
        "UPDATE registered_models SET name = ?1, last_updated_time = ?2 \
         WHERE workspace = ?3 AND name = ?4",
        &[new_name.into(), now.into(), WORKSPACE.into(), name.into()],
    );
    match renamed {
        Ok(_rows) => {}
        Err(error) if error.is_unique() => return Err(exists(new_name)),
        Err(error) => return Err(error),
    }
    connection.execute(
        "UPDATE model_versions SET last_updated_time = ?1 WHERE workspace = ?2 AND name = ?3",
        &[now.into(), WORKSPACE.into(), new_name.into()],
    )?;
    get(connection, new_name)
}

/// Replaces the description.
fn update(
    connection: &mut dyn Connection,
    name: &str,
    description: Option<&str>,
) -> Result<RegisteredModel> {
    find(connection, name)?;
    connection.execute(
        "UPDATE registered_models SET description = ?1, last_updated_time = ?2 \
         WHERE workspace = ?3 AND name = ?4",
        &[description.into(), now_millis().into(), WORKSPACE.into(), name.into()],
    )?;
    get(connection, name)
}

/// Removes a registered model with its versions, tags and aliases, for good.
fn delete(connection: &mut dyn Connection, name: &str) -> Result<()> {
    find(connection, name)?;
    for table in [
        "registered_model_aliases",
        "model_version_tags",
        "model_versions",
        "registered_model_tags",
        "registered_models",
    ] {
        connection.execute(
            &format!("DELETE FROM {table} WHERE workspace = ?1 AND name = ?2"),
            &[WORKSPACE.into(), name.into()],
        )?;
    }
    Ok(())
}

fn upsert_tag(connection: &mut dyn Connection, name: &str, tag: &Tag) -> Result<()> {
    connection.execute(
        "INSERT INTO registered_model_tags (workspace, name, \"key\", value) \
         VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (workspace, \"key\", name) DO UPDATE SET value = excluded.value",
        &[WORKSPACE.into(), name.into(), (&tag.key).into(), (&tag.value).into()],
    )?;
    Ok(())
}

/// Sets or replaces a tag.
fn set_tag(connection: &mut dyn Connection, name: &str, tag: &Tag) -> Result<()> {
    validate::model_name(name)?;
    validate::registry_tag(tag)?;
    find(connection, name)?;
    upsert_tag(connection, name, tag)
}

/// Removes a tag; removing nothing is no error.
fn delete_tag(connection: &mut dyn Connection, name: &str, key: &str) -> Result<()> {
    validate::tag_key(key)?;
    find(connection, name)?;
    connection.execute(
        "DELETE FROM registered_model_tags WHERE workspace = ?1 AND name = ?2 AND \"key\" = ?3",
        &[WORKSPACE.into(), name.into(), key.into()],
    )?;
    Ok(())
}

/// Points an alias at a version, wherever it pointed before.
fn set_alias(connection: &mut dyn Connection, id: VersionId<'_>, alias: &str) -> Result<()> {
    validate::model_name(id.name)?;
    validate::new_alias(alias)?;
    let number = model_version_rows::find(connection, id)?.number;
    connection.execute(
        "INSERT INTO registered_model_aliases (workspace, name, alias, version) \
         VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version",
        &[WORKSPACE.into(), id.name.into(), alias.into(), number.into()],
    )?;
    Ok(())
}

/// Removes an alias; removing nothing is no error.
fn delete_alias(
    connection: &mut dyn Connection,
    AliasId { name, alias }: AliasId<'_>,
) -> Result<()> {
    validate::alias(alias)?;
    find(connection, name)?;
    connection.execute(
        "DELETE FROM registered_model_aliases \
         WHERE workspace = ?1 AND name = ?2 AND alias = ?3",
        &[WORKSPACE.into(), name.into(), alias.into()],
    )?;
    Ok(())
}
