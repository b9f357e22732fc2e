//! Runs a search of runs: decides which table to start from and reads one page.
//!
//! Ordered by a metric, the page is read off the index of the metric's latest values, so that a
//! search of a million runs looks at a few hundred. That is only good when the experiments hold a
//! fair part of the runs that have the metric; otherwise all runs of the experiments are sorted.

use trainyard_mlflow::entities::{Run, ViewType};
use trainyard_mlflow::{Error, Page, SearchRuns, Wanted};

use super::database::Connection;
use super::page::{self, check_max_results};
use super::{run_data, run_rows, run_values, validate};
use crate::error::Result;
use crate::search::runs::{Condition, Field, OrderBy, Test, order};
use crate::search::runs_sql::{
    Filter, filter, is_indexed, passes_nan, push_entry, push_rest, table,
};
use crate::search::{Sql, Style, parse};

const RESULTS_DEFAULT: i64 = 1_000;
const RESULTS_MAX: i64 = 50_000;
/// Rows that are counted to choose a plan: a share of all runs, as a wrong choice among few costs
/// little, and so many at most, which takes a quarter of a millisecond.
const COUNTED_SHARE: i64 = 20;
const COUNTED_MAX: i64 = 5_000;
/// Experiments of one search: each is a placeholder.
const EXPERIMENTS_MAX: usize = 10_000;

/// Experiments that a search looks into.
pub(crate) fn experiment_ids(texts: &[String]) -> Result<Vec<i64>> {
    if texts.len() > EXPERIMENTS_MAX {
        return Err(Error::invalid(format!(
            "at most {EXPERIMENTS_MAX} experiments can be searched at once, got {}",
            texts.len()
        ))
        .into());
    }
    texts.iter().map(|text| validate::experiment_id(text)).collect()
}

/// One page of the runs that match, with all that was logged to them, or what is wanted of it.
pub(crate) fn search(
    connection: &mut dyn Connection,
    request: &SearchRuns,
    wanted: Option<&Wanted>,
) -> Result<Page<Run>> {
    let max_results = request.max_results.unwrap_or(RESULTS_DEFAULT);
    check_max_results(max_results, RESULTS_MAX)?;
    let expression = parse(&request.filter, Style::Runs)?;
    let orders = order(&request.order_by)?;
    let search = Search {
        filter: filter(expression)?,
        orders,
        view_type: request.view_type,
        experiment_ids: experiment_ids(&request.experiment_ids)?,
    };
    let offset = page::offset(request.page_token.as_deref())?;
    if search.experiment_ids.is_empty() {
        return Ok(Page::default());
    }
    let found = search.read(connection, max_results + 1, offset)?;
    let (mut runs, token) = page::cut(found, offset, max_results);
    if let Some(Wanted::Values(keys)) = wanted {
        run_values::fill(connection, &mut runs, keys)?;
        return Ok(Page { items: runs, next_page_token: token });
    }
    let page = (runs, token);
    let fill = |runs: &mut [Run]| match wanted {
        None => run_data::fill(connection, runs),
        Some(Wanted::Metrics(keys)) => run_data::fill_some(connection, runs, keys),
        Some(Wanted::Values(_) | Wanted::Nothing) => Ok(()),
    };
    let (items, next_page_token) = page::fill(page, offset, fill, size)?;
    Ok(Page { items, next_page_token })
}

/// What a run takes of a page, about.
fn size(run: &Run) -> usize {
    let metrics: usize = run.data.metrics.iter().map(|metric| metric.key.len() + 96).sum();
    let datasets = run.inputs.dataset_inputs.iter().map(|input| {
        let dataset = &input.dataset;
        let texts = [&dataset.schema, &dataset.profile].into_iter().flatten().map(String::len);
        dataset.source.len() + texts.sum::<usize>() + page::size(&input.tags)
    });
    metrics + page::size(&run.data.params) + page::size(&run.data.tags) + datasets.sum::<usize>()
}

/// Number of the runs that match.
pub(crate) fn count(connection: &mut dyn Connection, request: &SearchRuns) -> Result<i64> {
    let search = Search {
        filter: filter(parse(&request.filter, Style::Runs)?)?,
        orders: Vec::new(),
        view_type: request.view_type,
        experiment_ids: experiment_ids(&request.experiment_ids)?,
    };
    if search.experiment_ids.is_empty() {
        return Ok(0);
    }
    let mut sql = Sql::new(connection.dialect());
    sql.push("SELECT count(*)");
    search.push_from(&mut sql, Driver::Runs)?;
    Ok(connection.first(&sql.text, &sql.values, |row| row.need_int(0))?.unwrap_or_default())
}

