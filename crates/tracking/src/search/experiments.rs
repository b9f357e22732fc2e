//! Search of experiments.

use trainyard_mlflow::Error;

use super::identifier::{Field, field};
use super::order::order_by;
use super::runs::{quoted, quoted_list};
use super::sql::Sql;
use super::syntax::{Comparison, Literal, LiteralKind, Operand, Operator};
use crate::error::{Result, invalid};
use crate::store::{python, validate};

const ATTRIBUTES: &[&str] = &["name", "experiment_id", "creation_time", "last_update_time"];
const NUMBER_OPERATORS: &[&str] = &["<", "<=", ">", ">=", "=", "!="];
const TEXT_OPERATORS: &[&str] = &["=", "!=", "LIKE", "ILIKE"];

/// Appends a condition on experiment `e`.
pub(crate) fn push_condition(sql: &mut Sql, comparison: &Comparison) -> Result<()> {
    match field(&comparison.identifier, ATTRIBUTES)? {
        Field::Tag(key) => push_tag(sql, &key, comparison),
        Field::Attribute(name) => {
            if comparison.value == Operand::None {
                return invalid!(
                    "IS NULL / IS NOT NULL is only supported for tags, not for attribute '{name}'"
                );
            }
            match name.as_str() {
                "experiment_id" => push_id(sql, comparison),
                "name" => push_name(sql, comparison),
                time => push_time(sql, time, comparison),
            }
        }
    }
}

fn push_tag(sql: &mut Sql, key: &str, comparison: &Comparison) -> Result<()> {
    let exists = "EXISTS (SELECT 1 FROM experiment_tags x \
                  WHERE x.experiment_id = e.experiment_id AND x.\"key\" = ";
    if comparison.operator == Operator::IsNull {
        sql.push("NOT ");
    }
    sql.push(exists).push_value(key.to_owned());
    if comparison.value != Operand::None {
        let value = text_value(comparison, "tag")?;
        let operator = comparison.operator.text();
        if !TEXT_OPERATORS.contains(&operator) {
            return invalid!("Invalid comparator for tag: {operator}");
        }
        sql.push(" AND ").push_text_comparison("x.value", operator, value);
    }
    sql.push(")");
    Ok(())
}

fn text_value(comparison: &Comparison, kind: &str) -> Result<String> {
    match &comparison.value {
        Operand::One(literal) if literal.number().is_none() => quoted(literal),
        value if kind == "tag" => invalid!(
            "Expected a quoted string value for tag (e.g. 'my-value'). Got value {}",
            value.text()
        ),
        value => {
            invalid!("Expected a quoted string value for attributes. Got value {}", value.text())
        }
    }
}

fn push_name(sql: &mut Sql, comparison: &Comparison) -> Result<()> {
    if let Operand::List { .. } = comparison.value {
        return invalid!(
            "Only ['experiment_id'] attributes support comparison with a list of quoted string \
             values."
        );
    }
    let value = text_value(comparison, "attribute")?;
    let operator = comparison.operator.text();
    if !TEXT_OPERATORS.contains(&operator) {
        return invalid!(
            "Invalid comparator '{operator}' not one of '{}'",
            python::repr_set(&["!=", "=", "LIKE", "ILIKE", "IN", "NOT IN"])
        );
    }
    sql.push_text_comparison("e.name", operator, value);
    Ok(())
}

fn push_id(sql: &mut Sql, comparison: &Comparison) -> Result<()> {
    let operator = comparison.operator.text();
    if !["=", "!=", "IN", "NOT IN"].contains(&operator) {
        return invalid!("Invalid comparator for experiment_id: {operator}");
    }
    sql.push(&format!("e.experiment_id {operator} "));
    match &comparison.value {
        Operand::List { items, .. } => {
            let mut ids = Vec::with_capacity(items.len());
            for id in quoted_list(items)? {
                ids.push(validate::experiment_id(&id)?);
            }
            sql.push_list(ids);
        }
        _ => {
            sql.push_value(validate::experiment_id(&text_value(comparison, "attribute")?)?);
        }
    }
    Ok(())
}

fn push_time(sql: &mut Sql, name: &str, comparison: &Comparison) -> Result<()> {
    let number = |literal: &Literal| -> Result<i64> {
        match literal.kind {
            LiteralKind::Integer => {
                literal.text.parse().map_err(|_too_large| bad_time(name, &literal.text))
            }
            LiteralKind::Float => Err(bad_time(name, &python::repr(&literal.text))),
            LiteralKind::Quoted | LiteralKind::Word => invalid!(
                "Expected numeric value type for numeric attribute: {name}. Found {}",
                literal.text
            ),
        }
    };
    let column = format!("e.{name}");
    let operator = comparison.operator.text();
    match (&comparison.operator, &comparison.value) {
        (Operator::In | Operator::NotIn, Operand::List { items, .. }) if !items.is_empty() => {
            let values = items.iter().map(number).collect::<Result<Vec<_>>>()?;
            sql.push(&format!("{column} {operator} ")).push_list(values);
        }
        (_, Operand::Range(low, high)) => {
            let (low, high) = (number(low)?, number(high)?);
            sql.push(&format!("{column} {operator} ")).push_value(low);
            sql.push(" AND ").push_value(high);
        }
        (_, Operand::One(literal)) => {
            let value = number(literal)?;
            if !NUMBER_OPERATORS.contains(&operator) {
                return invalid!("Invalid comparator for numeric attribute: {operator}");
            }
            sql.push(&format!("{column} {operator} ")).push_value(value);
        }
        (_, value) => {
            return invalid!(
                "Expected numeric value type for numeric attribute: {name}. Found {}",
                value.text()
            );
        }
    }
    Ok(())
}

fn bad_time(name: &str, value: &str) -> crate::Error {
    Error::invalid(format!("Invalid value for numeric attribute '{name}': {value}")).into()
}

/// The ORDER BY of a search.
pub(crate) fn order(clauses: &[String]) -> Result<String> {
    let default = ["creation_time DESC".to_owned(), "experiment_id ASC".to_owned()];
    let clauses = if clauses.is_empty() { &default } else { clauses };
    let column = |identifier: &str| -> Result<&'static str> {
        let Field::Attribute(name) = field(identifier, ATTRIBUTES)? else {
            return invalid!("Invalid order_by entity: tag");
        };
        Ok(match name.as_str() {
            "name" => "e.name",
            "experiment_id" => "e.experiment_id",
            "creation_time" => "e.creation_time",
            _ => "e.last_update_time",
        })
    };
    order_by(clauses, column, &[("e.experiment_id", "DESC")])
}
