//! SQL under construction: text and the values bound to its placeholders.

use crate::error::Result;
use crate::store::database::{Dialect, List, Value};

use super::syntax::{Comparison, Expression};

/// Longest list whose values are bound one by one: each number of them is a statement of its own, and
/// databases take some ten thousand at most.
const PLACEHOLDERS_MAX: usize = 50;

/// A kind of value that can be bound as a list.
pub(crate) trait Listed: Into<Value<'static>> {
    fn list(values: Vec<Self>) -> List;
}

impl Listed for i64 {
    fn list(values: Vec<Self>) -> List {
        List::Ints(values)
    }
}

impl Listed for f64 {
    fn list(values: Vec<Self>) -> List {
        List::Reals(values)
    }
}

impl Listed for String {
    fn list(values: Vec<Self>) -> List {
        List::Texts(values)
    }
}

/// A piece of SQL with its values.
#[derive(Debug)]
pub(crate) struct Sql {
    pub(crate) text: String,
    pub(crate) values: Vec<Value<'static>>,
    dialect: Dialect,
}

impl Sql {
    /// Nothing yet.
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { text: String::new(), values: Vec::new(), dialect }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Appends text.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Binds a value and returns its placeholder.
    pub(crate) fn bind(&mut self, value: impl Into<Value<'static>>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    /// Binds a value and appends its placeholder.
    pub(crate) fn push_value(&mut self, value: impl Into<Value<'static>>) -> &mut Self {
        let placeholder = self.bind(value);
        self.push(&placeholder)
    }

    /// Appends `(?1, ?2, …)`, or one placeholder for all of many.
    pub(crate) fn push_list<T: Listed>(
        &mut self,
        values: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        let values: Vec<T> = values.into_iter().collect();
        if values.len() > PLACEHOLDERS_MAX {
            let placeholder = self.bind(Value::List(T::list(values)));
            let list = self.dialect.list(&placeholder);
            return self.push(&list);
        }
        self.push("(");
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.push_value(value);
        }
        self.push(")")
    }

    /// Appends `column LIKE ?` or its kin.
    pub(crate) fn push_text_comparison(
        &mut self,
        column: &str,
        operator: &str,
        value: String,
    ) -> &mut Self {
        let placeholder = self.bind(value);
        let text = match operator {
            "LIKE" => self.dialect.like(column, &placeholder),
            "ILIKE" => self.dialect.ilike(column, &placeholder),
            "RLIKE" => self.dialect.rlike(column, &placeholder),
            operator => format!("{column} {operator} {placeholder}"),
        };
        self.push(&text)
    }

    /// Appends a tree, each comparison as `comparison` writes it.
    pub(crate) fn push_expression(
        &mut self,
        expression: &Expression,
        comparison: &mut dyn FnMut(&Comparison, &mut Self) -> Result<()>,
    ) -> Result<()> {
        match expression {
            Expression::Comparison(leaf) => comparison(leaf, self),
            Expression::Not(inner) => {
                self.push("NOT (");
                self.push_expression(inner, comparison)?;
                self.push(")");
                Ok(())
            }
            Expression::And(parts) => self.push_parts(parts, " AND ", comparison),
            Expression::Or(parts) => self.push_parts(parts, " OR ", comparison),
        }
    }

    fn push_parts(
        &mut self,
        parts: &[Expression],
        separator: &str,
        comparison: &mut dyn FnMut(&Comparison, &mut Self) -> Result<()>,
    ) -> Result<()> {
        self.push("(");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.push(separator);
            }
            self.push_expression(part, comparison)?;
        }
        self.push(")");
        Ok(())
    }
}
