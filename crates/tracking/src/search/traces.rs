//! Search of traces.

use super::identifier::{check_attribute, split};
use super::order;
use super::runs::{quoted, quoted_list};
use super::sql::Sql;
use super::syntax::{Comparison, Expression, Literal, Operand, Operator};
use crate::error::{Result, invalid};
use crate::spans::usage::{self, COSTS, TOKENS};
use crate::store::database::Value;
use crate::store::{python, rlike, trace_rows};

const ATTRIBUTES: &[&str] = &[
    "request_id",
    "timestamp",
    "timestamp_ms",
    "execution_time",
    "execution_time_ms",
    "end_time",
    "end_time_ms",
    "status",
    "client_request_id",
    "name",
    "run_id",
    "prompt",
    "text",
];
const ORDERED: &[&str] = &[
    "experiment_id",
    "timestamp",
    "timestamp_ms",
    "execution_time",
    "execution_time_ms",
    "end_time",
    "end_time_ms",
    "status",
    "request_id",
    "name",
    "run_id",
];
const NUMBER_OPERATORS: &[&str] = &["<", "<=", ">", ">=", "=", "!="];
const TEXT_OPERATORS: &[&str] = &["!=", "=", "IN", "NOT IN", "LIKE", "ILIKE", "RLIKE"];
const ENTRY_OPERATORS: &[&str] = &["!=", "=", "LIKE", "ILIKE", "RLIKE", "IS NULL", "IS NOT NULL"];
const LIST_OPERATORS: &[&str] = &["IN", "NOT IN"];
const CONTENT_OPERATORS: &[&str] = &["LIKE", "ILIKE"];
const ASSESSMENT_OPERATORS: &[&str] =
    &["!=", "=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "RLIKE", "IS NULL", "IS NOT NULL"];
const END_TIME: &str = "(t.timestamp_ms + COALESCE(t.execution_time_ms, 0))";

/// What an identifier names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Attribute(String),
    Tag(String),
    Metadata(String),
    Span(String),
    /// The type of assessment and its name.
    Assessment(&'static str, String),
    Issue(String),
}

fn field(identifier: &str) -> Result<Field> {
    let (entity, key) = split(identifier);
    Ok(match entity.as_deref() {
        None | Some("attribute" | "attributes" | "trace") => {
            check_attribute(&key, ATTRIBUTES)?;
            match key.as_str() {
                "text" => Field::Span("content".to_owned()),
                _ => Field::Attribute(key),
            }
        }
        Some("tag" | "tags") => Field::Tag(key),
        Some("metadata" | "request_metadata") => Field::Metadata(key),
        Some("span") => Field::Span(key),
        Some("feedback") => Field::Assessment("feedback", key),
        Some("expectation") => Field::Assessment("expectation", key),
        Some("issue") => Field::Issue(key),
        Some(other) => {
            let valid = [
                "tag",
                "tags",
                "request_metadata",
                "metadata",
                "attribute",
                "attributes",
                "trace",
                "span",
                "feedback",
                "expectation",
                "issue",
            ];
            return invalid!(
                "Invalid entity type '{other}'. Valid values are {}",
                python::repr_set(&valid)
            );
        }
    })
}

fn check_operator<'a>(operator: &'a str, valid: &[&str]) -> Result<&'a str> {
    if valid.contains(&operator) {
        return Ok(operator);
    }
    invalid!("Invalid comparator '{operator}' not one of '{}'", python::repr_set(valid))
}

/// The same for a field of spans, whose name is part of the message.
fn check_span_operator<'a>(key: &str, operator: &'a str, valid: &[&str]) -> Result<&'a str> {
    if valid.contains(&operator) {
        return Ok(operator);
    }
    invalid!("span.{key} comparator '{operator}' not one of '{}'", python::repr_set(valid))
}

/// Appends a condition on trace `t`. What is asked of spans on one level is asked of one and the same span.
pub(crate) fn push(sql: &mut Sql, expression: &Expression) -> Result<()> {
    let Expression::And(parts) = expression else {
        return sql
            .push_expression(expression, &mut |comparison, sql| push_condition(sql, comparison));
    };
    let mut spans = Vec::new();
    let mut rest = Vec::new();
    for part in parts {
        match part {
            Expression::Comparison(comparison) => match field(&comparison.identifier)? {
                Field::Span(key) => spans.push((key, comparison)),
                _ => rest.push(part),
            },
            part => rest.push(part),
        }
    }
    sql.push("(1 = 1");
    if !spans.is_empty() {
        sql.push(" AND ");
        push_spans(sql, &spans)?;
    }
    for part in rest {
        sql.push(" AND ");
        sql.push_expression(part, &mut |comparison, sql| push_condition(sql, comparison))?;
    }
    sql.push(")");
    Ok(())
}

