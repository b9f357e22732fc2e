//! Runs a search of logged models.

use serde::{Deserialize, Serialize};
use trainyard_mlflow::entities::LoggedModel;
use trainyard_mlflow::{Error, Page, SearchLoggedModels};

use super::database::Connection;
use super::search_runs::experiment_ids;
use super::{logged_model_rows, page, python};
use crate::error::Result;
use crate::search::logged_models::{OrderField, order_field, push_datasets};
use crate::search::{self, Sql, Style, parse};

const LOGGED_MODELS_DEFAULT: i64 = 50;
/// When a page is asked for without saying how large (`max_results` 0), as upstream.
const LOGGED_MODELS_ZERO: i64 = 100;
const LOGGED_MODELS_MAX: i64 = 50_000;

/// One page of the logged models that match.
pub(crate) fn search(
    connection: &mut dyn Connection,
    request: &SearchLoggedModels,
) -> Result<Page<LoggedModel>> {
    if request.datasets.iter().any(|dataset| dataset.dataset_name.is_empty()) {
        return Err(
            Error::invalid("`dataset_name` in the `datasets` clause must be specified.").into()
        );
    }
    let max_results = match request.max_results {
        None => LOGGED_MODELS_DEFAULT,
        Some(0) => LOGGED_MODELS_ZERO,
        Some(max_results) => max_results,
    };
    page::check_max_results(max_results, LOGGED_MODELS_MAX)?;
    let mut offset = 0;
    if let Some(token) = request.page_token.as_deref().filter(|token| !token.is_empty()) {
        let token = Token::decode(token)?;
        token.check(&Token::of(request, 0))?;
        offset = token.offset.max(0);
    }
    let sql = sql(connection, request, max_results, offset)?;
    let mut items = connection.rows(&sql.text, &sql.values, logged_model_rows::read)?;
    let limit = usize::try_from(max_results).unwrap_or(usize::MAX);
    let next_page_token = if items.len() > limit {
        items.truncate(limit);
        Some(Token::of(request, offset.saturating_add(max_results)).encode()?)
    } else {
        None
    };
    logged_model_rows::fill(connection, &mut items)?;
    Ok(Page { items, next_page_token })
}

fn sql(
    connection: &mut dyn Connection,
    request: &SearchLoggedModels,
    max_results: i64,
    offset: i64,
) -> Result<Sql> {
    let expression = parse(&request.filter, Style::LoggedModels)?;
    let mut sql = Sql::new(connection.dialect());
    sql.push(&format!("SELECT {} FROM logged_models l", logged_model_rows::COLUMNS));
    let terms = push_order(&mut sql, request)?;
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
    page::push(&mut sql, max_results, offset);
    Ok(sql)
}

/// Appends joins of the metrics that are ordered by, and returns the terms of the order.
fn push_order(sql: &mut Sql, request: &SearchLoggedModels) -> Result<String> {
    let mut terms = Vec::new();
    let mut by_creation = false;
    let mut by_id = false;
    for (place, order) in request.order_by.iter().enumerate() {
        let direction = if order.ascending { "ASC" } else { "DESC" };
        match order_field(&order.field_name)? {
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
                if let Some(dataset) = &order.dataset_name {
                    sql.push(" AND y.dataset_name = ").push_value(dataset.clone());
                }
                if let Some(digest) = &order.dataset_digest {
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

/// The token of a page of logged models holds the request it belongs to.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
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

impl Token {
    fn of(request: &SearchLoggedModels, offset: i64) -> Self {
        let orders = request.order_by.iter().map(|order| TokenOrder {
            field_name: order.field_name.clone(),
            ascending: Some(order.ascending),
            dataset_name: order.dataset_name.clone(),
            dataset_digest: order.dataset_digest.clone(),
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
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::invalid(format!("Invalid page token: {token}. {error}")).into())
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
