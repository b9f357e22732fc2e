//! Search of runs.
//!
//! Conditions that all must hold and that name a metric, param or tag become joins, which the
//! database can start from; all others become conditions on the run. A run that has no value under
//! a key fails every comparison with it, whatever the operator, and so matches its `NOT`.

use trainyard_mlflow::Error;

use super::identifier::{check_attribute, split};
use super::order::{check_unique, parse_all};
use super::sql::Sql;
use super::syntax::{Comparison, Expression, Literal, LiteralKind, Operand, Operator};
use crate::error::Result;
use crate::store::inputs::CONTEXT;
use crate::store::python;
use crate::store::runs::RUN_NAME;

const ENTITIES: &[&str] = &["metric", "parameter", "tag", "attribute", "dataset"];
const ATTRIBUTES: &[&str] = &[
    "run_id", "run_name", "status", "user_id", "artifact_uri", "start_time", "end_time", "created",
    "Created", "run name", "Run name", "Run Name",
];
const ORDER_ATTRIBUTES: &[&str] = &[
    "run_id", "run_name", "status", "user_id", "artifact_uri", "start_time", "end_time", "created",
    "Created",
];
const DATASET_KEYS: &[&str] = &["name", "digest", "context"];
const NUMBER_OPERATORS: &[&str] = &["<", "<=", ">", ">=", "=", "!="];
const TEXT_OPERATORS: &[&str] = &["!=", "=", "LIKE", "ILIKE", "IS NULL", "IS NOT NULL"];
const ATTRIBUTE_OPERATORS: &[&str] = &["!=", "=", "LIKE", "ILIKE", "IN", "NOT IN"];

/// Characters of params and tags that are in an index (`schema::INDEXES`).
const PREFIX: usize = 64;

/// What an identifier names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    Metric(String),
    Param(String),
    Tag(String),
    /// With its canonical name.
    Attribute(&'static str),
    Dataset(String),
}

fn entity(name: &str) -> Result<&'static str> {
    Ok(match name {
        "metric" | "metrics" => "metric",
        "parameter" | "parameters" | "param" | "params" => "parameter",
        "tag" | "tags" => "tag",
        "attribute" | "attributes" | "attr" | "run" => "attribute",
        "dataset" | "datasets" => "dataset",
        other => {
            return Err(Error::invalid(format!(
                "Invalid entity type '{other}'. Valid values are {}",
                python::repr_list(ENTITIES)
            ))
            .into());
        }
    })
}

fn field(identifier: &str, attributes: &[&str]) -> Result<Field> {
    let (name, key) = split(identifier);
    Ok(match entity(name.as_deref().unwrap_or("attribute"))? {
        "metric" => Field::Metric(key),
        "parameter" => Field::Param(key),
        "tag" => Field::Tag(key),
        "dataset" => {
            if !DATASET_KEYS.contains(&key.as_str()) {
                return Err(Error::invalid(format!(
                    "Invalid dataset key '{key}' specified. Valid keys are '{}'",
                    python::repr_set(DATASET_KEYS)
                ))
                .into());
            }
            Field::Dataset(key)
        }
        _ => {
            check_attribute(&key, attributes)?;
            Field::Attribute(match key.as_str() {
                "run_id" => "run_id",
                "status" => "status",
                "user_id" => "user_id",
                "artifact_uri" => "artifact_uri",
                "start_time" | "created" | "Created" => "start_time",
                "end_time" => "end_time",
                _ => "run_name",
            })
        }
    })
}

/// The column of an attribute.
fn column(attribute: &str) -> &'static str {
    match attribute {
        "run_id" => "r.run_uuid",
        "status" => "r.status",
        "user_id" => "r.user_id",
        "artifact_uri" => "r.artifact_uri",
        "start_time" => "r.start_time",
        "end_time" => "r.end_time",
        _ => "r.name",
    }
}

fn invalid_operator(operator: &str, valid: &[&str], end: &str) -> crate::Error {
    Error::invalid(format!(
        "Invalid comparator '{operator}' not one of '{}{end}",
        python::repr_set(valid)
    ))
    .into()
}

/// One comparison, understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) field: Field,
    pub(crate) test: Test,
}

/// What must be true of the value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// Operator and number.
    Number(String, f64),
    NumberIn { negated: bool, values: Vec<f64> },
    NumberBetween { negated: bool, low: f64, high: f64 },
    /// Operator and text.
    Text(String, String),
    TextIn { negated: bool, values: Vec<String> },
    Missing,
    Present,
}

/// Understands a comparison, with upstream's messages for what is wrong.
pub(crate) fn resolve(comparison: &Comparison) -> Result<Condition> {
    let field = field(&comparison.identifier, ATTRIBUTES)?;
    let test = match &field {
        Field::Metric(key) => numeric_test(comparison, None, ("metric", key))?,
        Field::Attribute(name @ ("start_time" | "end_time")) => {
            numeric_test(comparison, Some(name), ("attribute", name))?
        }
        Field::Attribute(name) => attribute_test(comparison, name)?,
        Field::Param(_key) => param_or_tag_test(comparison, "parameter")?,
        Field::Tag(_key) => param_or_tag_test(comparison, "tag")?,
        Field::Dataset(key) => dataset_test(comparison, key)?,
    };
    Ok(Condition { field, test })
}

