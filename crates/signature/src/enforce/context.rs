//! What one request is read with: its rules, and what was found wrong so far.

use super::cast::Casting;
use super::names::numpy_name;
use super::plan::{Content, Input};
use super::rejection::{Rejection, Step, Violation, shorten};
use crate::model::DataType;

/// What a request may be at most. The size of the body is the caller's to limit.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Rows of one request. A million rows of a small model are seconds of work.
    pub rows_max: usize,
    /// Nesting of arrays and objects. Data is 3 or 4 deep; a deeper text is an attack on the stack.
    pub depth_max: usize,
    /// Bytes of one string: a category is short, a document is not that long.
    pub string_bytes_max: usize,
    /// Violations that are reported one by one; the rest is counted.
    pub violations_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows_max: 1_000_000, depth_max: 64, string_bytes_max: 1 << 20, violations_max: 20 }
    }
}

/// Rules and findings of one request.
#[derive(Debug)]
pub(crate) struct Context<'e> {
    pub(crate) casting: Casting,
    pub(crate) limits: &'e Limits,
    /// Whether binary columns come as base64 (upstream: only in data frames).
    pub(crate) base64: bool,
    /// Whether values come from CSV, where all of them are text.
    pub(crate) csv: bool,
    /// The row that is being read.
    pub(crate) row: usize,
    /// The column that is being read.
    pub(crate) column: &'e str,
    /// Its type; none for a tensor.
    column_type: Option<&'e DataType>,
    violations: Vec<Violation>,
    total: usize,
    /// (column, numpy's name of its type) of the first cast that failed.
    first_cast: Option<(String, String)>,
}

impl<'e> Context<'e> {
    pub(crate) fn new(casting: Casting, limits: &'e Limits) -> Self {
        Self {
            casting,
            limits,
            base64: true,
            csv: false,
            row: 0,
            column: "",
            column_type: None,
            violations: Vec::new(),
            total: 0,
            first_cast: None,
        }
    }

    /// From here on values of `input` are read.
    #[inline]
    pub(crate) fn enter(&mut self, input: &'e Input) {
        self.column = &input.name;
        self.column_type = match &input.content {
            Content::Column { data_type, .. } => Some(data_type),
            Content::Tensor { .. } => None,
        };
    }

    /// Notes that a value does not become its type.
    #[cold]
    pub(crate) fn report_cast(
        &mut self,
        value: &str,
        data_type: &DataType,
        problem: impl FnOnce() -> String,
    ) {
        // Upstream names columns, not tensors.
        if let (None, Some(column_type), false) =
            (&self.first_cast, self.column_type, self.is_full())
        {
            self.first_cast = Some((self.column.to_owned(), numpy_name(column_type)));
        }
        let (column, row) = (self.column, self.row);
        self.report(|| Violation {
            column: (!column.is_empty()).then(|| column.to_owned()),
            row: Some(row),
            value: Some(shorten(value)),
            expected: Some(data_type.to_string()),
            problem: problem(),
        });
    }

    /// Notes anything else that is wrong. What is only counted, as much was told already, nobody puts
    /// into words.
    #[cold]
    pub(crate) fn report(&mut self, violation: impl FnOnce() -> Violation) {
        if !self.is_full() {
            self.violations.push(violation());
        }
        self.total += 1;
    }

    fn is_full(&self) -> bool {
        self.violations.len() >= self.limits.violations_max
    }

    /// Notes something wrong with a row as a whole.
    #[cold]
    pub(crate) fn report_row(&mut self, problem: impl FnOnce() -> String) {
        let row = Some(self.row);
        self.report(|| Violation {
            column: None,
            row,
            value: None,
            expected: None,
            problem: problem(),
        });
    }

    /// Nothing wrong so far.
    pub(crate) fn is_clean(&self) -> bool {
        self.total == 0
    }

    /// The first thing that was found wrong.
    pub(crate) fn first_problem(&self) -> Option<String> {
        self.violations.first().map(|violation| violation.problem.clone())
    }

    /// What was found wrong, and how much there was.
    pub(crate) fn into_violations(self) -> (Vec<Violation>, usize) {
        (self.violations, self.total)
    }

    /// A refusal that says `message` and carries what was found.
    pub(crate) fn reject(self, step: Step, message: String) -> Rejection {
        Rejection { step, message, violations: self.violations, violations_total: self.total }
    }

    /// The refusal for what was found, in upstream's words where it has them.
    pub(crate) fn into_rejection(self) -> Rejection {
        let first = self.violations.first().map(ToString::to_string).unwrap_or_default();
        let count = match self.total {
            0 | 1 => String::new(),
            total => format!(" ({total} violations in all)"),
        };
        let message = match &self.first_cast {
            Some((column, data_type)) => format!(
                "Invalid input. Data is not compatible with model signature. Failed to convert \
                 column {column} to type '{data_type}'. Error: '{first}'{count}"
            ),
            None => format!("Invalid input. {first}{count}"),
        };
        self.reject(Step::Cast, message)
    }
}
