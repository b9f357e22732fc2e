//! Filters of numbers over traces: one comparison each, as `trace.tag.team = 'field'`.

use trainyard_mlflow::MetricView;

use super::runs::quoted;
use super::sql::Sql;
use super::syntax::{Expression, Operand};
use crate::error::{Result, invalid};
use crate::store::trace_rows;

/// Appends the condition of a filter on trace `t`, span `x` or assessment `a`.
pub(crate) fn push(
    sql: &mut Sql,
    view: MetricView,
    filter: &str,
    expression: Option<&Expression>,
) -> Result<()> {
    let Some(Expression::Comparison(comparison)) = expression else {
        return invalid!("Invalid filter: '{filter}'. Expected one filter clause.");
    };
    let operator = comparison.operator.text();
    if operator != "=" {
        return invalid!("Invalid comparator: '{operator}', only '=' operator is supported");
    }
    let value = match &comparison.value {
        Operand::One(literal) if literal.number().is_none() => quoted(literal)?,
        value => {
            return invalid!(
                "Expected a quoted string value for {} value (e.g. 'my-value'). Got value {}",
                comparison.identifier,
                value.text()
            );
        }
    };
    let parts: Vec<&str> = comparison.identifier.splitn(3, '.').collect();
    let key = |key: &str| key.trim_matches(['\'', '"']).trim_matches('`').to_owned();
    match (parts.as_slice(), view) {
        (["trace", "status"], _) => {
            sql.push("t.status = ").push_value(value);
        }
        (["trace", "metadata", name], _) => match key(name).as_str() {
            trace_rows::SESSION => {
                sql.push("t.session_id = ").push_value(value);
            }
            trace_rows::SOURCE_RUN => {
                sql.push("(");
                push_entry(sql, "trace_request_metadata", trace_rows::SOURCE_RUN, value.clone());
                sql.push(
                    " OR EXISTS (SELECT 1 FROM entity_associations l WHERE l.source_type = 'trace' \
                     AND l.source_id = t.request_id AND l.destination_type = 'run' \
                     AND l.destination_id = ",
                );
                sql.push_value(value).push("))");
            }
            name => push_entry(sql, "trace_request_metadata", name, value),
        },
        (["trace", "tag", name], _) => match key(name).as_str() {
            trace_rows::NAME => {
                sql.push("t.trace_name = ").push_value(value);
            }
            name => push_entry(sql, "trace_tags", name, value),
        },
        (["span", name @ ("name" | "status" | "type")], MetricView::Spans) => {
            sql.push(&format!("x.{name} = ")).push_value(value);
        }
        (["assessment", "name"], MetricView::Assessments) => {
            sql.push("a.name = ").push_value(value);
        }
        (["assessment", "type"], MetricView::Assessments) => {
            sql.push("a.assessment_type = ").push_value(value);
        }
        _ => {
            return invalid!(
                "Invalid identifier '{}'. Columns should be specified as 'trace.status', \
                 'trace.tag.<key>', 'trace.metadata.<key>', and in their own view 'span.<key>' and \
                 'assessment.<key>'.",
                comparison.identifier
            );
        }
    }
    Ok(())
}

fn push_entry(sql: &mut Sql, table: &str, key: &str, value: String) {
    sql.push(&format!(
        "EXISTS (SELECT 1 FROM {table} y WHERE y.request_id = t.request_id AND y.\"key\" = "
    ));
    sql.push_value(key.to_owned()).push(" AND y.value = ").push_value(value).push(")");
}
