//! Search of logged models.

use trainyard_mlflow::{DatasetFilter, Detail, Error};

use super::sql::Sql;
use super::syntax::{Comparison, Literal, Operand, Operator};
use crate::error::{Result, invalid};
use crate::store::python;

const NUMBER_OPERATORS: &[&str] = &["<", "<=", ">", ">=", "=", "!="];
const TEXT_OPERATORS: &[&str] = &["=", "!=", "LIKE", "ILIKE", "IN", "NOT IN"];

#[derive(Debug, PartialEq, Eq)]
enum Entity {
    Attribute,
    Metric,
    Param,
    Tag,
}

/// The column of an attribute, and whether it holds numbers.
fn column(name: &str) -> Option<(&'static str, bool)> {
    Some(match name {
        "model_id" => ("l.model_id", false),
        "experiment_id" => ("CAST(l.experiment_id AS TEXT)", false),
        "name" => ("l.name", false),
        "artifact_location" => ("l.artifact_location", false),
        "creation_time" | "creation_timestamp" | "creation_timestamp_ms" => {
            ("l.creation_timestamp_ms", true)
        }
        "last_updated_timestamp" | "last_updated_timestamp_ms" => {
            ("l.last_updated_timestamp_ms", true)
        }
        // A number in the table: upstream compares it with the text, which never matches.
        "status" => ("CAST(l.status AS TEXT)", false),
        "lifecycle_stage" => ("l.lifecycle_stage", false),
        "model_type" => ("l.model_type", false),
        "source_run_id" => ("l.source_run_id", false),
        "status_message" => ("l.status_message", false),
        _ => return None,
    })
}

/// `entity.key`, where an entity is in small letters and anything else is an attribute.
fn split(identifier: &str) -> Result<(Entity, String)> {
    let plain = |text: &str| {
        let text = text.trim_matches('`');
        let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        inner.unwrap_or(text).to_owned()
    };
    let Some((entity, key)) = identifier.split_once('.') else {
        return Ok((Entity::Attribute, plain(identifier)));
    };
    if entity.is_empty() || !entity.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Ok((Entity::Attribute, plain(identifier)));
    }
    let entity = match entity {
        "attributes" => Entity::Attribute,
        "metrics" => Entity::Metric,
        "params" => Entity::Param,
        "tags" => Entity::Tag,
        other => {
            return invalid!(
                "Invalid entity type: {}. Expected one of ['attributes', 'metrics', 'params', \
                 'tags'].",
                python::repr(other)
            );
        }
    };
    Ok((entity, plain(key)))
}

/// Appends a condition on logged model `l`. `met_metric` is set when it is one on a metric.
pub(crate) fn push_condition(
    sql: &mut Sql,
    comparison: &Comparison,
    datasets: &[DatasetFilter],
    met_metric: &mut bool,
) -> Result<()> {
    let (entity, key) = split(&comparison.identifier)?;
    match entity {
        Entity::Attribute => {
            let Some((column, numeric)) = column(&key) else {
                // Upstream answers 500 here, which clients would repeat for minutes.
                return invalid!("Invalid attribute key '{key}' specified for a logged model");
            };
            push_value(sql, column, numeric, "attributes", &key, comparison)
        }
        Entity::Metric => {
            *met_metric = true;
            push_exists(sql, "logged_model_metrics", "metric_name", &key);
            push_value(sql, "x.metric_value", true, "metrics", &key, comparison)?;
            push_datasets(sql, datasets, true);
            sql.push(")");
            Ok(())
        }
        Entity::Param => {
            let numeric = has_bare_number(comparison);
            push_exists(sql, "logged_model_params", "param_key", &key);
            // A number without quotes compares as one, as with the params of runs.
            let column = if numeric {
                sql.dialect().number("x.param_value")
            } else {
                "x.param_value".to_owned()
            };
            push_value(sql, &column, numeric, "params", &key, comparison)?;
            sql.push(")");
            Ok(())
        }
        Entity::Tag => {
            push_exists(sql, "logged_model_tags", "tag_key", &key);
            push_value(sql, "x.tag_value", false, "tags", &key, comparison)?;
            sql.push(")");
            Ok(())
        }
    }
}

/// Opens a condition on the rows of a model that have a key.
fn push_exists(sql: &mut Sql, table: &str, column: &str, key: &str) {
    sql.push(&format!(
        "EXISTS (SELECT 1 FROM {table} x WHERE x.model_id = l.model_id AND x.{column} = "
    ));
    sql.push_value(key.to_owned()).push(" AND ");
}

