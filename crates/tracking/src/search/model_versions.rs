//! Search of model versions.

use trainyard_mlflow::Error;

use super::identifier::{Field, field};
use super::order::order_by;
use super::registered_models::{asks_for_no_prompt, push_text, tag_value};
use super::sql::Sql;
use super::syntax::{Comparison, Literal, LiteralKind, Operand, Operator};
use crate::error::{Result, invalid};
use crate::store::python;

const ATTRIBUTES: &[&str] = &["name", "version_number", "run_id", "source_path"];
const ORDER_ATTRIBUTES: &[&str] =
    &["name", "version_number", "creation_timestamp", "last_updated_timestamp"];
const NUMBER_OPERATORS: &[&str] = &["<", "<=", ">", ">=", "=", "!="];

/// Appends a condition on model version `v`.
pub(crate) fn push_condition(sql: &mut Sql, comparison: &Comparison) -> Result<()> {
    if asks_for_no_prompt(comparison) {
        // Versions of prompts are left out anyway.
        sql.push("1 = 1");
        return Ok(());
    }
    match field(&comparison.identifier, ATTRIBUTES)? {
        Field::Tag(key) => {
            let value = tag_value(comparison)?;
            sql.push(
                "EXISTS (SELECT 1 FROM model_version_tags x WHERE x.workspace = v.workspace \
                 AND x.name = v.name AND x.version = v.version AND x.\"key\" = ",
            );
            sql.push_value(key).push(" AND ");
            sql.push_text_comparison("x.value", comparison.operator.text(), value);
            sql.push(")");
            Ok(())
        }
        Field::Attribute(name) if name == "version_number" => push_number(sql, comparison),
        Field::Attribute(name) => {
            let column = match name.as_str() {
                "name" => "v.name",
                "run_id" => "v.run_id",
                _ => "v.source",
            };
            if let Operand::One(literal) = &comparison.value
                && literal.number().is_some()
            {
                return invalid!(
                    "Only the '{}' attributes support comparison with numeric values.",
                    python::repr_set(&[
                        "version_number",
                        "creation_timestamp",
                        "last_updated_timestamp"
                    ])
                );
            }
            push_text(sql, column, &name, &["name", "run_id"], comparison)
        }
    }
}

fn push_number(sql: &mut Sql, comparison: &Comparison) -> Result<()> {
    let operator = comparison.operator.text();
    match (&comparison.operator, &comparison.value) {
        (_, Operand::One(literal)) => {
            let value = number(literal)?;
            if !NUMBER_OPERATORS.contains(&operator) {
                return invalid!("Invalid comparator for attribute version_number: {operator}");
            }
            sql.push(&format!("v.version {operator} ")).push_value(value);
        }
        (_, Operand::Range(low, high)) => {
            let (low, high) = (number(low)?, number(high)?);
            sql.push(&format!("v.version {operator} ")).push_value(low);
            sql.push(" AND ").push_value(high);
        }
        (Operator::In | Operator::NotIn, Operand::List { items, .. })
            if !items.is_empty() && items.iter().all(|item| item.kind == LiteralKind::Integer) =>
        {
            let values = items.iter().map(number).collect::<Result<Vec<_>>>()?;
            sql.push(&format!("v.version {operator} ")).push_list(values);
        }
        _ => return push_text(sql, "v.version", "version_number", &["name", "run_id"], comparison),
    }
    Ok(())
}

/// A version number; upstream takes it in quotes, too.
fn number(literal: &Literal) -> Result<i64> {
    let text = literal.unquoted().unwrap_or(&literal.text);
    let shown =
        if literal.kind == LiteralKind::Quoted { python::repr(text) } else { text.to_owned() };
    text.trim().parse().map_err(|_error| {
        Error::invalid(format!("Invalid value for numeric attribute 'version_number': {shown}"))
            .into()
    })
}

/// The ORDER BY of a search.
pub(crate) fn order(clauses: &[String]) -> Result<String> {
    let default =
        ["last_updated_timestamp DESC", "name ASC", "version_number DESC"].map(str::to_owned);
    let clauses = if clauses.is_empty() { default.as_slice() } else { clauses };
    let column = |identifier: &str| -> Result<&'static str> {
        let Field::Attribute(name) = field(identifier, ORDER_ATTRIBUTES)? else {
            return invalid!("Invalid order_by entity: tag");
        };
        Ok(match name.as_str() {
            "name" => "v.name",
            "version_number" => "v.version",
            "creation_timestamp" => "v.creation_time",
            _ => "v.last_updated_time",
        })
    };
    order_by(clauses, column, &[("v.name", "ASC"), ("v.version", "DESC")])
}