struct Search {
    filter: Filter,
    orders: Vec<OrderBy>,
    view_type: ViewType,
    experiment_ids: Vec<i64>,
}

/// A condition that is joined.
struct Join<'a> {
    alias: String,
    table: &'static str,
    key: &'a str,
    condition: &'a Condition,
}

/// The table that a query starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    Runs,
    /// A joined condition, by its place.
    Join(usize),
    /// The metric that is ordered by first, in one of three parts that follow each other.
    Ordered(Part),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Numbers,
    Nan,
    Missing,
}

impl Search {
    fn read(&self, connection: &mut dyn Connection, limit: i64, offset: i64) -> Result<Vec<Run>> {
        match self.choose(connection, limit.saturating_add(offset))? {
            Driver::Ordered(_part) => self.read_parts(connection, limit, offset),
            driver => self.query(connection, driver, limit, offset),
        }
    }

    /// The metric that decides the order, if one does.
    fn ordering_metric(&self) -> Option<&str> {
        match self.orders.first().map(|order| &order.field) {
            Some(Field::Metric(key)) => Some(key),
            _ => None,
        }
    }

    /// The joined condition on the metric that decides the order.
    fn ordering_join(&self) -> Option<(usize, &Condition)> {
        let key = self.ordering_metric()?;
        self.filter
            .joins
            .iter()
            .enumerate()
            .find(|(_place, join)| matches!(&join.field, Field::Metric(name) if name == key))
    }

    /// Compares, roughly, how many rows each way of searching looks at.
    fn choose(&self, connection: &mut dyn Connection, wanted: i64) -> Result<Driver> {
        let by_metric = self.ordering_metric();
        let mut indexed = self.filter.joins.iter().enumerate().filter(|(_, join)| is_indexed(join));
        if by_metric.is_none() && indexed.next().is_none() {
            return Ok(Driver::Runs);
        }
        let sql = connection.dialect().table_size("runs");
        let all = connection.first(&sql, &[], |row| row.int(0))?.flatten().unwrap_or_default();
        // PostgreSQL does not know the size of a table that was never analysed.
        let bound =
            if all > 0 { (all / COUNTED_SHARE).clamp(100, COUNTED_MAX) } else { COUNTED_MAX };
        // Beyond the bound it may as well be all runs.
        let estimate = |counted: i64| if counted < bound { counted } else { all.max(counted) };
        let in_scope = estimate(self.count_in_scope(connection, bound)?);
        let mut cost = in_scope;
        let mut driver = Driver::Runs;
        // The condition that the fewest rows satisfy.
        let mut fewest = in_scope;
        for (place, join) in self.filter.joins.iter().enumerate() {
            if is_indexed(join) {
                let count = count_entries(connection, join, bound)?;
                fewest = fewest.min(estimate(count));
                if count < cost.min(bound) {
                    cost = count;
                    driver = Driver::Join(place);
                }
            }
        }
        if let Some(key) = by_metric {
            let with_metric = match self.ordering_join() {
                Some((_place, join)) => count_entries(connection, join, bound)?,
                None => count_metric(connection, key, bound)?,
            };
            // How many values are looked at until enough of them are of these experiments and
            // satisfy the conditions.
            let with_metric = estimate(with_metric);
            let looked_at = wanted.saturating_mul(in_scope.max(with_metric)) / fewest.max(1);
            let looked_at = looked_at.min(with_metric);
            if looked_at < cost {
                driver = Driver::Ordered(Part::Numbers);
            }
        }
        Ok(driver)
    }

    /// Runs of the experiments, counted up to a bound.
    fn count_in_scope(&self, connection: &mut dyn Connection, bound: i64) -> Result<i64> {
        let mut sql = Sql::new(connection.dialect());
        sql.push("SELECT count(*) FROM (SELECT 1 FROM runs WHERE experiment_id IN ");
        sql.push_list(self.experiment_ids.iter().copied());
        count_some(connection, sql, bound)
    }

