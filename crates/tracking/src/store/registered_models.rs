//! Registered models, their tags and aliases.

use std::collections::BTreeMap;

use async_trait::async_trait;
use trainyard_mlflow::entities::{ModelVersion, RegisteredModel, Tag};
use trainyard_mlflow::{
    self as mlflow, AliasId, AliasMove, Error, ErrorCode, Page, RegisteredModels,
    SearchRegisteredModels, VersionId,
};

use super::approval_desk::{ALIAS_BACK, ALIAS_SET, Desk, settle};
use super::audit::{Auditor, Change};
use super::clock::{creation_millis, now_millis};
use super::database::Connection;
use super::permits::Reading;
use super::registered_model_rows::{find, get, get_by_alias, latest_versions, tags_of};
use super::schema::WORKSPACE;
use super::sql_store::SqlStore;
use super::{model_version_rows, release_wishes, search_registry, validate, webhook_outbox};
use crate::error::Result;
use crate::webhooks::change::Change as RegistryChange;

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
        let (description, audit) = (description.map(str::to_owned), self.auditor());
        self.change(move |connection| {
            let description = description.as_deref();
            let model = create(connection, &audit, &name, &tags, description)?;
            let change = RegistryChange::ModelCreated { name: &name, tags: &tags, description };
            Ok((model, webhook_outbox::add(connection, &change)?))
        })
        .await
    }

    async fn get(&self, name: &str) -> mlflow::Result<RegisteredModel> {
        let name = name.to_owned();
        self.read(move |connection| get(connection, &name)).await
    }

    async fn tags_of(&self, names: Vec<String>) -> mlflow::Result<BTreeMap<String, Vec<Tag>>> {
        self.read(move |connection| tags_of(connection, &names)).await
    }

    async fn rename(&self, name: &str, new_name: &str) -> mlflow::Result<RegisteredModel> {
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        let desk = self.desk();
        self.write(move |connection| rename(connection, &desk, &name, &new_name)).await
    }

    async fn update(
        &self,
        name: &str,
        description: Option<&str>,
    ) -> mlflow::Result<RegisteredModel> {
        let (name, description) = (name.to_owned(), description.map(str::to_owned));
        let audit = self.auditor();
        self.write(move |connection| update(connection, &audit, &name, description.as_deref()))
            .await
    }

    async fn delete(&self, name: &str) -> mlflow::Result<()> {
        let (name, desk) = (name.to_owned(), self.desk());
        self.write(move |connection| delete(connection, &desk, &name)).await
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
        let (name, desk) = (name.to_owned(), self.desk());
        let refused = self.change(move |connection| {
            validate::model_name(&name)?;
            let tag = match release_wishes::taken(connection, &desk, &name, tag.clone())? {
                Ok(tag) => tag,
                Err(message) => return Ok((Some(message), 0)),
            };
            set_tag(connection, &desk.auditor, &name, &tag)?;
            let change = RegistryChange::ModelTagSet { name: &name, tag: &tag };
            Ok((None, webhook_outbox::add(connection, &change)?))
        });
        denied_where(refused.await?)
    }

    async fn delete_tag(&self, name: &str, key: &str) -> mlflow::Result<()> {
        let (name, key) = (name.to_owned(), key.to_owned());
        let audit = self.auditor();
        self.change(move |connection| {
            delete_tag(connection, &audit, &name, &key)?;
            let change = RegistryChange::ModelTagDeleted { name: &name, key: &key };
            Ok(((), webhook_outbox::add(connection, &change)?))
        })
        .await
    }

    async fn set_alias(&self, id: VersionId<'_>, alias: &str) -> mlflow::Result<()> {
        let (name, version) = (id.name.to_owned(), id.version.to_owned());
        let (alias, desk) = (alias.to_owned(), self.desk());
        let refused = self.change(move |connection| {
            let id = VersionId { name: &name, version: &version };
            let refused = set_alias(connection, &desk, id, &alias)?;
            // Nothing moved, so there is nothing to tell.
            if refused.is_some() {
                return Ok((refused, 0));
            }
            let change = RegistryChange::AliasSet { name: &name, alias: &alias, version: &version };
            Ok((None, webhook_outbox::add(connection, &change)?))
        });
        denied_where(refused.await?)
    }

    async fn delete_alias(&self, id: AliasId<'_>) -> mlflow::Result<()> {
        let (name, alias) = (id.name.to_owned(), id.alias.to_owned());
        let desk = self.desk();
        self.change(move |connection| {
            delete_alias(connection, &desk, AliasId { name: &name, alias: &alias })?;
            let change = RegistryChange::AliasDeleted { name: &name, alias: &alias };
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

/// The answer where others have to agree first.
fn denied_where(refused: Option<String>) -> mlflow::Result<()> {
    let denied = |message| Err(Error::api(ErrorCode::PermissionDenied, message));
    refused.map_or(Ok(()), denied)
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
    audit: &Auditor,
    name: &str,
    tags: &[Tag],
    description: Option<&str>,
) -> Result<RegisteredModel> {
    validate::model_name(name)?;
    for tag in tags {
        validate::registry_tag(tag)?;
        release_wishes::check_of_new_model(tag)?;
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
    let model = get(connection, name)?;
    let mut changes =
        vec![Change::of_model("model.create", name).after(description.map(str::to_owned))];
    changes.extend(tags.iter().map(|tag| tagged(name, tag)));
    audit.note(connection, changes)?;
    Ok(model)
}

fn tagged(name: &str, tag: &Tag) -> Change {
    Change::of_model("model.set_tag", name).part("tag", &tag.key).after(tag.value.clone())
}

fn exists(name: &str) -> crate::Error {
    Error::already_exists(format!("Registered Model (name={name}) already exists.")).into()
}

/// Gives a registered model another name; versions, tags and aliases move with it.
fn rename(
    connection: &mut dyn Connection,
    desk: &Desk,
    name: &str,
    new_name: &str,
) -> Result<RegisteredModel> {
    validate::new_model_name(new_name)?;
    find(connection, name)?;
    let aliases = aliases(connection, desk, name)?;
    for (alias, _version) in &aliases {
        desk.check_stays(name, alias, "the model keeps its name")?;
    }
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
    let model = get(connection, new_name)?;
    // Under each name stands what became of its aliases, so that a look at one name is enough.
    let mut changes = vec![
        Change::of_model("model.rename", name).before(name.to_owned()).after(new_name.to_owned()),
        Change::of_model("model.rename", new_name)
            .before(name.to_owned())
            .after(new_name.to_owned()),
    ];
    for (alias, version) in aliases {
        let part =
            |action: &'static str, name: &str| Change::of_model(action, name).part("alias", &alias);
        changes.push(part("alias.delete", name).before(version.clone()));
        changes.push(part("alias.set", new_name).after(version));
    }
    desk.auditor.note(connection, changes)?;
    Ok(model)
}

/// Aliases of a model and their versions, where anybody wants to know.
fn aliases(
    connection: &mut dyn Connection,
    desk: &Desk,
    name: &str,
) -> Result<Vec<(String, String)>> {
    if !desk.auditor.is_on() && desk.governance.protected.is_empty() {
        return Ok(Vec::new());
    }
    connection.rows(
        "SELECT alias, version FROM registered_model_aliases \
         WHERE workspace = ?1 AND name = ?2 ORDER BY alias",
        &[WORKSPACE.into(), name.into()],
        |row| Ok((row.need_text(0)?, row.need_int(1)?.to_string())),
    )
}

/// Replaces the description.
fn update(
    connection: &mut dyn Connection,
    audit: &Auditor,
    name: &str,
    description: Option<&str>,
) -> Result<RegisteredModel> {
    let before = find(connection, name)?.description;
    connection.execute(
        "UPDATE registered_models SET description = ?1, last_updated_time = ?2 \
         WHERE workspace = ?3 AND name = ?4",
        &[description.into(), now_millis().into(), WORKSPACE.into(), name.into()],
    )?;
    let model = get(connection, name)?;
    let change = Change::of_model("model.update", name).field("description");
    let change = change.before(before).after(description.map(str::to_owned));
    audit.note(connection, vec![change])?;
    Ok(model)
}

/// Removes a registered model with its versions, tags and aliases, for good.
fn delete(connection: &mut dyn Connection, desk: &Desk, name: &str) -> Result<()> {
    find(connection, name)?;
    let aliases = aliases(connection, desk, name)?;
    for (alias, _version) in &aliases {
        desk.check_stays(name, alias, "the model stays")?;
    }
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
    let mut changes = vec![Change::of_model("model.delete", name).before(name.to_owned())];
    changes.extend(aliases.into_iter().map(|(alias, version)| {
        Change::of_model("alias.delete", name).part("alias", alias).before(version)
    }));
    desk.auditor.note(connection, changes)
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
fn set_tag(connection: &mut dyn Connection, audit: &Auditor, name: &str, tag: &Tag) -> Result<()> {
    validate::registry_tag(tag)?;
    find(connection, name)?;
    let before = tag_before(connection, audit, name, &tag.key)?;
    upsert_tag(connection, name, tag)?;
    audit.note(connection, vec![tagged(name, tag).before(before)])
}

/// The value of a tag, where it is to be written down.
fn tag_before(
    connection: &mut dyn Connection,
    audit: &Auditor,
    name: &str,
    key: &str,
) -> Result<Option<String>> {
    if !audit.is_on() {
        return Ok(None);
    }
    let sql = "SELECT value FROM registered_model_tags \
               WHERE workspace = ?1 AND name = ?2 AND \"key\" = ?3";
    connection.first(sql, &[WORKSPACE.into(), name.into(), key.into()], |row| row.text_or_empty(0))
}

/// Removes a tag; removing nothing is no error.
fn delete_tag(
    connection: &mut dyn Connection,
    audit: &Auditor,
    name: &str,
    key: &str,
) -> Result<()> {
    validate::tag_key(key)?;
    find(connection, name)?;
    let before = tag_before(connection, audit, name, key)?;
    let removed = connection.execute(
        "DELETE FROM registered_model_tags WHERE workspace = ?1 AND name = ?2 AND \"key\" = ?3",
        &[WORKSPACE.into(), name.into(), key.into()],
    )?;
    let change = Change::of_model("model.delete_tag", name).part("tag", key).before(before);
    audit.note(connection, if removed == 0 { Vec::new() } else { vec![change] })
}

/// Points an alias at a version, wherever it pointed before. If others have to agree first, nothing moves and
/// this is what is said; that it was asked for is stored.
fn set_alias(
    connection: &mut dyn Connection,
    desk: &Desk,
    id: VersionId<'_>,
    alias: &str,
) -> Result<Option<String>> {
    validate::model_name(id.name)?;
    validate::new_alias(alias)?;
    let number = model_version_rows::find(connection, id)?.number;
    let before = desk.alias_before(connection, AliasId { name: id.name, alias })?;
    let after = number.to_string();
    let is_back = desk.is_back(connection, id.name, alias, &after)?;
    if before.as_ref() != Some(&after) && !is_back {
        let wanted = AliasMove {
            model: id.name.to_owned(),
            alias: alias.to_owned(),
            version: after.clone(),
        };
        if let Some(message) = desk.missing(connection, &wanted)? {
            return Ok(Some(message));
        }
    }
    connection.execute(
        "INSERT INTO registered_model_aliases (workspace, name, alias, version) \
         VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version",
        &[WORKSPACE.into(), id.name.into(), alias.into(), number.into()],
    )?;
    settle(connection, id.name, alias, number)?;
    let action = if is_back { ALIAS_BACK } else { ALIAS_SET };
    let change = Change::of_model(action, id.name).part("alias", alias);
    desk.auditor.note(connection, vec![change.before(before).after(after)])?;
    Ok(None)
}

/// Removes an alias; removing nothing is no error.
fn delete_alias(
    connection: &mut dyn Connection,
    desk: &Desk,
    AliasId { name, alias }: AliasId<'_>,
) -> Result<()> {
    validate::alias(alias)?;
    find(connection, name)?;
    let before = desk.alias_before(connection, AliasId { name, alias })?;
    if before.is_some() {
        desk.check_stays(name, alias, "it stays")?;
    }
    let removed = connection.execute(
        "DELETE FROM registered_model_aliases \
         WHERE workspace = ?1 AND name = ?2 AND alias = ?3",
        &[WORKSPACE.into(), name.into(), alias.into()],
    )?;
    let change = Change::of_model("alias.delete", name).part("alias", alias).before(before);
    desk.auditor.note(connection, if removed == 0 { Vec::new() } else { vec![change] })
}
