//! Runs a search of traces.

use trainyard_mlflow::entities::TraceInfo;
use trainyard_mlflow::{FilterCounts, Page, SearchTraces};

use super::database::{Connection, Row};
use super::search_runs::experiment_ids;
use super::{page, trace_rows};
use crate::error::Result;
use crate::search::{self, Sql, Style, parse};

/// Most traces of a page.
const RESULTS_MAX: i64 = 500;

/// One page of the traces that match.
pub(crate) fn search(
    connection: &mut dyn Connection,
    request: &SearchTraces,
) -> Result<Page<TraceInfo>> {
    let max_results = request.max_results;
    page::check_max_results(max_results, RESULTS_MAX)?;
    let offset = page::offset(request.page_token.as_deref())?;
    let ids = experiment_ids(&request.experiment_ids)?;
    let expression = parse(&request.filter, Style::Traces)?;
    let mut sql = Sql::new(connection.dialect());
    sql.push(&format!("SELECT {} FROM trace_info t", trace_rows::COLUMNS));
    let terms = search::traces::push_order(&mut sql, &request.order_by)?;
    push_experiments(&mut sql, ids);
    if let Some(expression) = &expression {
        sql.push(" AND ");
        search::traces::push(&mut sql, expression)?;
    }
    sql.push(" ORDER BY ").push(&terms);
    page::push(&mut sql, max_results, offset);
    let found = connection.rows(&sql.text, &sql.values, trace_rows::read)?;
    let page = page::cut(found, offset, max_results);
    let fill = |group: &mut [TraceInfo]| trace_rows::fill(connection, group);
    let (items, next_page_token) = page::fill(page, offset, fill, trace_rows::size)?;
    Ok(Page { items, next_page_token })
}

fn push_experiments(sql: &mut Sql, ids: Vec<i64>) {
    if ids.is_empty() {
        sql.push(" WHERE 1 = 0");
        return;
    }
    sql.push(" WHERE t.experiment_id IN ").push_list(ids);
}

/// How many traces each of two filters finds, and both, within a base filter.
pub(crate) fn count_both(
    connection: &mut dyn Connection,
    experiments: &[String],
    filters: &[String; 2],
    base: &str,
) -> Result<FilterCounts> {
    let [first, second] = filters.each_ref().map(String::as_str);
    let ids = experiment_ids(experiments)?;
    let mut count = |filters: &[&str]| {
        let mut sql = Sql::new(connection.dialect());
        sql.push("SELECT count(*) FROM trace_info t");
        push_experiments(&mut sql, ids.clone());
        for filter in filters {
            if let Some(expression) = parse(filter, Style::Traces)? {
                sql.push(" AND ");
                search::traces::push(&mut sql, &expression)?;
            }
        }
        let number = |row: &dyn Row| row.need_int(0);
        Ok::<_, crate::Error>(connection.first(&sql.text, &sql.values, number)?.unwrap_or_default())
    };
    Ok(FilterCounts {
        total: count(&[base])?,
        first: count(&[base, first])?,
        second: count(&[base, second])?,
        both: count(&[base, first, second])?,
    })
}
