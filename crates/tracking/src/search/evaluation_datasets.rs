//! Search of evaluation datasets.

use super::identifier::{Field, field};
use super::order::order_by;
use super::runs::{quoted, quoted_list};
use super::sql::Sql;
use super::syntax::{Comparison, Literal, LiteralKind, Operand};
use crate::error::{Result, invalid};

const ATTRIBUTES: &[&str] =
    &["name", "created_time", "last_update_time", "created_by", "last_updated_by"];
const ORDERED: &[&str] = &["name", "created_time", "last_update_time"];
const NUMBER_OPERATORS: &[&str] = &["<", "<=", ">", ">=", "=", "!="];
const TEXT_OPERATORS: &[&str] = &["=", "!=", "LIKE", "ILIKE"];

/// Appends a condition on dataset `d`.
pub(crate) fn push_condition(sql: &mut Sql, comparison: &Comparison) -> Result<()> {
    match field(&comparison.identifier, ATTRIBUTES)? {
        Field::Tag(key) => {
            sql.push(
                "EXISTS (SELECT 1 FROM evaluation_dataset_tags x WHERE x.dataset_id = d.dataset_id \
                 AND x.\"key\" = ",
            );
            sql.push_value(key).push(" AND ");
            push_text(sql, "x.value", "tag", comparison)?;
            sql.push(")");
            Ok(())
        }
        Field::Attribute(name) if name.ends_with("_time") => push_time(sql, &name, comparison),
        Field::Attribute(name) => {
            push_text(sql, &format!("d.{name}"), "string attribute", comparison)
        }
    }
}

fn push_text(sql: &mut Sql, column: &str, kind: &str, comparison: &Comparison) -> Result<()> {
    let operator = comparison.operator.text();
    match &comparison.value {
        Operand::List { items, .. } if operator == "IN" && column == "d.name" => {
            sql.push("d.name IN ").push_list(quoted_list(items)?);
        }
        Operand::One(literal) if TEXT_OPERATORS.contains(&operator) => {
            sql.push_text_comparison(column, operator, quoted(literal)?);
        }
        _ => return invalid!("Invalid comparator for {kind}: {operator}"),
    }
    Ok(())
}

fn push_time(sql: &mut Sql, name: &str, comparison: &Comparison) -> Result<()> {
    let number = |literal: &Literal| -> Result<i64> {
        match literal.text.parse() {
            Ok(number) if literal.kind == LiteralKind::Integer => Ok(number),
            _ => invalid!("Invalid value for numeric attribute '{name}': {}", literal.text),
        }
    };
    let operator = comparison.operator.text();
    match &comparison.value {
        Operand::One(literal) if NUMBER_OPERATORS.contains(&operator) => {
            let value = number(literal)?;
            sql.push(&format!("d.{name} {operator} ")).push_value(value);
        }
        Operand::Range(low, high) => {
            let (low, high) = (number(low)?, number(high)?);
            sql.push(&format!("d.{name} {operator} ")).push_value(low);
            sql.push(" AND ").push_value(high);
        }
        _ => return invalid!("Invalid comparator for numeric attribute: {operator}"),
    }
    Ok(())
}

/// The ORDER BY of a search.
pub(crate) fn order(clauses: &[String]) -> Result<String> {
    let default = ["created_time DESC".to_owned()];
    let clauses = if clauses.is_empty() { &default } else { clauses };
    let column = |identifier: &str| -> Result<&'static str> {
        let Field::Attribute(name) = field(identifier, ORDERED)? else {
            return invalid!("Invalid order_by entity: tag");
        };
        Ok(match name.as_str() {
            "name" => "d.name",
            "created_time" => "d.created_time",
            _ => "d.last_update_time",
        })
    };
    order_by(clauses, column, &[("d.dataset_id", "DESC")])
}
