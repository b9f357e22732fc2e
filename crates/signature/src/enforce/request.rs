//! A request while it is read: the buffers of a [`Plan`], and what was found on the way. What its text may
//! look like is in [`super::forms`].

use std::collections::HashMap;

use trainyard_base::json::Syntax;

use super::buffer::Buffer;
use super::cast::Casting;
use super::context::{Context, Limits};
use super::names::list_text;
use super::plan::Plan;
use super::rejection::{Rejection, Step, Violation, shorten};

/// Why reading stopped before the end.
#[derive(Debug)]
pub(crate) enum Stop {
    Syntax(Syntax),
    Rejected(Rejection),
}

impl From<Syntax> for Stop {
    fn from(syntax: Syntax) -> Self {
        Self::Syntax(syntax)
    }
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl Stop {
    /// The refusal of a request of this text, with nothing in it that is longer than somebody reads.
    pub(crate) fn into_rejection(self, text: &str) -> Rejection {
        let rejection = match self {
            Self::Rejected(rejection) => rejection,
            Self::Syntax(syntax) => Rejection::parse(format!(
                "Invalid input. Ensure that input is a valid JSON formatted string. Error: '{}'",
                syntax.describe(text)
            )),
        };
        rejection.bounded()
    }
}

pub(crate) type Result<T, E = Stop> = std::result::Result<T, E>;

/// Refuses the body as a whole.
pub(crate) fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(Stop::Rejected(Rejection::parse(message)))
}

/// Names of extra columns that are kept for the message; a request may hold a million.
pub(crate) const EXTRA_MAX: usize = 20;

/// Cells that any request may take, however short it is: 8 MB of numbers.
const CELLS_FREE_MAX: usize = 1 << 20;

/// Rows that a text of so many bytes may have: a value takes a byte at least, and a comma most often.
fn rows_max(plan: &Plan, limits: &Limits, bytes: usize) -> usize {
    let cells_max = bytes.saturating_add(CELLS_FREE_MAX);
    limits.rows_max.min(cells_max / plan.inputs.len().max(1))
}

/// A request being read.
#[derive(Debug)]
pub(crate) struct Request<'e> {
    pub(crate) plan: &'e Plan,
    pub(crate) buffers: Vec<Buffer<'e>>,
    pub(crate) context: Context<'e>,
    /// Rows of the request; for columns, the length of the longest.
    pub(crate) rows: usize,
    /// Names that the signature does not know.
    pub(crate) extra: Vec<String>,
    /// Values beyond the signature in a request without names.
    pub(crate) extra_positions: usize,
    /// For each input, how many of the first records did not have it.
    pub(crate) absent: Vec<usize>,
    /// Where each name of the first record stands, for unnamed signatures.
    pub(crate) positions: HashMap<String, usize>,
    /// Whether the input had the form of a data frame, not of arrays.
    pub(crate) frame: bool,
    /// Rows that the request may have: each fills a cell of every column, also of those that it lacks,
    /// so a short text of many rows would take a hundred times its bytes.
    pub(crate) rows_max: usize,
}

impl<'e> Request<'e> {
    pub(crate) fn new(plan: &'e Plan, casting: Casting, limits: &'e Limits, bytes: usize) -> Self {
        // Ten bytes a value is what JSON takes at least in practice; a guess only saves growing.
        let capacity = (bytes / 10 / plan.inputs.len().max(1)).clamp(1, 4096);
        Self {
            rows_max: rows_max(plan, limits, bytes),
            buffers: Buffer::all(plan, capacity),
            context: Context::new(casting, limits),
            rows: 0,
            extra: Vec::new(),
            extra_positions: 0,
            absent: vec![0; plan.inputs.len()],
            positions: HashMap::new(),
            frame: true,
            plan,
        }
    }

    /// Refuses a table that the columns which it lacks would make much larger, and one of very many
    /// columns.
    pub(crate) fn check_table(&mut self, columns: usize, rows: usize) -> Result<()> {
        self.rows = rows;
        let cells = columns.saturating_mul(rows);
        self.rows_max = rows_max(self.plan, self.context.limits, cells.saturating_mul(2));
        self.check_width(columns)?;
        self.check_rows()
    }

    pub(crate) fn note_extra(&mut self, name: &str) {
        if self.extra.len() < EXTRA_MAX {
            let name = shorten(name);
            if !self.extra.contains(&name) {
                self.extra.push(name);
            }
        }
    }