fn has_bare_number(comparison: &Comparison) -> bool {
    match &comparison.value {
        Operand::One(literal) => {
            literal.number().is_some() && NUMBER_OPERATORS.contains(&comparison.operator.text())
        }
        Operand::List { items, .. } => {
            !items.is_empty() && items.iter().all(|item| item.number().is_some())
        }
        Operand::Range(low, high) => low.number().is_some() && high.number().is_some(),
        Operand::None => false,
    }
}

/// Appends ` AND (…)` that a metric `x` is of one of the datasets. As upstream, a dataset without
/// digest is one whose digest is unknown when metrics are compared (`strict`).
pub(crate) fn push_datasets(sql: &mut Sql, datasets: &[DatasetFilter], strict: bool) {
    if datasets.is_empty() {
        return;
    }
    sql.push(" AND (");
    for (index, DatasetFilter { dataset_name, dataset_digest }) in datasets.iter().enumerate() {
        if index > 0 {
            sql.push(" OR ");
        }
        sql.push("(x.dataset_name = ").push_value(dataset_name.clone());
        match dataset_digest {
            Some(digest) => {
                sql.push(" AND x.dataset_digest = ").push_value(digest.clone());
            }
            None if strict => {
                sql.push(" AND x.dataset_digest IS NULL");
            }
            None => {}
        }
        sql.push(")");
    }
    sql.push(")");
}

fn push_value(
    sql: &mut Sql,
    column: &str,
    numeric: bool,
    entity: &str,
    key: &str,
    comparison: &Comparison,
) -> Result<()> {
    let operator = comparison.operator.text();
    let ranged = numeric
        && matches!(
            comparison.operator,
            Operator::In | Operator::NotIn | Operator::Between | Operator::NotBetween
        );
    let operators = if numeric { NUMBER_OPERATORS } else { TEXT_OPERATORS };
    if !ranged && !operators.contains(&operator) {
        let expected: Vec<String> = operators.iter().map(|known| python::repr(known)).collect();
        return invalid!(
            "Invalid comparison operator for {entity}.{key}: {}. Expected one of ({}).",
            python::repr(operator),
            expected.join(", ")
        );
    }
    let number = |literal: &Literal| {
        literal.number().ok_or_else(|| {
            crate::Error::from(Error::invalid(format!(
                "Expected a number to compare {entity}.{key} with, found {}",
                literal.text
            )))
        })
    };
    let text = |literal: &Literal| literal.unquoted().unwrap_or(&literal.text).to_owned();
    match &comparison.value {
        Operand::One(literal) if numeric => {
            let value = number(literal)?;
            sql.push(&format!("{column} {operator} ")).push_value(value);
        }
        Operand::One(literal) => {
            sql.push_text_comparison(column, operator, text(literal));
        }
        Operand::List { items, .. } if items.is_empty() => {
            return invalid!("Expected a list that is not empty to compare {entity}.{key} with");
        }
        Operand::List { items, .. } if numeric => {
            let values = items.iter().map(number).collect::<Result<Vec<_>>>()?;
            sql.push(&format!("{column} {operator} ")).push_list(values);
        }
        Operand::List { items, .. } => {
            let values: Vec<String> = items.iter().map(text).collect();
            sql.push(&format!("{column} {operator} ")).push_list(values);
        }
        Operand::Range(low, high) => {
            let (low, high) = (number(low)?, number(high)?);
            sql.push(&format!("{column} {operator} ")).push_value(low);
            sql.push(" AND ").push_value(high);
        }
        Operand::None => {
            return invalid!("Expected a value to compare {entity}.{key} with");
        }
    }
    Ok(())
}

/// What logged models are ordered by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OrderField {
    Column(&'static str),
    Metric(String),
}

/// Understands a field that models are ordered by.
pub(crate) fn order_field(name: &str) -> Result<OrderField> {
    let Some((entity, key)) = name.split_once('.') else {
        return match column(name) {
            Some(("CAST(l.experiment_id AS TEXT)", _)) => Ok(OrderField::Column("l.experiment_id")),
            Some(("CAST(l.status AS TEXT)", _)) => Ok(OrderField::Column("l.status")),
            Some((column, _)) => Ok(OrderField::Column(column)),
            None => {
                let message = format!("Invalid order by field name: {name}");
                Err(Error::Detailed { detail: Detail::UnknownAttribute, message }.into())
            }
        };
    };
    if entity == "metrics" {
        return Ok(OrderField::Metric(key.to_owned()));
    }
    invalid!("Invalid order by field name: {name}. Only metrics are supported.")
}