    /// Numbers in order, then NaN, then runs without the metric.
    fn read_parts(
        &self,
        connection: &mut dyn Connection,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Run>> {
        let parts: &[Part] = match self.ordering_join() {
            Some((_place, join)) if passes_nan(&join.test) => &[Part::Numbers, Part::Nan],
            Some(_join) => &[Part::Numbers],
            None => &[Part::Numbers, Part::Nan, Part::Missing],
        };
        let mut found = Vec::new();
        let mut skip = offset;
        for part in parts {
            let wanted = limit - found.len() as i64;
            if wanted <= 0 {
                break;
            }
            let rows = self.query(connection, Driver::Ordered(*part), wanted, skip)?;
            if !rows.is_empty() {
                skip = 0;
            } else if skip > 0 {
                let mut sql = Sql::new(connection.dialect());
                sql.push("SELECT count(*)");
                self.push_from(&mut sql, Driver::Ordered(*part))?;
                let count = connection.first(&sql.text, &sql.values, |row| row.need_int(0))?;
                skip = (skip - count.unwrap_or_default()).max(0);
            }
            found.extend(rows);
        }
        Ok(found)
    }

    fn query(
        &self,
        connection: &mut dyn Connection,
        driver: Driver,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Run>> {
        let mut sql = Sql::new(connection.dialect());
        sql.push("SELECT ").push(run_rows::COLUMNS);
        self.push_from(&mut sql, driver)?;
        self.push_order(&mut sql, driver);
        sql.push(" LIMIT ").push_value(limit).push(" OFFSET ").push_value(offset);
        connection.rows(&sql.text, &sql.values, run_rows::read)
    }

    /// Appends FROM and WHERE. CROSS JOIN makes SQLite take the tables in this order: the one that
    /// the query starts from, the conditions, which drop rows at the price of one look into an index,
    /// and then the runs.
    fn push_from(&self, sql: &mut Sql, driver: Driver) -> Result<()> {
        let mut joins = self.joins(driver);
        // Equal texts are rarer than numbers within a range.
        joins.sort_by_key(|join| !matches!(join.condition.test, Test::Text(..)));
        let start = match driver {
            Driver::Runs | Driver::Ordered(Part::Missing) => "r".to_owned(),
            Driver::Join(place) => format!("j{place}"),
            Driver::Ordered(_part) => "o0".to_owned(),
        };
        let table = joins.iter().find(|join| join.alias == start).map(|join| join.table);
        sql.push(&match (start.as_str(), table) {
            ("r", _) => " FROM runs r".to_owned(),
            (_, table) => format!(" FROM {} {start}", table.unwrap_or("latest_metrics")),
        });
        for join in joins.iter().filter(|join| join.alias != start) {
            sql.push(&format!(" CROSS JOIN {} {}", join.table, join.alias));
        }
        if start != "r" {
            sql.push(" CROSS JOIN runs r");
        }
        self.push_order_joins(sql, driver);
        sql.push(" WHERE r.experiment_id ");
        // An equality lets the index deliver the order; a list does not.
        if let [only] = self.experiment_ids.as_slice() {
            sql.push("= ").push_value(*only);
        } else {
            sql.push("IN ").push_list(self.experiment_ids.iter().copied());
        }
        match self.view_type {
            ViewType::ActiveOnly => sql.push(" AND r.lifecycle_stage = 'active'"),
            ViewType::DeletedOnly => sql.push(" AND r.lifecycle_stage = 'deleted'"),
            ViewType::All => sql,
        };
        if start != "r" {
            sql.push(&format!(" AND r.run_uuid = {start}.run_uuid"));
        }
        if let (Driver::Ordered(part), Some(key)) = (driver, self.ordering_metric()) {
            push_part(sql, part, key);
        }
        for Join { alias, key, condition, .. } in joins {
            if alias != start {
                sql.push(&format!(" AND {alias}.run_uuid = {start}.run_uuid"));
            }
            sql.push(" AND ");
            push_entry(sql, &alias, key, &condition.field, &condition.test);
        }
        push_rest(sql, &self.filter)
    }

    /// The joined conditions, each with its alias.
    fn joins(&self, driver: Driver) -> Vec<Join<'_>> {
        let ordering = self.ordering_join().map(|(place, _join)| place);
        let alias = |place| {
            // The metric that is ordered by is read once.
            let is_order = matches!(driver, Driver::Ordered(_)) && ordering == Some(place);
            if is_order { "o0".to_owned() } else { format!("j{place}") }
        };
        let joins = self.filter.joins.iter().enumerate();
        joins
            .filter_map(|(place, condition)| {
                let (table, key) = table(&condition.field)?;
                Some(Join { alias: alias(place), table, key, condition })
            })
            .collect()
    }

    /// Appends joins of the values that are ordered by, which a run may lack.
    fn push_order_joins(&self, sql: &mut Sql, driver: Driver) {
        let done = usize::from(matches!(driver, Driver::Ordered(_)));
        for (place, order) in self.orders.iter().enumerate().skip(done) {
            if let Some((table, key)) = order.table() {
                sql.push(&format!(
                    " LEFT JOIN {table} o{place} ON o{place}.run_uuid = r.run_uuid \
                     AND o{place}.\"key\" = "
                ));
                sql.push_value(key.to_owned());
            }
        }
    }

    fn push_order(&self, sql: &mut Sql, driver: Driver) {
        let mut terms = Vec::new();
        let mut by_start = false;
        for (place, order) in self.orders.iter().enumerate() {
            let direction = if order.ascending { "ASC" } else { "DESC" };
            match (&order.field, driver) {
                (Field::Metric(_), Driver::Ordered(part)) if place == 0 => {
                    if part == Part::Numbers {
                        terms.push(format!("o0.value {direction}"));
                    }
                }
                (Field::Metric(_), _) => {
                    let truth = sql.dialect().truth(true);
                    terms.push(format!(
                        "CASE WHEN o{place}.is_nan = {truth} THEN 1 \
                         WHEN o{place}.value IS NULL THEN 2 ELSE 0 END, o{place}.value {direction}"
                    ));
                }
                (Field::Param(_) | Field::Tag(_), _) => {
                    terms.push(format!("o{place}.value {direction} NULLS LAST"));
                }
                (Field::Attribute(name), _) => {
                    by_start |= *name == "start_time";
                    let column = order.column().unwrap_or("r.run_uuid");
                    terms.push(format!("{column} {direction} NULLS LAST"));
                }
                (Field::Dataset(_), _) => {}
            }
        }
        if !by_start {
            terms.push("r.start_time DESC".to_owned());
        }
        terms.push("r.run_uuid".to_owned());
        sql.push(" ORDER BY ").push(&terms.join(", "));
    }
}

/// Rows that satisfy a condition, counted up to a bound.
fn count_entries(
    connection: &mut dyn Connection,
    condition: &Condition,
    bound: i64,
) -> Result<i64> {
    let Some((table, key)) = table(&condition.field) else { return Ok(bound) };
    let mut sql = Sql::new(connection.dialect());
    sql.push(&format!("SELECT count(*) FROM (SELECT 1 FROM {table} x WHERE "));
    push_entry(&mut sql, "x", key, &condition.field, &condition.test);
    count_some(connection, sql, bound)
}

/// Runs that have a metric, counted up to a bound.
fn count_metric(connection: &mut dyn Connection, key: &str, bound: i64) -> Result<i64> {
    let mut sql = Sql::new(connection.dialect());
    sql.push("SELECT count(*) FROM (SELECT 1 FROM latest_metrics x WHERE x.\"key\" = ");
    sql.push_value(key.to_owned());
    count_some(connection, sql, bound)
}

/// Rows of a query that is open behind `FROM (`.
fn count_some(connection: &mut dyn Connection, mut sql: Sql, bound: i64) -> Result<i64> {
    sql.push(" LIMIT ").push_value(bound).push(") x");
    Ok(connection.first(&sql.text, &sql.values, |row| row.need_int(0))?.unwrap_or_default())
}

fn push_part(sql: &mut Sql, part: Part, key: &str) {
    let nan = match part {
        Part::Missing => {
            sql.push(
                " AND NOT EXISTS (SELECT 1 FROM latest_metrics x \
                 WHERE x.run_uuid = r.run_uuid AND x.\"key\" = ",
            );
            sql.push_value(key.to_owned()).push(")");
            return;
        }
        Part::Numbers => sql.dialect().truth(false),
        Part::Nan => sql.dialect().truth(true),
    };
    sql.push(&format!(" AND o0.is_nan = {nan} AND o0.\"key\" = "));
    sql.push_value(key.to_owned());
}
