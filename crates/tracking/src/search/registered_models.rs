//! Search of registered models.

use trainyard_mlflow::Error;

use super::identifier::{Field, field};
use super::order::order_by;
use super::runs::{quoted, quoted_list};
use super::sql::Sql;
use super::syntax::{Comparison, Expression, LiteralKind, Operand, Operator};
use crate::error::{Result, invalid};
use crate::store::python;

/// The tag that makes a registered model a prompt; prompts are found only when asked for.
pub(crate) const IS_PROMPT: &str = "mlflow.prompt.is_prompt";
const TEXT_OPERATORS: &[&str] = &["=", "!=", "LIKE", "ILIKE"];

/// Whether a filter asks for prompts.
pub(crate) fn asks_for_prompts(expression: &Expression) -> bool {
    match expression {
        Expression::Comparison(comparison) => asks_for_prompt(comparison, "true", "false"),
        Expression::And(parts) | Expression::Or(parts) => parts.iter().any(asks_for_prompts),
        Expression::Not(_) => false,
    }
}

fn asks_for_prompt(comparison: &Comparison, equal: &str, unequal: &str) -> bool {
    let Ok(Field::Tag(key)) = field(&comparison.identifier, &[]) else { return false };
    let Operand::One(literal) = &comparison.value else { return false };
    let value = literal.unquoted().unwrap_or_default().to_lowercase();
    key == IS_PROMPT
        && match comparison.operator.text() {
            "=" => value == equal,
            "!=" => value == unequal,
            _ => false,
        }
}

/// Whether a comparison asks for what is no prompt, which has no such tag.
pub(super) fn asks_for_no_prompt(comparison: &Comparison) -> bool {
    asks_for_prompt(comparison, "false", "true")
}

/// Appends a condition on registered model `m`.
pub(crate) fn push_condition(sql: &mut Sql, comparison: &Comparison) -> Result<()> {
    if asks_for_no_prompt(comparison) {
        // Prompts are left out anyway.
        sql.push("1 = 1");
        return Ok(());
    }
    match field(&comparison.identifier, &["name"])? {
        Field::Tag(key) => {
            let value = tag_value(comparison)?;
            sql.push(
                "EXISTS (SELECT 1 FROM registered_model_tags x WHERE x.workspace = m.workspace \
                 AND x.name = m.name AND x.\"key\" = ",
            );
            sql.push_value(key).push(" AND ");
            sql.push_text_comparison("x.value", comparison.operator.text(), value);
            sql.push(")");
            Ok(())
        }
        Field::Attribute(name) => push_text(sql, "m.name", &name, &["name"], comparison),
    }
}

/// The value a tag is compared with.
pub(super) fn tag_value(comparison: &Comparison) -> Result<String> {
    let value = match &comparison.value {
        Operand::One(literal) if literal.number().is_none() => quoted(literal)?,
        Operand::None => return Err(clause(2)),
        value => {
            return invalid!(
                "Expected a quoted string value for tag (e.g. 'my-value'). Got value {}",
                value.text()
            );
        }
    };
    let operator = comparison.operator.text();
    if !TEXT_OPERATORS.contains(&operator) {
        return invalid!("Invalid comparator for tag: {operator}");
    }
    Ok(value)
}

fn clause(tokens: usize) -> crate::Error {
    Error::invalid(format!("Invalid comparison clause. Expected 3 tokens found {tokens}")).into()
}

/// Appends the comparison of a text column; `listed` are the attributes that know IN.
pub(super) fn push_text(
    sql: &mut Sql,
    column: &str,
    attribute: &str,
    listed: &[&str],
    comparison: &Comparison,
) -> Result<()> {
    let operator = comparison.operator.text();
    match &comparison.value {
        Operand::One(literal)
            if matches!(literal.kind, LiteralKind::Quoted | LiteralKind::Word) =>
        {
            let value = quoted(literal)?;
            if !TEXT_OPERATORS.contains(&operator) {
                return invalid!("Invalid comparator for attribute: {operator}");
            }
            sql.push_text_comparison(column, operator, value);
            Ok(())
        }
        Operand::List { items, .. } => {
            if !listed.contains(&attribute) {
                return invalid!(
                    "Only {} attributes support comparison with a list of quoted string values.",
                    python::repr_list(listed)
                );
            }
            if !matches!(comparison.operator, Operator::In | Operator::NotIn) {
                return invalid!("Invalid comparator for attribute: {operator}");
            }
            let values = quoted_list(items)?;
            sql.push(&format!("{column} {operator} ")).push_list(values);
            Ok(())
        }
        Operand::None => Err(clause(2)),
        value => invalid!(
            "Expected a quoted string value or a list of quoted string values for attributes. Got \
             value {}",
            value.text()
        ),
    }
}

/// The ORDER BY of a search.
pub(crate) fn order(clauses: &[String]) -> Result<String> {
    let column = |identifier: &str| -> Result<&'static str> {
        match identifier {
            "name" => Ok("m.name"),
            "timestamp" | "last_updated_timestamp" => Ok("m.last_updated_time"),
            other => invalid!(
                "Invalid order by key '{other}' specified. Valid keys are '{}'",
                python::repr_set(&["name", "timestamp"])
            ),
        }
    };
    order_by(clauses, column, &[("m.name", "ASC")])
}
