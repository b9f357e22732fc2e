//! Filters of numbers over traces: one comparison each, as `trace.tag.team = 'field'`.

use trainyard_mlflow::MetricView;

use super::runs::quoted;
use super::sql::Sql;
use super::syntax::{Expression, Operand};
use crate::error::{Result, invalid};
use crate::store::{python, trace_rows};

/// What a filter may name of each view, and whether a key follows.
const FIELDS: &[(&str, &[(&str, bool)])] = &[
    ("trace", &[("status", false), ("tag", true), ("metadata", true)]),
    ("span", &[("name", false), ("status", false), ("type", false)]),
    ("assessment", &[("name", false), ("type", false)]),
];

/// The view, the field and the key of an identifier, as `trace.tag.team`. Sentences are upstream's.
fn identifier(text: &str) -> Result<(&'static str, &'static str, String)> {
    let mut parts = text.splitn(3, '.');
    let (Some(view), Some(field)) = (parts.next(), parts.next()) else {
        return invalid!(
            "Invalid identifier {}. Columns should be specified as 'trace.<key>', 'span.<key>', \
             'assessment.<key>'.",
            python::repr(text)
        );
    };
    let key = parts.next();
    let view = view.trim_matches('`');
    let Some((view, fields)) = FIELDS.iter().find(|(name, _fields)| *name == view) else {
        let names: Vec<&str> = FIELDS.iter().map(|(name, _fields)| *name).collect();
        let names = python::repr_list(&names);
        return invalid!("Invalid view type '{view}'. Valid values are {names}");
    };
    let Some((field, has_key)) = fields.iter().find(|(name, _has_key)| *name == field) else {
        let names: Vec<&str> = fields.iter().map(|(name, _has_key)| *name).collect();
        let names = python::repr_list(&names);
        return invalid!(
            "Invalid entity '{field}' specified for view type '{view}'. Valid entities are {names}"
        );
    };
    match key {
        None if *has_key => {
            invalid!("Filtering by {field} requires a key, e.g. '{view}.{field}.<key> = <value>'")
        }
        Some(_key) if !*has_key => {
            invalid!("Filtering by {field} does not require a key, use '{view}.{field}' instead")
        }
        key => {
            let key = key.unwrap_or_default().trim_matches(['\'', '"']).trim_matches('`');
            Ok((*view, *field, key.to_owned()))
        }
    }
}

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
    let (of, field, key) = identifier(&comparison.identifier)?;
    let operator = comparison.operator.text();
    if operator != "=" {
        return invalid!("Invalid comparator: '{operator}', only '=' operator is supported");
    }
    let value = match &comparison.value {
        Operand::One(literal) if literal.number().is_none() => quoted(literal)?,
        value => {
            return invalid!(
                "Expected a quoted string value for {field} value (e.g. 'my-value'). Got value {}",
                value.text()
            );
        }
    };
    match (of, view) {
        ("trace", _) => push_trace(sql, field, &key, value),
        ("span", MetricView::Spans) => {
            sql.push(&format!("x.{field} = ")).push_value(value);
        }
        ("assessment", MetricView::Assessments) => {
            let column = if field == "type" { "assessment_type" } else { field };
            sql.push(&format!("a.{column} = ")).push_value(value);
        }
        (of, view) => {
            let own = if of == "span" { MetricView::Spans } else { MetricView::Assessments };
            return invalid!(
                "Filtering by {of} is only supported for {} view type, got {}",
                name(own),
                name(view)
            );
        }
    }
    Ok(())
}

/// As clients write it.
fn name(view: MetricView) -> &'static str {
    match view {
        MetricView::Traces => "TRACES",
        MetricView::Spans => "SPANS",
        MetricView::Assessments => "ASSESSMENTS",
    }
}

fn push_trace(sql: &mut Sql, field: &str, key: &str, value: String) {
    match (field, key) {
        ("status", _) => {
            sql.push("t.status = ").push_value(value);
        }
        ("tag", trace_rows::NAME) => {
            sql.push("t.trace_name = ").push_value(value);
        }
        ("tag", key) => push_entry(sql, "trace_tags", key, value),
        (_, trace_rows::SESSION) => {
            sql.push("t.session_id = ").push_value(value);
        }
        (_, trace_rows::SOURCE_RUN) => {
            sql.push("(");
            push_entry(sql, "trace_request_metadata", trace_rows::SOURCE_RUN, value.clone());
            sql.push(
                " OR EXISTS (SELECT 1 FROM entity_associations l WHERE l.source_type = 'trace' \
                 AND l.source_id = t.request_id AND l.destination_type = 'run' \
                 AND l.destination_id = ",
            );
            sql.push_value(value).push("))");
        }
        (_, key) => push_entry(sql, "trace_request_metadata", key, value),
    }
}

fn push_entry(sql: &mut Sql, table: &str, key: &str, value: String) {
    sql.push(&format!(
        "EXISTS (SELECT 1 FROM {table} y WHERE y.request_id = t.request_id AND y.\"key\" = "
    ));
    sql.push_value(key.to_owned()).push(" AND y.value = ").push_value(value).push(")");
}
