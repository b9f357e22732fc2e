//! What conditions on runs mean in SQL.
//!
//! Conditions that all must hold and that name a metric, param or tag become joins, which the
//! database can start from; all others become conditions on the run. A run that has no value under
//! a key fails every comparison with it, whatever the operator, and so matches its `NOT`.

use super::runs::{Condition, Field, PREFIX, Test, column, resolve};
use super::sql::Sql;
use super::syntax::Expression;
use crate::error::Result;

/// The tag that is a run's name as well.
pub(crate) const RUN_NAME: &str = "mlflow.runName";
/// The tag of a dataset input that says what for (`train`, `eval`).
pub(crate) const CONTEXT: &str = "mlflow.data.context";

/// Appends the test of a column.
fn push_test(sql: &mut Sql, column: &str, test: &Test) {
    let not = |negated: bool| if negated { "NOT " } else { "" };
    match test {
        Test::Number(operator, value) => {
            sql.push(&format!("{column} {operator} ")).push_value(*value);
        }
        Test::NumberIn { negated, values } => {
            sql.push(&format!("{column} {}IN ", not(*negated))).push_list(values.iter().copied());
        }
        Test::NumberBetween { negated, low, high } => {
            sql.push(&format!("{column} {}BETWEEN ", not(*negated))).push_value(*low);
            sql.push(" AND ").push_value(*high);
        }
        Test::Text(operator, value) => {
            sql.push_text_comparison(column, operator, value.clone());
        }
        Test::TextIn { negated, values } => {
            sql.push(&format!("{column} {}IN ", not(*negated))).push_list(values.iter().cloned());
        }
        Test::Missing => {
            sql.push(&format!("{column} IS NULL"));
        }
        Test::Present => {
            sql.push(&format!("{column} IS NOT NULL"));
        }
    }
}

/// Whether NaN passes: it is unequal to every number.
pub(crate) fn passes_nan(test: &Test) -> bool {
    match test {
        Test::Number(operator, _value) => operator == "!=",
        Test::NumberIn { negated, .. } | Test::NumberBetween { negated, .. } => *negated,
        _ => false,
    }
}

/// Appends what a row of the metric, param or tag table called `alias` must satisfy, after its run.
pub(crate) fn push_entry(sql: &mut Sql, alias: &str, key: &str, field: &Field, test: &Test) {
    sql.push(&format!("{alias}.\"key\" = ")).push_value(key.to_owned()).push(" AND ");
    let value = format!("{alias}.value");
    match field {
        Field::Metric(_) if passes_nan(test) => {
            sql.push("(");
            push_test(sql, &value, test);
            sql.push(&format!(" OR {alias}.is_nan = {})", truth(sql, true)));
        }
        Field::Metric(_) => {
            sql.push(&format!("{alias}.is_nan = {} AND ", truth(sql, false)));
            push_test(sql, &value, test);
        }
        Field::Param(_) if !matches!(test, Test::Text(..) | Test::TextIn { .. }) => {
            let number = sql.dialect().number(&value);
            push_test(sql, &number, test);
        }
        _ => {
            let Test::Text(operator, text) = test else {
                push_test(sql, &value, test);
                return;
            };
            if operator != "=" {
                push_test(sql, &value, test);
                return;
            }
            // The index holds the start of the value, which is all of a value that is shorter.
            let start: String = text.chars().take(PREFIX).collect();
            let is_all = start.chars().count() < PREFIX;
            sql.push(&format!("substr({value}, 1, {PREFIX}) = ")).push_value(start);
            if !is_all {
                let value = sql.dialect().opaque(&value);
                sql.push(" AND ");
                push_test(sql, &value, test);
            }
        }
    }
}

fn truth(sql: &Sql, value: bool) -> &'static str {
    sql.dialect().truth(value)
}

/// Table and key of a field that has rows of its own; `run_name` is looked up as a tag, because
/// old runs have no other.
pub(crate) fn table(field: &Field) -> Option<(&'static str, &str)> {
    match field {
        Field::Metric(key) => Some(("latest_metrics", key)),
        Field::Param(key) => Some(("params", key)),
        Field::Tag(key) => Some(("tags", key)),
        Field::Attribute("run_name") => Some(("tags", RUN_NAME)),
        Field::Attribute(_) | Field::Dataset(_) => None,
    }
}