fn push_condition(sql: &mut Sql, comparison: &Comparison) -> Result<()> {
    match field(&comparison.identifier)? {
        Field::Attribute(name) => push_attribute(sql, &name, comparison),
        Field::Tag(key) if key == trace_rows::NAME => {
            push_nullable(sql, "t.trace_name", comparison)
        }
        Field::Tag(key) => push_entry(sql, "trace_tags", &key, comparison),
        Field::Metadata(key) if key == trace_rows::SESSION => {
            push_nullable(sql, "t.session_id", comparison)
        }
        Field::Metadata(key) if key == trace_rows::USAGE => {
            push_numbers(sql, &key, &TOKENS, comparison)
        }
        Field::Metadata(key) if key == trace_rows::COST => {
            push_numbers(sql, &key, &COSTS, comparison)
        }
        Field::Metadata(key) if key == trace_rows::SOURCE_RUN => push_run(sql, comparison),
        Field::Metadata(key) => push_entry(sql, "trace_request_metadata", &key, comparison),
        Field::Span(key) => push_spans(sql, &[(key, comparison)]),
        Field::Assessment(kind, name) => push_assessment(sql, kind, &name, comparison),
        Field::Issue(key) => push_issue(sql, &key, comparison),
    }
}

fn push_attribute(sql: &mut Sql, name: &str, comparison: &Comparison) -> Result<()> {
    match name {
        "timestamp" | "timestamp_ms" => push_number(sql, "t.timestamp_ms", name, comparison),
        "execution_time" | "execution_time_ms" => {
            push_number(sql, "t.execution_time_ms", name, comparison)
        }
        "end_time" | "end_time_ms" => push_number(sql, END_TIME, name, comparison),
        "run_id" => push_run(sql, comparison),
        "prompt" => push_prompt(sql, comparison),
        // A tag to upstream, which has no lists for tags.
        "name" => push_nullable(sql, "t.trace_name", comparison),
        name => push_text(sql, &format!("t.{name}"), comparison),
    }
}

fn push_number(sql: &mut Sql, column: &str, name: &str, comparison: &Comparison) -> Result<()> {
    // Whole numbers stay what they are, for the sake of the index.
    let number = |literal: &Literal| -> Result<Value<'static>> {
        match (literal.text.parse::<i64>(), literal.number()) {
            (Ok(whole), Some(_)) => Ok(whole.into()),
            (_, Some(number)) => Ok(number.into()),
            (_, None) => invalid!(
                "Expected numeric value type for numeric attribute: {name}. Found {}",
                literal.text
            ),
        }
    };
    let operator = comparison.operator.text();
    match &comparison.value {
        Operand::Range(low, high) => {
            let (low, high) = (number(low)?, number(high)?);
            sql.push(&format!("{column} {operator} ")).push_value(low);
            sql.push(" AND ").push_value(high);
        }
        Operand::One(literal) => {
            let value = number(literal)?;
            check_operator(operator, NUMBER_OPERATORS)?;
            sql.push(&format!("{column} {operator} ")).push_value(value);
        }
        Operand::List { .. } | Operand::None => {
            return invalid!(
                "Only attributes in {} supports comparison with a list of quoted string values.",
                python::repr_set(&["name", "status", "request_id", "run_id", "client_request_id"])
            );
        }
    }
    Ok(())
}

/// A comparison of a column with a text, or with several.
fn push_text(sql: &mut Sql, column: &str, comparison: &Comparison) -> Result<()> {
    let operator = check_operator(comparison.operator.text(), TEXT_OPERATORS)?;
    match &comparison.value {
        Operand::List { items, .. } => {
            let operator = check_operator(operator, LIST_OPERATORS)?;
            sql.push(&format!("{column} {operator} ")).push_list(quoted_list(items)?);
        }
        _ => push_one(sql, column, operator, text(comparison)?)?,
    }
    Ok(())
}

fn push_one(sql: &mut Sql, column: &str, operator: &str, value: String) -> Result<()> {
    if operator == "RLIKE" {
        rlike::expression(&value)?;
    }
    sql.push_text_comparison(column, operator, value);
    Ok(())
}