fn refuse_null_test(comparison: &Comparison, kind: &str, key: &str) -> Result<()> {
    if matches!(comparison.operator, Operator::IsNull | Operator::IsNotNull) {
        return Err(Error::invalid(format!(
            "IS NULL / IS NOT NULL is only supported for tags and params, not for '{kind}' '{key}'"
        ))
        .into());
    }
    Ok(())
}

fn numeric_test(
    comparison: &Comparison,
    attribute: Option<&str>,
    (kind, key): (&str, &str),
) -> Result<Test> {
    refuse_null_test(comparison, kind, key)?;
    let number = |literal: &Literal| {
        literal.number().ok_or_else(|| {
            let what = attribute.map_or_else(
                || "metric".to_owned(),
                |name| format!("numeric attribute: {name}"),
            );
            crate::Error::from(Error::invalid(format!(
                "Expected numeric value type for {what}. Found {}",
                literal.text
            )))
        })
    };
    let negated = matches!(comparison.operator, Operator::NotIn | Operator::NotBetween);
    match (&comparison.operator, &comparison.value) {
        (Operator::In | Operator::NotIn, Operand::List { items, .. }) if !items.is_empty() => {
            let values = items.iter().map(number).collect::<Result<_>>()?;
            Ok(Test::NumberIn { negated, values })
        }
        (Operator::Between | Operator::NotBetween, Operand::Range(low, high)) => {
            Ok(Test::NumberBetween { negated, low: number(low)?, high: number(high)? })
        }
        (operator, Operand::One(literal)) => {
            let value = number(literal)?;
            if !NUMBER_OPERATORS.contains(&operator.text()) {
                let valid =
                    if attribute.is_some() { ATTRIBUTE_OPERATORS } else { NUMBER_OPERATORS };
                return Err(invalid_operator(operator.text(), valid, ""));
            }
            Ok(Test::Number(operator.text().to_owned(), value))
        }
        (_operator, value) => {
            let text = value.text();
            Err(number(&Literal { kind: LiteralKind::Word, text }).err().unwrap_or_else(|| {
                Error::invalid("Expected numeric value type").into()
            }))
        }
    }
}

/// The text of a quoted value.
pub(super) fn quoted(literal: &Literal) -> Result<String> {
    literal.unquoted().map(str::to_owned).ok_or_else(|| {
        Error::invalid(format!(
            "Parameter value is either not quoted or unidentified quote types used for string \
             value {}. Use either single or double quotes.",
            literal.text
        ))
        .into()
    })
}

/// The texts of a list.
pub(super) fn quoted_list(items: &[Literal]) -> Result<Vec<String>> {
    if items.is_empty() {
        return Err(Error::invalid(
            "While parsing a list in the query, expected a non-empty list of string values, but \
             got empty list",
        )
        .into());
    }
    if items.iter().any(|item| item.kind != LiteralKind::Quoted) {
        let shown: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
        let end = if items.len() == 1 { "," } else { "" };
        let list = format!("({}{end})", shown.join(", "));
        return Err(Error::invalid(format!(
            "While parsing a list in the query, expected string value, punctuation, or \
             whitespace, but got different type in list: {list}"
        ))
        .into());
    }
    Ok(items.iter().filter_map(|item| item.unquoted().map(str::to_owned)).collect())
}

fn attribute_test(comparison: &Comparison, name: &str) -> Result<Test> {
    refuse_null_test(comparison, "attribute", name)?;
    let operator = comparison.operator.text();
    match &comparison.value {
        Operand::One(literal)
            if matches!(literal.kind, LiteralKind::Quoted | LiteralKind::Word) =>
        {
            let value = quoted(literal)?;
            if !ATTRIBUTE_OPERATORS.contains(&operator) {
                return Err(invalid_operator(operator, ATTRIBUTE_OPERATORS, "'"));
            }
            Ok(Test::Text(operator.to_owned(), value))
        }
        Operand::List { items, .. } => {
            if name != "run_id" {
                return Err(Error::invalid(
                    "Only ['run_id'] attributes support comparison with a list of quoted string \
                     values.",
                )
                .into());
            }
            let values = quoted_list(items)?;
            match comparison.operator {
                Operator::In => Ok(Test::TextIn { negated: false, values }),
                Operator::NotIn => Ok(Test::TextIn { negated: true, values }),
                _ => Err(Error::invalid(format!(
                    "a list can only be compared by IN and NOT IN, not by {operator}"
                ))
                .into()),
            }
        }
        value => Err(Error::invalid(format!(
            "Expected a quoted string value for attributes. Got value {}",
            value.text()
        ))
        .into()),
    }
}

