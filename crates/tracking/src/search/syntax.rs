//! The syntax tree of a filter.

use std::fmt;

/// A condition on what is searched.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Comparison(Comparison),
}

/// `identifier operator value`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    /// As written, with its quotes: ``params.`my param` ``.
    pub(crate) identifier: String,
    pub(crate) operator: Operator,
    pub(crate) value: Operand,
}

/// What compares. Anything of `<>=!~` is read, so that a search can say what it does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operator {
    Symbol(String),
    Like,
    Ilike,
    /// A regular expression, in searches of traces only.
    Rlike,
    In,
    NotIn,
    Between,
    NotBetween,
    IsNull,
    IsNotNull,
}

impl Operator {
    /// In capitals, as messages and SQL have it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Symbol(symbol) => symbol,
            Self::Like => "LIKE",
            Self::Ilike => "ILIKE",
            Self::Rlike => "RLIKE",
            Self::In => "IN",
            Self::NotIn => "NOT IN",
            Self::Between => "BETWEEN",
            Self::NotBetween => "NOT BETWEEN",
            Self::IsNull => "IS NULL",
            Self::IsNotNull => "IS NOT NULL",
        }
    }
}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    /// Of `IS NULL` and `IS NOT NULL`.
    None,
    One(Literal),
    /// Of `IN`; `text` is the list as written.
    List {
        text: String,
        items: Vec<Literal>,
    },
    /// Of `BETWEEN`.
    Range(Literal, Literal),
}

impl Operand {
    /// As written.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::One(literal) => literal.text.clone(),
            Self::List { text, .. } => text.clone(),
            Self::Range(low, high) => format!("{} AND {}", low.text, high.text),
        }
    }
}

/// A value as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Literal {
    pub(crate) kind: LiteralKind,
    /// With its quotes, if it has any.
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LiteralKind {
    /// In single quotes, or in double quotes, which upstream takes as well.
    Quoted,
    Integer,
    Float,
    /// Something without quotes.
    Word,
}

impl Literal {
    /// The text within the quotes; none if there are none.
    pub(crate) fn unquoted(&self) -> Option<&str> {
        (self.kind == LiteralKind::Quoted).then(|| {
            let inner = self.text.get(1..self.text.len().saturating_sub(1));
            inner.unwrap_or_default()
        })
    }

    /// The number; none if it is no number.
    pub(crate) fn number(&self) -> Option<f64> {
        match self.kind {
            LiteralKind::Integer | LiteralKind::Float => self.text.parse().ok(),
            LiteralKind::Quoted | LiteralKind::Word => None,
        }
    }
}

impl fmt::Display for Expression {
    /// The filter in a plain form that parses to the same tree.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                match part {
                    Self::Comparison(_) => write!(f, "{part}")?,
                    _ => write!(f, "({part})")?,
                }
            }
            Ok(())
        };
        match self {
            Self::And(parts) => list(f, parts, "AND"),
            Self::Or(parts) => list(f, parts, "OR"),
            Self::Not(inner) => write!(f, "NOT ({inner})"),
            Self::Comparison(Comparison { identifier, operator, value }) => {
                write!(f, "{identifier} {}", operator.text())?;
                match value {
                    Operand::None => Ok(()),
                    value => write!(f, " {}", value.text()),
                }
            }
        }
    }
}
