//! Runs the searches of registered models and of their versions.

use trainyard_mlflow::entities::{ModelVersion, RegisteredModel};
use trainyard_mlflow::{Error, Page, SearchModelVersions, SearchRegisteredModels};

use super::database::Connection;
use super::schema::WORKSPACE;
use super::{model_version_rows, page, registered_model_rows};
use crate::error::Result;
use crate::search::registered_models::{IS_PROMPT, asks_for_prompts};
use crate::search::{self, Expression, Sql, Style, parse};

const REGISTERED_MODELS_DEFAULT: i64 = 100;
const REGISTERED_MODELS_MAX: i64 = 1_000;
const MODEL_VERSIONS_MAX: i64 = 200_000;

/// One page of the registered models that match.
pub(crate) fn registered_models(
    connection: &mut dyn Connection,
    request: &SearchRegisteredModels,
) -> Result<Page<RegisteredModel>> {
    let max_results = request.max_results.unwrap_or(REGISTERED_MODELS_DEFAULT);
    // Upstream answers 0 with an empty page that has a next one.
    if max_results != 0 {
        check_registry_max(max_results, REGISTERED_MODELS_MAX)?;
    }
    let expression = parse(&request.filter, Style::Plain)?;
    let order = search::registered_models::order(&request.order_by)?;
    let offset = page::offset(request.page_token.as_deref())?;
    let mut sql = Sql::new(connection.dialect());
    sql.push(&format!(
        "SELECT {} FROM registered_models m WHERE m.workspace = ",
        registered_model_rows::COLUMNS
    ));
    sql.push_value(WORKSPACE);
    hide_prompts(&mut sql, expression.as_ref(), "registered_model_tags", "m");
    if let Some(expression) = &expression {
        sql.push(" AND ");
        sql.push_expression(expression, &mut |comparison, sql| {
            search::registered_models::push_condition(sql, comparison)
        })?;
    }
    sql.push(" ORDER BY ").push(&order);
    page::push(&mut sql, max_results, offset);
    let found = connection.rows(&sql.text, &sql.values, registered_model_rows::read)?;
    let page = page::cut(found, offset, max_results);
    let fill = |group: &mut [RegisteredModel]| {
        for model in group {
            registered_model_rows::fill(connection, model)?;
            // Upstream's order here, which is another one than that of a single model.
            model.latest_versions.sort_by(|a, b| a.current_stage.cmp(&b.current_stage));
        }
        Ok(())
    };
    let size = |model: &RegisteredModel| {
        let versions = model.latest_versions.iter().map(version_size);
        page::size(&model.tags) + text_size(model.description.as_ref()) + versions.sum::<usize>()
    };
    let (items, next_page_token) = page::fill(page, offset, fill, size)?;
    Ok(Page { items, next_page_token })
}

fn check_registry_max(max_results: i64, at_most: i64) -> Result<()> {
    if max_results < 1 {
        return Err(Error::invalid(format!(
            "Invalid value for max_results. It must be a positive integer, but got {max_results}"
        ))
        .into());
    }
    if max_results > at_most {
        return Err(Error::invalid(format!(
            "Invalid value for request parameter max_results. It must be at most {at_most}, but \
             got value {max_results}"
        ))
        .into());
    }
    Ok(())
}

/// Prompts are kept as registered models with a tag; they are left out unless asked for.
fn hide_prompts(sql: &mut Sql, expression: Option<&Expression>, table: &str, alias: &str) {
    if expression.is_some_and(asks_for_prompts) {
        return;
    }
    sql.push(&format!(
        " AND NOT EXISTS (SELECT 1 FROM {table} p WHERE p.workspace = {alias}.workspace \
         AND p.name = {alias}.name AND p.value = 'true' AND p.\"key\" = "
    ));
    sql.push_value(IS_PROMPT).push(")");
}

/// One page of the model versions that match. Aliases are filled, which upstream leaves out.
pub(crate) fn model_versions(
    connection: &mut dyn Connection,
    request: &SearchModelVersions,
) -> Result<Page<ModelVersion>> {
    let max_results = request.max_results.unwrap_or(MODEL_VERSIONS_MAX);
    check_registry_max(max_results, MODEL_VERSIONS_MAX)?;
    let expression = parse(&request.filter, Style::Plain)?;
    let mut sql = Sql::new(connection.dialect());
    sql.push(&format!(
        "SELECT {} FROM model_versions v WHERE v.current_stage <> 'Deleted_Internal' \
         AND v.workspace = ",
        model_version_rows::COLUMNS
    ));
    sql.push_value(WORKSPACE);
    hide_prompts(&mut sql, expression.as_ref(), "model_version_tags", "v");
    if let Some(expression) = &expression {
        sql.push(" AND ");
        sql.push_expression(expression, &mut |comparison, sql| {
            search::model_versions::push_condition(sql, comparison)
        })?;
    }
    sql.push(" ORDER BY ").push(&search::model_versions::order(&request.order_by)?);
    let offset = page::offset(request.page_token.as_deref())?;
    page::push(&mut sql, max_results, offset);
    let found = connection.rows(&sql.text, &sql.values, model_version_rows::read)?;
    let page = page::cut(found, offset, max_results);
    let fill = |group: &mut [ModelVersion]| {
        for version in group {
            model_version_rows::fill_tags(connection, version)?;
            model_version_rows::fill_aliases(connection, version)?;
        }
        Ok(())
    };
    let (items, next_page_token) = page::fill(page, offset, fill, version_size)?;
    Ok(Page { items, next_page_token })
}

/// What a version takes of a page, about.
fn version_size(version: &ModelVersion) -> usize {
    page::size(&version.tags) + text_size(version.description.as_ref()) + version.source.len()
}

fn text_size(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}