fn param_or_tag_test(comparison: &Comparison, kind: &str) -> Result<Test> {
    let operator = comparison.operator.text();
    let got = |text: &str| {
        crate::Error::from(Error::invalid(format!(
            "Expected a quoted string value for {kind} (e.g. 'my-value'). Got value {text}"
        )))
    };
    // Params are often numbers, whose texts compare badly; so a number without quotes compares as one.
    let numeric = kind == "parameter";
    let negated = matches!(comparison.operator, Operator::NotIn | Operator::NotBetween);
    match &comparison.value {
        Operand::None if comparison.operator == Operator::IsNull => Ok(Test::Missing),
        Operand::None => Ok(Test::Present),
        Operand::One(literal) => {
            if let Some(number) = literal.number().filter(|_number| numeric) {
                if !NUMBER_OPERATORS.contains(&operator) {
                    return Err(got(&literal.text));
                }
                return Ok(Test::Number(operator.to_owned(), number));
            }
            if literal.number().is_some() {
                return Err(got(&literal.text));
            }
            let value = quoted(literal)?;
            if !TEXT_OPERATORS.contains(&operator) {
                let end = if numeric { "'" } else { "" };
                return Err(invalid_operator(operator, TEXT_OPERATORS, end));
            }
            Ok(Test::Text(operator.to_owned(), value))
        }
        Operand::List { items, text } => {
            let values: Option<Vec<f64>> = items.iter().map(Literal::number).collect();
            match values {
                Some(values)
                    if numeric
                        && !values.is_empty()
                        && matches!(comparison.operator, Operator::In | Operator::NotIn) =>
                {
                    Ok(Test::NumberIn { negated, values })
                }
                _ => Err(got(text)),
            }
        }
        Operand::Range(low, high) => match (low.number(), high.number()) {
            (Some(low), Some(high)) if numeric => {
                Ok(Test::NumberBetween { negated, low, high })
            }
            _ => Err(got(&comparison.value.text())),
        },
    }
}

fn dataset_test(comparison: &Comparison, key: &str) -> Result<Test> {
    refuse_null_test(comparison, "dataset", key)?;
    let operator = comparison.operator.text();
    match &comparison.value {
        Operand::One(literal)
            if matches!(literal.kind, LiteralKind::Quoted | LiteralKind::Word) =>
        {
            let value = quoted(literal)?;
            if !ATTRIBUTE_OPERATORS.contains(&operator) {
                return Err(invalid_operator(operator, ATTRIBUTE_OPERATORS, ""));
            }
            Ok(Test::Text(operator.to_owned(), value))
        }
        Operand::List { items, .. }
            if matches!(comparison.operator, Operator::In | Operator::NotIn) =>
        {
            let negated = comparison.operator == Operator::NotIn;
            Ok(Test::TextIn { negated, values: quoted_list(items)? })
        }
        value => Err(Error::invalid(format!(
            "Expected a quoted string value for dataset attributes. Got value {}",
            value.text()
        ))
        .into()),
    }
}

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
            // The index holds the start of the value; the whole value decides.
            if let Test::Text(operator, text) = test
                && operator == "="
            {
                let start: String = text.chars().take(PREFIX).collect();
                sql.push(&format!("substr({value}, 1, {PREFIX}) = ")).push_value(start).push(" AND ");
            }
            push_test(sql, &value, test);
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
        sql.push(&format!("{not}EXISTS (SELECT 1 FROM {table} x WHERE x.run_uuid = r.run_uuid AND "));
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

/// What runs are ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderBy {
    pub(crate) field: Field,
    pub(crate) ascending: bool,
}

impl OrderBy {
    /// The table and key whose value decides; none for a column of the run.
    pub(crate) fn table(&self) -> Option<(&'static str, &str)> {
        match &self.field {
            Field::Metric(key) => Some(("latest_metrics", key)),
            Field::Param(key) => Some(("params", key)),
            Field::Tag(key) => Some(("tags", key)),
            Field::Attribute(_) | Field::Dataset(_) => None,
        }
    }

    /// The run's column that decides, if it is one.
    pub(crate) fn column(&self) -> Option<&'static str> {
        match &self.field {
            Field::Attribute(name) => Some(column(name)),
            _ => None,
        }
    }
}

/// Understands order clauses; the tie-breaks are not in it.
pub(crate) fn order(clauses: &[String]) -> Result<Vec<OrderBy>> {
    let mut orders = Vec::with_capacity(clauses.len());
    for clause in parse_all(clauses)? {
        let field = field(&clause.identifier, ORDER_ATTRIBUTES)?;
        if let Field::Dataset(_) = field {
            return Err(Error::invalid("Invalid identifier type 'dataset'").into());
        }
        orders.push(OrderBy { field, ascending: clause.ascending });
    }
    let fields: Vec<&Field> = orders.iter().map(|order| &order.field).collect();
    check_unique(&fields, clauses)?;
    Ok(orders)
}