/// Appends a condition on run `r`.
pub(crate) fn push_condition(sql: &mut Sql, condition: &Condition) {
    let Condition { field, test } = condition;
    if let Some((table, key)) = table(field) {
        let not = if *test == Test::Missing { "NOT " } else { "" };
        sql.push(&format!(
            "{not}EXISTS (SELECT 1 FROM {table} x WHERE x.run_uuid = r.run_uuid AND "
        ));
        if matches!(test, Test::Missing | Test::Present) {
            sql.push("x.\"key\" = ").push_value(key.to_owned());
        } else {
            push_entry(sql, "x", key, field, test);
        }
        sql.push(")");
        return;
    }
    match field {
        Field::Dataset(key) => {
            sql.push(
                "EXISTS (SELECT 1 FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id ",
            );
            if key == "context" {
                sql.push("JOIN input_tags x ON x.input_uuid = i.input_uuid AND x.name = ")
                    .push_value(CONTEXT);
            }
            sql.push(
                " WHERE i.destination_type = 'RUN' AND i.destination_id = r.run_uuid \
                 AND i.source_type = 'DATASET' AND ",
            );
            let column = match key.as_str() {
                "context" => "x.value",
                "digest" => "d.digest",
                _ => "d.name",
            };
            push_test(sql, column, test);
            sql.push(")");
        }
        Field::Attribute(name) => {
            // A missing value satisfies no comparison, so that NOT means the opposite.
            let column = column(name);
            sql.push(&format!("({column} IS NOT NULL AND "));
            push_test(sql, column, test);
            sql.push(")");
        }
        Field::Metric(_) | Field::Param(_) | Field::Tag(_) => {}
    }
}

/// A filter, split into what can be joined and the rest.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// Conditions that all must hold, on metrics, params, tags, which a run has or fails.
    pub(crate) joins: Vec<Condition>,
    /// Everything else, all of which must hold.
    pub(crate) rest: Vec<Expression>,
}

/// Whether an index finds the rows that satisfy a condition.
pub(crate) fn is_indexed(condition: &Condition) -> bool {
    match (&condition.field, &condition.test) {
        (Field::Metric(_), _) => true,
        (
            Field::Param(_) | Field::Tag(_) | Field::Attribute("run_name"),
            Test::Text(operator, _value),
        ) => operator == "=",
        _ => false,
    }
}

/// Most joins of a statement: SQLite takes 64 tables, and orders many only by trying.
const JOINS_MAX: usize = 6;

/// Understands a filter.
pub(crate) fn filter(expression: Option<Expression>) -> Result<Filter> {
    let mut filter = Filter::default();
    let parts = match expression {
        None => return Ok(filter),
        Some(Expression::And(parts)) => parts,
        Some(other) => vec![other],
    };
    for part in parts {
        check(&part)?;
        if let Expression::Comparison(comparison) = &part
            && filter.joins.len() < JOINS_MAX
        {
            let condition = resolve(comparison)?;
            let joinable = table(&condition.field).is_some()
                && !matches!(condition.test, Test::Missing | Test::Present);
            if joinable {
                filter.joins.push(condition);
                continue;
            }
        }
        filter.rest.push(part);
    }
    Ok(filter)
}

/// Refuses what no comparison of a tree may say.
fn check(expression: &Expression) -> Result<()> {
    match expression {
        Expression::Comparison(comparison) => resolve(comparison).map(|_condition| ()),
        Expression::Not(inner) => check(inner),
        Expression::And(parts) | Expression::Or(parts) => parts.iter().try_for_each(check),
    }
}

/// Appends the rest of a filter, each part after ` AND `.
pub(crate) fn push_rest(sql: &mut Sql, filter: &Filter) -> Result<()> {
    for part in &filter.rest {
        sql.push(" AND ");
        sql.push_expression(part, &mut |comparison, sql| {
            push_condition(sql, &resolve(comparison)?);
            Ok(())
        })?;
    }
    Ok(())
}
