//! Search of runs: which comparisons and orders there are, and upstream's words for those that are
//! none. What they mean in SQL is in `runs_sql`.

use trainyard_mlflow::Error;

use super::identifier::{check_attribute, split};
use super::order::{check_unique, parse_all};
use super::syntax::{Comparison, Literal, LiteralKind, Operand, Operator};
use crate::error::{Result, invalid};
use crate::store::python;

const ENTITIES: &[&str] = &["metric", "parameter", "tag", "attribute", "dataset"];
const ATTRIBUTES: &[&str] = &[
    "run_id",
    "run_name",
    "status",
    "user_id",
    "artifact_uri",
    "start_time",
    "end_time",
    "created",
    "Created",
    "run name",
    "Run name",
    "Run Name",
];
/// Without the names that only filters know, which come last.
const ORDER_ATTRIBUTES: &[&str] = ATTRIBUTES.split_at(ATTRIBUTES.len() - 3).0;
const DATASET_KEYS: &[&str] = &["name", "digest", "context"];
const NUMBER_OPERATORS: &[&str] = &["<", "<=", ">", ">=", "=", "!="];
const TEXT_OPERATORS: &[&str] = &["!=", "=", "LIKE", "ILIKE", "IS NULL", "IS NOT NULL"];
const ATTRIBUTE_OPERATORS: &[&str] = &["!=", "=", "LIKE", "ILIKE", "IN", "NOT IN"];

/// An attribute that upstream does not have.
const EXPERIMENT_NAME: &str = "experiment_name";

/// Characters of params and tags that are in an index (`schema::INDEXES`).
pub(super) const PREFIX: usize = 64;

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
        // Ours: upstream knows no experiments here.
        "experiment" | "experiments" => "experiment",
        other => {
            return invalid!(
                "Invalid entity type '{other}'. Valid values are {}",
                python::repr_list(ENTITIES)
            );
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
                return invalid!(
                    "Invalid dataset key '{key}' specified. Valid keys are '{}'",
                    python::repr_set(DATASET_KEYS)
                );
            }
            Field::Dataset(key)
        }
        "experiment" if key == "name" => Field::Attribute(EXPERIMENT_NAME),
        "experiment" => {
            return invalid!(
                "Invalid experiment key '{key}' specified. Valid keys are '{{'name'}}'"
            );
        }
        "attribute" if key == EXPERIMENT_NAME => Field::Attribute(EXPERIMENT_NAME),
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
pub(super) fn column(attribute: &str) -> &'static str {
    match attribute {
        "run_id" => "r.run_uuid",
        "status" => "r.status",
        "user_id" => "r.user_id",
        "artifact_uri" => "r.artifact_uri",
        "start_time" => "r.start_time",
        "end_time" => "r.end_time",
        EXPERIMENT_NAME => {
            "(SELECT e.name FROM experiments e WHERE e.experiment_id = r.experiment_id)"
        }
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
    NumberIn {
        negated: bool,
        values: Vec<f64>,
    },
    NumberBetween {
        negated: bool,
        low: f64,
        high: f64,
    },
    /// Operator and text.
    Text(String, String),
    TextIn {
        negated: bool,
        values: Vec<String>,
    },
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
        return invalid!(
            "IS NULL / IS NOT NULL is only supported for tags and params, not for '{kind}' '{key}'"
        );
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
            let what = attribute
                .map_or_else(|| "metric".to_owned(), |name| format!("numeric attribute: {name}"));
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
            Err(number(&Literal { kind: LiteralKind::Word, text })
                .err()
                .unwrap_or_else(|| Error::invalid("Expected numeric value type").into()))
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
        return invalid!(
            "While parsing a list in the query, expected a non-empty list of string values, but \
             got empty list"
        );
    }
    if items.iter().any(|item| item.kind != LiteralKind::Quoted) {
        let shown: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
        let end = if items.len() == 1 { "," } else { "" };
        let list = format!("({}{end})", shown.join(", "));
        return invalid!(
            "While parsing a list in the query, expected string value, punctuation, or \
             whitespace, but got different type in list: {list}"
        );
    }
    Ok(items.iter().filter_map(|item| item.unquoted().map(str::to_owned)).collect())
}

/// A comparison of an attribute with a text; `end` closes the sentence about a wrong operator.
fn text_test(literal: &Literal, operator: &str, end: &str) -> Result<Test> {
    let value = quoted(literal)?;
    if !ATTRIBUTE_OPERATORS.contains(&operator) {
        return Err(invalid_operator(operator, ATTRIBUTE_OPERATORS, end));
    }
    Ok(Test::Text(operator.to_owned(), value))
}

fn attribute_test(comparison: &Comparison, name: &str) -> Result<Test> {
    refuse_null_test(comparison, "attribute", name)?;
    let operator = comparison.operator.text();
    match &comparison.value {
        Operand::One(literal)
            if matches!(literal.kind, LiteralKind::Quoted | LiteralKind::Word) =>
        {
            text_test(literal, operator, "'")
        }
        Operand::List { items, .. } => {
            if !["run_id", EXPERIMENT_NAME].contains(&name) {
                return invalid!(
                    "Only ['run_id'] attributes support comparison with a list of quoted string \
                     values."
                );
            }
            let values = quoted_list(items)?;
            match comparison.operator {
                Operator::In => Ok(Test::TextIn { negated: false, values }),
                Operator::NotIn => Ok(Test::TextIn { negated: true, values }),
                _ => invalid!("a list can only be compared by IN and NOT IN, not by {operator}"),
            }
        }
        value => {
            invalid!("Expected a quoted string value for attributes. Got value {}", value.text())
        }
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
            (Some(low), Some(high)) if numeric => Ok(Test::NumberBetween { negated, low, high }),
            _ => Err(got(&comparison.value.text())),
        },
    }
}

fn dataset_test(comparison: &Comparison, key: &str) -> Result<Test> {
    refuse_null_test(comparison, "dataset", key)?;
    match &comparison.value {
        Operand::One(literal)
            if matches!(literal.kind, LiteralKind::Quoted | LiteralKind::Word) =>
        {
            text_test(literal, comparison.operator.text(), "")
        }
        Operand::List { items, .. }
            if matches!(comparison.operator, Operator::In | Operator::NotIn) =>
        {
            let negated = comparison.operator == Operator::NotIn;
            Ok(Test::TextIn { negated, values: quoted_list(items)? })
        }
        value => invalid!(
            "Expected a quoted string value for dataset attributes. Got value {}",
            value.text()
        ),
    }
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
            return invalid!("Invalid identifier type 'dataset'");
        }
        orders.push(OrderBy { field, ascending: clause.ascending });
    }
    let fields: Vec<&Field> = orders.iter().map(|order| &order.field).collect();
    check_unique(&fields, clauses)?;
    Ok(orders)
}