    pub(crate) fn next_row(&mut self) -> Result<()> {
        self.rows += 1;
        // Checked on the way, so that a request over the limit is not read to its end.
        if self.rows > self.rows_max { self.check_rows() } else { Ok(()) }
    }

    /// There is at least one row, and not more than the limits.
    pub(crate) fn check_rows(&self) -> Result<()> {
        match self.rows {
            0 => refuse("Invalid input. The request holds no rows."),
            rows if rows <= self.rows_max => Ok(()),
            rows if rows > self.context.limits.rows_max => refuse(format!(
                "Invalid input. The request has more than {} rows; send it in parts.",
                self.context.limits.rows_max
            )),
            _ => refuse(format!(
                "Invalid input. {} columns for each of more than {} rows take much more room than the \
                 request; send the rows in parts.",
                self.plan.inputs.len(),
                self.rows_max
            )),
        }
    }

    /// Refuses a row or header that is wider than what the model takes explains.
    pub(crate) fn check_width(&self, width: usize) -> Result<()> {
        let max = self.plan.width_max();
        if width <= max {
            return Ok(());
        }
        refuse(format!(
            "Invalid input. The request has more than {max} columns; the model takes {}.",
            self.plan.width
        ))
    }

    /// Optional inputs that the request does not have at all.
    pub(crate) fn absent_optional(&self) -> Vec<String> {
        let inputs = self.plan.inputs.iter().zip(&self.absent);
        inputs
            .filter(|(input, absent)| !input.is_required() && **absent >= self.rows)
            .map(|(input, _)| input.name.clone())
            .collect()
    }

    /// A refusal by the schema, in upstream's words.
    pub(crate) fn schema_rejection(&self, error: &str) -> Rejection {
        Rejection::whole(
            Step::Schema,
            format!(
                "Failed to enforce schema of data with schema '{}'. Error: {error}",
                self.plan.text
            ),
        )
    }

    /// Refuses a request that lacks required columns or is of another shape than the signature.
    pub(crate) fn check_schema(&self) -> std::result::Result<(), Box<Rejection>> {
        let missing = self.missing();
        if !missing.is_empty() {
            return Err(Box::new(self.missing_rejection(&missing)));
        }
        for buffer in &self.buffers {
            if let Buffer::Tensor(tensor) = buffer
                && let Some(problem) = tensor.shape_problem()
            {
                return Err(Box::new(self.schema_rejection(&problem)));
            }
        }
        Ok(())
    }

    pub(crate) fn missing_rejection(&self, missing: &[&str]) -> Rejection {
        let declared = self.plan.inputs.len();
        let mut rejection = if self.plan.named {
            let extra = if self.extra_positions > 0 {
                let positions: Vec<String> =
                    (0..self.extra_positions.min(EXTRA_MAX)).map(|p| p.to_string()).collect();
                format!("[{}]", positions.join(", "))
            } else {
                list_text(&self.extra)
            };
            let note = match extra.as_str() {
                "[]" => String::new(),
                extra => format!(" Note that there were extra inputs: {extra}."),
            };
            self.schema_rejection(&format!("Model is missing inputs {}.{note}", list_text(missing)))
        } else {
            self.schema_rejection(&format!(
                "Model inference is missing inputs. The model signature declares {declared} \
                 inputs  but the provided value only has {} inputs. Note: the inputs were not \
                 named in the signature so we can only verify their count.",
                declared - missing.len()
            ))
        };
        let violation = |name: &&str| Violation {
            column: Some((*name).to_owned()),
            row: None,
            value: None,
            expected: self.plan.type_of(name),
            problem: "column is missing".to_owned(),
        };
        rejection.violations_total = missing.len();
        rejection.violations =
            missing.iter().take(self.context.limits.violations_max).map(violation).collect();
        rejection
    }

    /// Names of required inputs that the request does not have at all.
    fn missing(&self) -> Vec<&'e str> {
        let absent = |index: usize| {
            let never = self.absent.get(index).is_some_and(|absent| *absent >= self.rows);
            never || self.buffers.get(index).is_none_or(|buffer| buffer.len() == 0)
        };
        self.plan
            .inputs
            .iter()
            .enumerate()
            .filter(|(index, input)| input.is_required() && absent(*index))
            .map(|(_, input)| input.name.as_str())
            .collect()
    }
}
