//! The syntax tree of a condition.

use std::cmp::Ordering;

/// A condition on a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Comparison(Comparison),
}

/// `column operator value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) column: String,
    pub(super) operator: Operator,
    pub(super) operand: Operand,
}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operand {
    /// The word `null`, without quotes.
    Null,
    /// Values of which one must do: those of `in`, or a single one.
    AnyOf(Vec<String>),
    /// Another column, in rules.
    Column(String),
}

/// How a value compares with another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

impl Operator {
    /// The operator that is written so.
    pub(super) fn of(sign: &str) -> Option<Self> {
        Some(match sign {
            "=" | "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterEqual,
            _ => return None,
        })
    }

    /// Values that cannot be compared (NaN) are only unequal.
    pub(super) fn holds(self, ordering: Option<Ordering>) -> bool {
        match self {
            Self::Equal => ordering == Some(Ordering::Equal),
            Self::NotEqual => ordering != Some(Ordering::Equal),
            Self::Less => ordering == Some(Ordering::Less),
            Self::LessEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => ordering == Some(Ordering::Greater),
            Self::GreaterEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

impl Condition {
    /// Adds the columns that it looks at to `columns`, each once.
    pub(super) fn add_columns(&self, columns: &mut Vec<String>) {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.add_columns(columns);
                }
            }
            Self::Not(inner) => inner.add_columns(columns),
            Self::Comparison(Comparison { column, operand, .. }) => {
                let other = match operand {
                    Operand::Column(other) => Some(other),
                    Operand::Null | Operand::AnyOf(_) => None,
                };
                for column in std::iter::once(column).chain(other) {
                    if !columns.contains(column) {
                        columns.push(column.clone());
                    }
                }
            }
        }
    }

    /// The condition with values that are names of columns as these.
    pub(super) fn with_columns(self, names: &[String]) -> Self {
        let all = |parts: Vec<Self>| -> Vec<Self> {
            parts.into_iter().map(|part| part.with_columns(names)).collect()
        };
        match self {
            Self::And(parts) => Self::And(all(parts)),
            Self::Or(parts) => Self::Or(all(parts)),
            Self::Not(inner) => Self::Not(Box::new(inner.with_columns(names))),
            Self::Comparison(comparison) => {
                let operand = match comparison.operand {
                    Operand::AnyOf(mut values)
                        if values.len() == 1 && names.contains(&values[0]) =>
                    {
                        Operand::Column(values.remove(0))
                    }
                    operand => operand,
                };
                Self::Comparison(Comparison { operand, ..comparison })
            }
        }
    }
}
