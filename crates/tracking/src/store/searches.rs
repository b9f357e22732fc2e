//! Runs the searches of experiments, logged models, registered models and model versions.

use serde::{Deserialize, Serialize};
use trainyard_mlflow::entities::{
    Experiment, LoggedModel, ModelVersion, RegisteredModel, ViewType,
};
use trainyard_mlflow::{
    Error, Page, SearchExperiments, SearchLoggedModels, SearchModelVersions, SearchRegisteredModels,
};

use super::database::Connection;
use super::schema::WORKSPACE;
use super::search_runs::{check_max_results, experiment_ids};
use super::{experiments, logged_models, model_versions, page, python, registered_models};
use crate::error::Result;
use crate::search::logged_models::{OrderField, order_field, push_datasets};
use crate::search::registered_models::{IS_PROMPT, asks_for_prompts};
use crate::search::{self, Expression, Sql, Style, parse};

const EXPERIMENTS_DEFAULT: i64 = 1_000;
const EXPERIMENTS_MAX: i64 = 50_000;
const LOGGED_MODELS_DEFAULT: i64 = 50;
/// When a page is asked for without saying how large (`max_results` 0), as upstream.
const LOGGED_MODELS_ZERO: i64 = 100;
const LOGGED_MODELS_MAX: i64 = 50_000;
const REGISTERED_MODELS_DEFAULT: i64 = 100;
const REGISTERED_MODELS_MAX: i64 = 1_000;
const MODEL_VERSIONS_MAX: i64 = 200_000;

/// One page of the experiments that match.
pub(crate) fn experiments(
    connection: &mut dyn Connection,
    request: &SearchExperiments,
) -> Result<Page<Experiment>> {
    let max_results = request.max_results.unwrap_or(EXPERIMENTS_DEFAULT);
    check_max_results(max_results, EXPERIMENTS_MAX)?;
    let expression = parse(&request.filter, Style::Plain)?;
    let mut sql = Sql::new(connection.dialect());
    sql.push(&format!("SELECT {} FROM experiments e WHERE e.workspace = ", experiments::COLUMNS));
    sql.push_value(WORKSPACE);
    sql.push(match request.view_type {
        ViewType::ActiveOnly => " AND e.lifecycle_stage = 'active'",
        ViewType::DeletedOnly => " AND e.lifecycle_stage = 'deleted'",
        ViewType::All => "",
    });
    if let Some(expression) = &expression {
        sql.push(" AND ");
        sql.push_expression(expression, &mut |comparison, sql| {
            search::experiments::push_condition(sql, comparison)
        })?;
    }
    sql.push(" ORDER BY ").push(&search::experiments::order(&request.order_by)?);
    let offset = page::offset(request.page_token.as_deref())?;
    push_page(&mut sql, max_results, offset);
    let found = connection.rows(&sql.text, &sql.values, experiments::read)?;
    let page = page::cut(found, offset, max_results);
    let fill = |group: &mut [Experiment]| experiments::fill_tags(connection, group);
    let size = |experiment: &Experiment| page::size(&experiment.tags);
    let (items, next_page_token) = page::fill(page, offset, fill, size)?;
    Ok(Page { items, next_page_token })
}

