//! Registered models and prompts, for those who may, and aliases for those to whom they were given.

use std::collections::BTreeMap;

use async_trait::async_trait;
use trainyard_base::service::ReleaseWish;
use trainyard_mlflow::entities::{ModelVersion, RegisteredModel, Tag};
use trainyard_mlflow::{
    AliasId, Error, ErrorCode, Page, RegisteredModels, Result, SearchRegisteredModels, VersionId,
};

use super::guard::{Family, Guarded};
use super::listing::{Asked, visible};
use crate::access::permission::Action;
use crate::access::resource::{ANY, Kind};
use crate::access::rights::{Rights, denied, on, within};
use crate::access::roles_sql;
use crate::access::schema::WORKSPACE;

/// Page of a search that does not say, and the largest.
const PAGE: (i64, i64) = (100, 1000);
/// The kinds of which one has the name.
const FAMILIES: [Kind; 2] = [Kind::RegisteredModel, Kind::Prompt];

/// The stage of a version that is in none.
const NO_STAGE: &str = "None";

/// The answer to whoever moves an alias that is for others.
fn kept(model: &str, alias: &str) -> Error {
    let message = format!(
        "Permission denied: the alias '{alias}' of '{model}' is for those to whom it was granted; ask an administrator for \
         EDIT on registered_model_alias '{model}/{alias}'"
    );
    Error::api(ErrorCode::PermissionDenied, message)
}

impl Guarded {
    /// Leaves out the versions of a model whose versions are kept from the sender.
    fn without_hidden_versions(&self, mut model: RegisteredModel) -> Result<RegisteredModel> {
        let version = on(Family::of(&model).version, ANY, Action::NotDenied);
        if !self.directory.permits(&[version])? {
            model.latest_versions.clear();
        }
        Ok(model)
    }

    /// Requires that an alias may be moved: by whom it was given to, and one that is nobody's in particular by
    /// whoever may do `action` with the model.
    pub(super) async fn alias(&self, model: &str, alias: &str, action: Action) -> Result<()> {
        let family = self.family(model).await;
        let family = family.map_err(|error| self.missing_model(model, action, error))?;
        self.alias_of(family, model, alias, action)
    }

    /// The same of a model that was looked at.
    pub(super) fn alias_of(
        &self,
        family: Family,
        model: &str,
        alias: &str,
        action: Action,
    ) -> Result<()> {
        let otherwise = [
            on(family.model, model, action),
            within(family.version, Action::Read, (family.model, model)),
        ];
        let readable = [on(family.model, model, Action::Read)];
        let look = |rights: &Rights<'_>| {
            let may = rights.permit(&otherwise);
            (rights.permit(&readable), rights.may_move(model, alias, may), may)
        };
        match self.directory.rights(look)? {
            (true, true, _) => Ok(()),
            (_, _, false) | (false, _, _) => Err(denied()),
            (true, false, true) => Err(kept(model, alias)),
        }
    }

    /// Refuses to make a prompt of a model, or the other way round: what was granted on it, and kept from others, would be of
    /// a kind that it is not of any more.
    fn stays(&self, is: Family, becomes: Family) -> Result<()> {
        if is == becomes || self.sees_everything()? {
            return Ok(());
        }
        let message = "Permission denied: only an administrator makes a prompt of a registered model, or the other way \
                       round: what was granted on it would not count any more";
        Err(Error::api(ErrorCode::PermissionDenied, message))
    }

    /// Requires that a model may have another name: one that whoever renames it may make a model of, and of which no alias
    /// or stage that comes with it is for others. Or what clients ask for by that name would be somebody else's choice.
    fn may_take_name(&self, model: &RegisteredModel, new_name: &str) -> Result<()> {
        let aliases = model.aliases.iter().map(|alias| alias.alias.as_str());
        let stages = model.latest_versions.iter().map(|version| version.current_stage.as_str());
        let mut pointing = aliases.chain(stages.filter(|stage| *stage != NO_STAGE));
        let look = |rights: &Rights<'_>| {
            if !rights.may_make(Family::of(model).model, new_name) {
                return Err(denied());
            }
            let foreign = pointing.find(|alias| !rights.may_bring(new_name, alias));
            foreign.map_or(Ok(()), |alias| Err(kept(new_name, alias)))
        };
        self.directory.rights(look)?
    }
}

#[async_trait]
impl RegisteredModels for Guarded {
    async fn health(&self) -> Result<()> {
        self.inner.registered_models.health().await
    }

    async fn create(
        &self,
        name: &str,
        tags: &[Tag],
        description: Option<&str>,
    ) -> Result<RegisteredModel> {
        let kind = Family::of_tags(tags).model;
        if !self.directory.rights(|rights| rights.may_make(kind, name))? {
            return Err(denied());
        }
        let model = self.inner.registered_models.create(name, tags, description).await?;
        self.give_to_creator(kind, name).await?;
        Ok(model)
    }