fn text(comparison: &Comparison) -> Result<String> {
    match &comparison.value {
        Operand::One(literal) if literal.number().is_none() => quoted(literal),
        value => invalid!(
            "Expected a quoted string value for {} (e.g. 'my-value'). Got value {}",
            comparison.identifier,
            value.text()
        ),
    }
}

/// A tag or metadata that is a column.
fn push_nullable(sql: &mut Sql, column: &str, comparison: &Comparison) -> Result<()> {
    let operator = check_operator(comparison.operator.text(), ENTRY_OPERATORS)?;
    if comparison.value == Operand::None {
        sql.push(&format!("{column} {operator}"));
        return Ok(());
    }
    push_one(sql, column, operator, text(comparison)?)
}

fn push_entry(sql: &mut Sql, table: &str, key: &str, comparison: &Comparison) -> Result<()> {
    let operator = check_operator(comparison.operator.text(), ENTRY_OPERATORS)?;
    if comparison.operator == Operator::IsNull {
        sql.push("NOT ");
    }
    sql.push(&format!(
        "EXISTS (SELECT 1 FROM {table} x WHERE x.request_id = t.request_id AND x.\"key\" = "
    ));
    sql.push_value(key.to_owned());
    if comparison.value != Operand::None {
        sql.push(" AND ");
        push_one(sql, "x.value", operator, text(comparison)?)?;
    }
    sql.push(")");
    Ok(())
}

/// Tokens and costs, whose columns are one JSON text to clients.
fn push_numbers(sql: &mut Sql, key: &str, columns: &[&str], comparison: &Comparison) -> Result<()> {
    let some: Vec<String> =
        columns.iter().map(|column| format!("t.{column} IS NOT NULL")).collect();
    let some = format!("({})", some.join(" OR "));
    let is_equal = match comparison.operator.text() {
        "IS NULL" => {
            sql.push("NOT ").push(&some);
            return Ok(());
        }
        "IS NOT NULL" => {
            sql.push(&some);
            return Ok(());
        }
        "=" => true,
        "!=" => false,
        operator => {
            return invalid!(
                "Comparator '{operator}' is not supported for reserved metadata '{key}'. Only '=', \
                 '!=', 'IS NULL', and 'IS NOT NULL' are supported."
            );
        }
    };
    let value = text(comparison)?;
    let numbers = usage::of_text(&value, columns);
    let counts: Vec<Option<i64>> =
        numbers.iter().map(|number| number.and_then(usage::tokens)).collect();
    let canonical = if key == trace_rows::COST {
        usage::costs_text(&numbers)
    } else {
        usage::tokens_text(&counts)
    };
    if !is_equal {
        sql.push(&some).push(" AND NOT ");
    }
    if canonical.as_deref() != Some(&*value) {
        sql.push("(1 = 0)");
        return Ok(());
    }
    sql.push("(1 = 1");
    for (column, number) in columns.iter().zip(numbers) {
        sql.push(&format!(" AND t.{column} "));
        match number {
            // One that is null must not make the whole unknown.
            Some(number) => {
                sql.push(&format!("IS NOT NULL AND t.{column} = ")).push_value(number);
            }
            None => {
                sql.push("IS NULL");
            }
        }
    }
    sql.push(")");
    Ok(())
}

/// Traces made in a run, and those that were linked to it.
fn push_run(sql: &mut Sql, comparison: &Comparison) -> Result<()> {
    if comparison.operator.text() != "=" {
        if let Operand::List { items, .. } = &comparison.value {
            let operator = check_operator(comparison.operator.text(), LIST_OPERATORS)?;
            sql.push(
                "EXISTS (SELECT 1 FROM trace_request_metadata x WHERE x.request_id = t.request_id \
                 AND x.\"key\" = ",
            );
            sql.push_value(trace_rows::SOURCE_RUN.to_owned());
            sql.push(&format!(" AND x.value {operator} ")).push_list(quoted_list(items)?);
            sql.push(")");
            return Ok(());
        }
        let table = "trace_request_metadata";
        return push_entry(sql, table, trace_rows::SOURCE_RUN, comparison);
    }
    let run = text(comparison)?;
    sql.push("(");
    push_link(sql, "run", run.clone());
    sql.push(" OR ");
    push_entry(sql, "trace_request_metadata", trace_rows::SOURCE_RUN, comparison)?;
    sql.push(")");
    Ok(())
}

