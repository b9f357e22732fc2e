//! Runs a search of experiments.

use trainyard_mlflow::entities::{Experiment, ViewType};
use trainyard_mlflow::{Page, SearchExperiments};

use super::database::Connection;
use super::schema::WORKSPACE;
use super::{experiment_rows, page};
use crate::error::Result;
use crate::search::{self, Sql, Style, parse};

const EXPERIMENTS_DEFAULT: i64 = 1_000;
const EXPERIMENTS_MAX: i64 = 50_000;

/// One page of the experiments that match.
pub(crate) fn search(
    connection: &mut dyn Connection,
    request: &SearchExperiments,
) -> Result<Page<Experiment>> {
    let max_results = request.max_results.unwrap_or(EXPERIMENTS_DEFAULT);
    page::check_max_results(max_results, EXPERIMENTS_MAX)?;
    let expression = parse(&request.filter, Style::Plain)?;
    let mut sql = Sql::new(connection.dialect());
    sql.push(&format!(
        "SELECT {} FROM experiments e WHERE e.workspace = ",
        experiment_rows::COLUMNS
    ));
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
    page::push(&mut sql, max_results, offset);
    let found = connection.rows(&sql.text, &sql.values, experiment_rows::read)?;
    let page = page::cut(found, offset, max_results);
    let fill = |group: &mut [Experiment]| experiment_rows::fill_tags(connection, group);
    let size = |experiment: &Experiment| page::size(&experiment.tags);
    let (items, next_page_token) = page::fill(page, offset, fill, size)?;
    Ok(Page { items, next_page_token })
}