    async fn get(&self, name: &str) -> Result<RegisteredModel> {
        let found = self.inner.registered_models.get(name).await;
        let model = found.map_err(|error| self.missing_model(name, Action::Read, error))?;
        self.directory.require(&[on(Family::of(&model).model, name, Action::Read)])?;
        self.without_hidden_versions(model)
    }

    async fn tags_of(&self, names: Vec<String>) -> Result<BTreeMap<String, Vec<Tag>>> {
        let mut tags = self.inner.registered_models.tags_of(names).await?;
        let look = |rights: &Rights<'_>| {
            tags.retain(|name, tags| {
                rights.permit(&[on(Family::of_tags(tags).model, name, Action::Read)])
            });
        };
        self.directory.rights(look)?;
        Ok(tags)
    }

    async fn rename(&self, name: &str, new_name: &str) -> Result<RegisteredModel> {
        self.model(name, Action::Update).await?;
        if new_name != name && !self.sees_everything()? {
            self.may_take_name(&self.inner.registered_models.get(name).await?, new_name)?;
        }
        let model = self.inner.registered_models.rename(name, new_name).await?;
        let names = (name.to_owned(), new_name.to_owned());
        self.directory
            .change(move |connection| {
                let names = (names.0.as_str(), names.1.as_str());
                for kind in FAMILIES {
                    roles_sql::rename(connection, WORKSPACE, kind, names)?;
                }
                roles_sql::rename_aliases(connection, names)
            })
            .await?;
        Ok(model)
    }

    async fn update(&self, name: &str, description: Option<&str>) -> Result<RegisteredModel> {
        self.model(name, Action::Update).await?;
        let model = self.inner.registered_models.update(name, description).await?;
        self.without_hidden_versions(model)
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let family = self.model_there(name, Action::Delete).await?;
        let versions = within(family.version, Action::Delete, (family.model, name));
        self.directory.require(&[versions])?;
        self.inner.registered_models.delete(name).await?;
        let name = name.to_owned();
        self.directory
            .change(move |connection| {
                for kind in FAMILIES {
                    roles_sql::forget(connection, WORKSPACE, kind, &name)?;
                }
                Ok(())
            })
            .await
    }

    async fn search(&self, search: SearchRegisteredModels) -> Result<Page<RegisteredModel>> {
        if self.sees_everything()? {
            return self.inner.registered_models.search(search).await;
        }
        let (default, largest) = PAGE;
        let asked = Asked {
            page_token: search.page_token.as_deref(),
            max_results: search.max_results,
            default,
            largest,
        };
        let next = |max_results, page_token| {
            let page = SearchRegisteredModels { max_results, page_token, ..search.clone() };
            self.inner.registered_models.search(page)
        };
        let mut page = visible(&asked, next, |model: &RegisteredModel| {
            self.directory.permits(&[on(Family::of(model).model, &model.name, Action::Read)])
        })
        .await?;
        let models = std::mem::take(&mut page.items).into_iter();
        page.items =
            models.map(|model| self.without_hidden_versions(model)).collect::<Result<_>>()?;
        Ok(page)
    }

    async fn set_tag(&self, name: &str, tag: Tag) -> Result<()> {
        let family = self.model(name, Action::Update).await?;
        self.stays(family, family.with_tag(&tag.key, Some(&tag.value)))?;
        // The alias moves by the account of whoever does what is asked for.
        let asked = ReleaseWish::of_tag(&tag.key, &tag.value).and_then(|wish| wish.what.alias());
        if let Some(alias) = asked {
            self.alias(name, alias, Action::Update).await?;
        }
        self.inner.registered_models.set_tag(name, tag).await
    }

    async fn delete_tag(&self, name: &str, key: &str) -> Result<()> {
        let family = self.model(name, Action::Update).await?;
        self.stays(family, family.with_tag(key, None))?;
        self.inner.registered_models.delete_tag(name, key).await
    }

    async fn set_alias(&self, version: VersionId<'_>, alias: &str) -> Result<()> {
        self.alias(version.name, alias, Action::Update).await?;
        self.inner.registered_models.set_alias(version, alias).await
    }

    async fn delete_alias(&self, alias: AliasId<'_>) -> Result<()> {
        self.alias(alias.name, alias.alias, Action::Delete).await?;
        self.inner.registered_models.delete_alias(alias).await
    }

    async fn get_by_alias(&self, alias: AliasId<'_>) -> Result<ModelVersion> {
        self.versions(alias.name, Action::Read).await?;
        self.inner.registered_models.get_by_alias(alias).await
    }

    async fn get_latest_versions(
        &self,
        name: &str,
        stages: &[String],
    ) -> Result<Vec<ModelVersion>> {
        self.versions(name, Action::Read).await?;
        self.inner.registered_models.get_latest_versions(name, stages).await
    }
}