fn push_link(sql: &mut Sql, kind: &str, id: String) {
    sql.push(&format!(
        "EXISTS (SELECT 1 FROM entity_associations l WHERE l.source_type = 'trace' \
         AND l.source_id = t.request_id AND l.destination_type = '{kind}' AND l.destination_id = "
    ));
    sql.push_value(id).push(")");
}

fn push_prompt(sql: &mut Sql, comparison: &Comparison) -> Result<()> {
    let operator = comparison.operator.text();
    if operator != "=" {
        return invalid!(
            "Invalid comparator '{operator}' for prompts filter. Only '=' is supported with format: \
             prompt = \"name/version\""
        );
    }
    let prompt = text(comparison)?;
    if prompt.matches('/').count() != 1 {
        return invalid!(
            "Invalid prompts filter value '{prompt}'. Expected format: prompt = \"name/version\""
        );
    }
    push_link(sql, "prompt_version", prompt);
    Ok(())
}

/// One span of the trace for which all of this holds.
fn push_spans(sql: &mut Sql, conditions: &[(String, &Comparison)]) -> Result<()> {
    sql.push(
        "EXISTS (SELECT 1 FROM spans x WHERE x.trace_id = t.request_id \
         AND x.experiment_id = t.experiment_id",
    );
    for (key, comparison) in conditions {
        sql.push(" AND ");
        let operator = comparison.operator.text();
        if let Some(attribute) = key.strip_prefix("attributes.") {
            let attribute = attribute.trim_matches('`');
            if attribute.is_empty() {
                return invalid!("Span attribute name cannot be empty after 'attributes.'");
            }
            push_span_attribute(sql, attribute, comparison)?;
        } else if ["name", "type", "status"].contains(&key.as_str()) {
            check_span_operator(key, operator, TEXT_OPERATORS)?;
            push_text(sql, &format!("x.{key}"), comparison)?;
        } else if key == "content" {
            check_span_operator(key, operator, CONTENT_OPERATORS)?;
            push_one(sql, "x.content", operator, text(comparison)?)?;
        } else {
            return invalid!(
                "Invalid span attribute '{key}'. Supported attributes: name, status, type, \
                 attributes.<attribute_name>."
            );
        }
    }
    sql.push(")");
    Ok(())
}

/// An attribute within the JSON text of a span, where it is a JSON text itself.
fn push_span_attribute(sql: &mut Sql, attribute: &str, comparison: &Comparison) -> Result<()> {
    let key = format!("attributes.{attribute}");
    let operator = check_span_operator(&key, comparison.operator.text(), TEXT_OPERATORS)?;
    let name = python::json(attribute);
    if operator != "RLIKE" {
        if let Operand::List { .. } = comparison.value {
            return invalid!("span.attributes.{attribute} cannot be compared with a list");
        }
        let value = text(comparison)?;
        return push_one(sql, "x.content", operator, format!("%{name}{value}%"));
    }
    let value = text(comparison)?;
    let (start, inner) = match value.strip_prefix('^') {
        Some(rest) => ("", rest),
        None => (".*", value.as_str()),
    };
    let (inner, end) = match inner.strip_suffix('$') {
        Some(rest) => (rest, "\\\\\""),
        None => (inner, ""),
    };
    push_one(sql, "x.content", operator, format!("{name}: \"\\\\\"{start}{inner}{end}"))
}

/// What is said of the trace, or of the session that it is part of.
fn push_assessment(sql: &mut Sql, kind: &str, name: &str, comparison: &Comparison) -> Result<()> {
    if name.is_empty() {
        return invalid!("Assessment field name cannot be empty");
    }
    check_operator(comparison.operator.text(), ASSESSMENT_OPERATORS)?;
    if comparison.operator == Operator::IsNull {
        sql.push("NOT ");
    }
    sql.push("(EXISTS (SELECT 1 FROM assessments a WHERE a.trace_id = t.request_id");
    push_said(sql, kind, name, comparison)?;
    sql.push(
        ") OR (t.session_id IS NOT NULL AND EXISTS (SELECT 1 FROM trace_info s \
         JOIN assessments a ON a.trace_id = s.request_id WHERE s.session_id = t.session_id \
         AND s.experiment_id = t.experiment_id AND ",
    );
    let session = format!("%\"{}\":%", trace_rows::SESSION);
    sql.push_text_comparison("a.assessment_metadata", "LIKE", session);
    push_said(sql, kind, name, comparison)?;
    sql.push(")))");
    Ok(())
}