fn push_page(sql: &mut Sql, max_results: i64, offset: i64) {
    sql.push(" LIMIT ").push_value(max_results + 1).push(" OFFSET ").push_value(offset);
}

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
        registered_models::COLUMNS
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
    push_page(&mut sql, max_results, offset);
    let found = connection.rows(&sql.text, &sql.values, registered_models::read)?;
    let page = page::cut(found, offset, max_results);
    let fill = |group: &mut [RegisteredModel]| {
        for model in group {
            registered_models::fill(connection, model)?;
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
        model_versions::COLUMNS
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
    push_page(&mut sql, max_results, offset);
    let found = connection.rows(&sql.text, &sql.values, model_versions::read)?;
    let page = page::cut(found, offset, max_results);
    let fill = |group: &mut [ModelVersion]| {
        for version in group {
            model_versions::fill_tags(connection, version)?;
            model_versions::fill_aliases(connection, version)?;
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

/// The token of a page of logged models holds the request it belongs to.
#[derive(Debug, Serialize, Deserialize)]
struct LoggedModelsToken {
    #[serde(default)]
    experiment_ids: Vec<String>,
    #[serde(default)]
    filter_string: Option<String>,
    #[serde(default)]
    order_by: Option<Vec<TokenOrder>>,
    #[serde(default)]
    offset: i64,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TokenOrder {
    field_name: String,
    #[serde(default)]
    ascending: Option<bool>,
    #[serde(default)]
    dataset_name: Option<String>,
    #[serde(default)]
    dataset_digest: Option<String>,
}

impl LoggedModelsToken {
    fn of(request: &SearchLoggedModels, offset: i64) -> Self {
        let orders = request.order_by.iter().map(|(field, ascending, name, digest)| TokenOrder {
            field_name: field.clone(),
            ascending: Some(*ascending),
            dataset_name: name.clone(),
            dataset_digest: digest.clone(),
        });
        Self {
            experiment_ids: request.experiment_ids.clone(),
            filter_string: Some(request.filter.clone()).filter(|filter| !filter.is_empty()),
            order_by: Some(orders.collect::<Vec<_>>()).filter(|orders| !orders.is_empty()),
            offset,
        }
    }

    fn encode(&self) -> Result<String> {
        use base64::Engine as _;
        let json = python::spaced_json(self)
            .map_err(|error| crate::Error::database(format!("no page token: {error}")))?;
        Ok(base64::engine::general_purpose::STANDARD.encode(json))
    }

    fn decode(token: &str) -> Result<Self> {
        let bytes = page::decode(token)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let text = String::from_utf8_lossy(&bytes);
            Error::invalid(format!("Invalid page token: {text}. {error}")).into()
        })
    }

    /// Refuses a token that was made for another request.
    fn check(&self, request: &Self) -> Result<()> {
        let wrong = |what: &str, plural: &str| {
            Err(Error::invalid(format!(
                "{what} in the page token {plural} not match the requested {}.",
                what.to_lowercase()
            ))
            .into())
        };
        if self.experiment_ids != request.experiment_ids {
            return wrong("Experiment IDs", "do");
        }
        if self.filter_string != request.filter_string {
            return wrong("Filter string", "does");
        }
        if self.order_by != request.order_by {
            return wrong("Order by", "does");
        }
        Ok(())
    }
}

/// One page of the logged models that match.
pub(crate) fn logged_models(
    connection: &mut dyn Connection,
    request: &SearchLoggedModels,
) -> Result<Page<LoggedModel>> {
    if request.datasets.iter().any(|(name, _digest)| name.is_empty()) {
        return Err(
            Error::invalid("`dataset_name` in the `datasets` clause must be specified.").into()
        );
    }
    let max_results = match request.max_results {
        None => LOGGED_MODELS_DEFAULT,
        Some(0) => LOGGED_MODELS_ZERO,
        Some(max_results) => max_results,
    };
    check_max_results(max_results, LOGGED_MODELS_MAX)?;
    let mut offset = 0;
    if let Some(token) = request.page_token.as_deref().filter(|token| !token.is_empty()) {
        let token = LoggedModelsToken::decode(token)?;
        token.check(&LoggedModelsToken::of(request, 0))?;
        offset = token.offset.max(0);
    }
    let sql = logged_models_sql(connection, request, max_results, offset)?;
    let mut items = connection.rows(&sql.text, &sql.values, logged_models::read)?;
    let limit = usize::try_from(max_results).unwrap_or(usize::MAX);
    let next_page_token = if items.len() > limit {
        items.truncate(limit);
        Some(LoggedModelsToken::of(request, offset.saturating_add(max_results)).encode()?)
    } else {
        None
    };
    logged_models::fill(connection, &mut items)?;
    Ok(Page { items, next_page_token })
}

fn logged_models_sql(
    connection: &mut dyn Connection,
    request: &SearchLoggedModels,
    max_results: i64,
    offset: i64,
) -> Result<Sql> {
    let expression = parse(&request.filter, Style::LoggedModels)?;
    let mut sql = Sql::new(connection.dialect());
    sql.push(&format!("SELECT {} FROM logged_models l", logged_models::COLUMNS));
    let terms = push_logged_models_order(&mut sql, request)?;
    sql.push(" WHERE l.lifecycle_stage <> 'deleted' AND l.experiment_id IN ");
    sql.push_list(experiment_ids(&request.experiment_ids)?);
    let mut met_metric = false;
    if let Some(expression) = &expression {
        sql.push(" AND ");
        sql.push_expression(expression, &mut |comparison, sql| {
            let datasets = &request.datasets;
            search::logged_models::push_condition(sql, comparison, datasets, &mut met_metric)
        })?;
    }
    if !met_metric && !request.datasets.is_empty() {
        sql.push(" AND EXISTS (SELECT 1 FROM logged_model_metrics x WHERE x.model_id = l.model_id");
        push_datasets(&mut sql, &request.datasets, false);
        sql.push(")");
    }
    sql.push(" ORDER BY ").push(&terms);
    push_page(&mut sql, max_results, offset);
    Ok(sql)
}

/// Appends joins of the metrics that are ordered by, and returns the terms of the order.
fn push_logged_models_order(sql: &mut Sql, request: &SearchLoggedModels) -> Result<String> {
    let mut terms = Vec::new();
    let mut by_creation = false;
    let mut by_id = false;
    for (place, (field, ascending, dataset, digest)) in request.order_by.iter().enumerate() {
        let direction = if *ascending { "ASC" } else { "DESC" };
        match order_field(field)? {
            OrderField::Column(column) => {
                by_creation |= column == "l.creation_timestamp_ms";
                by_id |= column == "l.model_id";
                terms.push(format!("{column} {direction} NULLS LAST"));
            }
            OrderField::Metric(key) => {
                // The newest value of each model.
                sql.push(
                    " LEFT JOIN (SELECT y.model_id, y.metric_value, row_number() OVER (\
                     PARTITION BY y.model_id ORDER BY y.metric_timestamp_ms DESC, \
                     y.metric_step DESC, y.run_id) AS place FROM logged_model_metrics y \
                     WHERE y.metric_name = ",
                );
                sql.push_value(key);
                if let Some(dataset) = dataset {
                    sql.push(" AND y.dataset_name = ").push_value(dataset.clone());
                }
                if let Some(digest) = digest {
                    sql.push(" AND y.dataset_digest = ").push_value(digest.clone());
                }
                sql.push(&format!(
                    ") o{place} ON o{place}.model_id = l.model_id AND o{place}.place = 1"
                ));
                terms.push(format!("o{place}.metric_value {direction} NULLS LAST"));
            }
        }
    }
    if !by_creation {
        terms.push("l.creation_timestamp_ms DESC".to_owned());
    }
    if !by_id {
        terms.push("l.model_id ASC".to_owned());
    }
    Ok(terms.join(", "))
}