fn push_said(sql: &mut Sql, kind: &str, name: &str, comparison: &Comparison) -> Result<()> {
    let truth = sql.dialect().truth(true);
    sql.push(&format!(" AND a.assessment_type = '{kind}' AND a.valid = {truth} AND a.name = "));
    sql.push_value(name.to_owned());
    let operator = comparison.operator.text();
    match (&comparison.value, operator) {
        (Operand::None, _) => {}
        (Operand::One(literal), "<" | "<=" | ">" | ">=") => {
            let Some(number) = literal.number() else {
                return invalid!(
                    "Expected a numeric value for {kind} when using comparator '{operator}'. Got \
                     value {}",
                    literal.text
                );
            };
            sql.push(&format!(
                " AND a.is_numeric_value = {truth} AND a.aggregate_value {operator} "
            ));
            sql.push_value(number);
        }
        (_, "=" | "!=") => {
            let value = text(comparison)?;
            sql.push(if operator == "=" { " AND (" } else { " AND NOT (" });
            sql.push("a.value = ").push_value(value.clone());
            sql.push(" OR a.value = ").push_value(python::json(&value)).push(")");
        }
        _ => {
            sql.push(" AND ");
            push_one(sql, "a.value", operator, text(comparison)?)?;
        }
    }
    Ok(())
}

fn push_issue(sql: &mut Sql, key: &str, comparison: &Comparison) -> Result<()> {
    if key != "id" {
        return invalid!("Invalid issue attribute '{key}'. Supported attributes: id");
    }
    let operator = comparison.operator.text();
    if operator != "=" {
        return invalid!("issue.id comparator '{operator}' not one of '{{'='}}'");
    }
    sql.push(
        "EXISTS (SELECT 1 FROM assessments a WHERE a.trace_id = t.request_id \
         AND a.assessment_type = 'issue' AND a.name = ",
    );
    sql.push_value(text(comparison)?).push(")");
    Ok(())
}

/// Appends the joins that an order needs, and returns its terms.
pub(crate) fn push_order(sql: &mut Sql, clauses: &[String]) -> Result<String> {
    let mut terms = Vec::new();
    let mut columns: Vec<String> = Vec::new();
    for (place, clause) in order::parse_all(clauses)?.into_iter().enumerate() {
        let (entity, key) = split(&clause.identifier);
        let column = match entity.as_deref() {
            None | Some("attribute" | "attributes" | "trace") => {
                check_attribute(&key, ORDERED)?;
                match key.as_str() {
                    "timestamp" => "t.timestamp_ms".to_owned(),
                    "execution_time" => "t.execution_time_ms".to_owned(),
                    "end_time" | "end_time_ms" => END_TIME.to_owned(),
                    "name" => "t.trace_name".to_owned(),
                    "run_id" => {
                        let run = trace_rows::SOURCE_RUN;
                        joined(sql, "trace_request_metadata", run, place)
                    }
                    name => format!("t.{name}"),
                }
            }
            Some("tag" | "tags") if key == trace_rows::NAME => "t.trace_name".to_owned(),
            Some("tag" | "tags") => joined(sql, "trace_tags", &key, place),
            Some("metadata" | "request_metadata") => match key.as_str() {
                trace_rows::SESSION => "t.session_id".to_owned(),
                trace_rows::USAGE | trace_rows::COST => {
                    return invalid!(
                        "Ordering by reserved metadata '{key}' is not supported because it is \
                         represented by multiple columns."
                    );
                }
                key => joined(sql, "trace_request_metadata", key, place),
            },
            Some(other) => return invalid!("Invalid identifier type '{other}'"),
        };
        let direction = if clause.ascending { "ASC" } else { "DESC" };
        terms.push(format!("CASE WHEN {column} IS NULL THEN 1 ELSE 0 END, {column} {direction}"));
        columns.push(clause.identifier);
    }
    order::check_unique(&columns, clauses)?;
    terms.push("t.timestamp_ms DESC, t.request_id ASC".to_owned());
    Ok(terms.join(", "))
}

/// Joins the value of a tag or metadata, and returns its name.
fn joined(sql: &mut Sql, table: &str, key: &str, place: usize) -> String {
    sql.push(&format!(
        " LEFT JOIN {table} o{place} ON o{place}.request_id = t.request_id AND o{place}.\"key\" = "
    ));
    sql.push_value(key.to_owned());
    format!("o{place}.value")
}
