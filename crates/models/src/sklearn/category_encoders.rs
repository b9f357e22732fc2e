//! The package category_encoders: each category of a column becomes the numbers that a table of training has for it.
//!
//! Most encoders number the categories first (their `ordinal_encoder`) and keep a table by number, in which -1 stands for
//! categories that training had not and -2 for what is missing; others keep a table by category. Here both are one
//! table by category, made when the model is loaded.

use std::collections::HashMap;

use super::data::{Column, Frame, Matrix, Table};
use super::encoders::{Key, check_texts, has_text, keys};
use super::estimator::{Estimator, Fields};
use super::reader::{Boxed, Reader};
use crate::any::Cell;
use crate::python::Value;
use crate::python::pandas;
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[
    Reader::new("OrdinalEncoder", |fields, _| read(fields, ordinal)),
    Reader::new("OneHotEncoder", |fields, _| {
        read(fields, |fields, name| numbered(fields, name, true))
    }),
    Reader::new("BinaryEncoder BaseNEncoder GrayEncoder", |fields, _| read(fields, by_number)),
    Reader::new(CONTRASTS, |fields, _| read(fields, by_number)),
    Reader::new(
        "TargetEncoder JamesSteinEncoder MEstimateEncoder WOEEncoder GLMMEncoder QuantileEncoder",
        |fields, _| read(fields, by_number),
    ),
    Reader::new("LeaveOneOutEncoder CatBoostEncoder", |fields, _| read(fields, means)),
    Reader::new("CountEncoder", |fields, _| read(fields, counts)),
];

const CONTRASTS: &str = "HelmertEncoder SumEncoder BackwardDifferenceEncoder PolynomialEncoder";

/// Number of a category that training had not.
const UNKNOWN: f64 = -1.0;

/// Number of what is missing.
const MISSING: f64 = -2.0;

/// Values of all categories of all columns; one-hot columns of many categories are the largest.
const CELLS_MAX: usize = 1 << 26;

/// An encoder.
#[derive(Debug)]
struct Encoder {
    /// What becomes of each column.
    columns: Vec<Option<Encoded>>,
    /// Whether a column of ones comes first: contrasts of version 2.6 have it.
    has_intercept: bool,
}

/// The name of that column.
const INTERCEPT: &str = "intercept";

/// The table of one column.
#[derive(Debug)]
struct Encoded {
    /// Names of the columns that it becomes, by which later steps may pick them; empty for its own.
    names: Vec<String>,
    by_category: HashMap<Key, Vec<f64>>,
    /// Whether categories are texts.
    has_text: bool,
    /// For a category that training had not.
    unknown: Rule,
    /// For what is missing, also where training had such.
    missing: Rule,
}

#[derive(Debug, Clone)]
enum Rule {
    Refused,
    Becomes(Vec<f64>),
}

/// Reads an encoder, `column` the table of each of its columns.
fn read(
    fields: Fields<'_>,
    column: impl Fn(Fields<'_>, Value<'_>) -> Result<Encoded>,
) -> Result<Boxed> {
    for (name, what) in [
        ("min_group_lumping_", "rare categories that share one (min_group_size)"),
        ("_min_group_categories", "rare categories that share one (min_group_size)"),
        ("composite_members_", "categories of several columns (composite_cols)"),
    ] {
        let there = fields.optional(name).and_then(Value::entries);
        if there.is_some_and(|entries| !entries.is_empty()) {
            return Err(unsupported(fields, what));
        }
    }
    let dropped = fields.optional("invariant_cols").and_then(Value::items).unwrap_or_default();
    if fields.flag("drop_invariant", false) && !dropped.is_empty() {
        return Err(unsupported(
            fields,
            "columns that are dropped since all rows agree (drop_invariant)",
        ));
    }
    let inputs = fields.optional("feature_names_in_").and_then(Value::items);
    let inputs = inputs.ok_or_else(|| {
        unsupported(fields, "a file of a version before 2.6, or of one not fitted,")
    })?;
    let inputs: Vec<Option<Cell>> = inputs.into_iter().map(cell).collect();
    let mut columns: Vec<Option<Encoded>> = inputs.iter().map(|_| None).collect();
    let mut cells = 0_usize;
    for name in fields.items("cols")? {
        let wanted = cell(name);
        let at = inputs.iter().position(|input| input.is_some() && *input == wanted);
        let slot = at.and_then(|at| columns.get_mut(at));
        let slot = slot.ok_or_else(|| fields.malformed("cols names a column that is no input"))?;
        let mut encoded = column(fields, name)?;
        // Columns may refer to one table in the file; each has its own here.
        cells = cells.saturating_add(encoded.size_bytes() / size_of::<f64>());
        if cells > CELLS_MAX {
            return Err(fields.malformed(format!("tables of more than {CELLS_MAX} numbers")));
        }
        if fields.text("handle_missing", "value") == "error" {
            encoded.missing = Rule::Refused;
        }
        *slot = Some(encoded);
    }
    let has_intercept = has_intercept(fields, &inputs, width(&columns))?;
    Ok(Box::new(Encoder { columns, has_intercept }))
}

/// Columns that these become.
fn width(columns: &[Option<Encoded>]) -> usize {
    columns.iter().map(|encoded| encoded.as_ref().map_or(1, Encoded::width)).sum()
}

/// Whether contrasts answer a column of ones before the `width` columns of their tables.
fn has_intercept(fields: Fields<'_>, inputs: &[Option<Cell>], width: usize) -> Result<bool> {
    if !CONTRASTS.split(' ').any(|class| class == fields.name()) {
        return Ok(false);
    }
    let outputs = names_out(fields)
        .ok_or_else(|| unsupported(fields, "a file without the names of its columns"))?;
    let is_first = outputs.first().is_some_and(|name| name == INTERCEPT);
    if outputs.len() == width {
        return Ok(false);
    }
    if !is_first || outputs.len() != width + 1 {
        return Err(fields.malformed(format!("{} names of {width} columns", outputs.len())));
    }
    // The ones would take its place.
    if inputs.contains(&Some(Cell::Text(INTERCEPT.to_owned()))) {
        return Err(unsupported(fields, "a column of the name \"intercept\""));
    }
    Ok(true)
}

/// Names of the columns that an encoder answers.
fn names_out(fields: Fields<'_>) -> Option<Vec<String>> {
    let name = |value| match cell(value)? {
        Cell::Text(text) => Some(text),
        Cell::Number(at) => Some(at.to_string()),
        Cell::Missing => None,
    };
    fields.optional("feature_names_out_")?.items()?.into_iter().map(name).collect()
}

/// Names of the columns of the data frame that `transform` answers, where it is one: of an encoder, or of a pipeline
/// that ends with it.
pub(super) fn frame_names(value: Value<'_>) -> Option<Vec<String>> {
    let fields = Fields(value);
    if fields.name() == "Pipeline" {
        let last = value.get("steps")?.items()?.pop()?.items()?.pop()?;
        return frame_names(last);
    }
    let is_ours = value.class()?.starts_with("category_encoders.");
    (is_ours && fields.flag("return_df", true)).then(|| names_out(fields)).flatten()
}

fn unsupported(fields: Fields<'_>, what: &str) -> Error {
    Error::Unsupported {
        what: format!("{what} of category_encoders' {}", fields.name()),
        hint: "serve the model with Python workers (--python-workers)".to_owned(),
    }
}

/// A name of a column.
fn cell(value: Value<'_>) -> Option<Cell> {
    value
        .text()
        .map(|text| Cell::Text(text.to_owned()))
        .or_else(|| value.int().map(|at| Cell::Number(at as f64)))
}

fn key(cell: &Cell) -> Key {
    match cell {
        Cell::Number(x) => Key::number(*x),
        Cell::Text(text) => Key::text(Some(text)),
        Cell::Missing => Key::Missing,
    }
}

fn number(cell: &Cell) -> f64 {
    if let Cell::Number(x) = cell { *x } else { f64::NAN }
}

/// What an attribute holds for a column: an entry of a dict, or of a list of `{"col": …, "mapping": …}`.
fn of_column<'a>(fields: Fields<'a>, attribute: &str, name: Value<'_>) -> Result<Value<'a>> {
    let all = fields.value(attribute)?;
    let wanted = cell(name);
    let found = match all.entries() {
        Some(entries) => entries.into_iter().find(|(key, _)| cell(*key) == wanted).map(|(_, v)| v),
        None => all
            .items()
            .unwrap_or_default()
            .into_iter()
            .find(|entry| entry.get("col").is_some_and(|column| cell(column) == wanted))
            .and_then(|entry| entry.get("mapping")),
    };
    found.ok_or_else(|| fields.malformed(format!("{attribute} has nothing for a column of cols")))
}

/// A series of numbers by category, in order.
fn series(fields: Fields<'_>, value: Value<'_>) -> Result<Vec<(Key, f64)>> {
    let series = pandas::Series::read(value)
        .ok_or_else(|| unsupported(fields, "a table of another type"))?;
    let each = series.index.cells.iter().zip(&series.values.cells);
    Ok(each.map(|(category, value)| (key(category), number(value))).collect())
}

/// The rows of a table by what they are for, and the names of its columns.
type NamedRows = (HashMap<Key, Vec<f64>>, Vec<String>);

fn rows(fields: Fields<'_>, value: Value<'_>) -> Result<NamedRows> {
    if value.class().is_some_and(|class| class.ends_with(".Series")) {
        let rows = series(fields, value)?.into_iter().map(|(key, x)| (key, vec![x]));
        return Ok((rows.collect(), own_name()));
    }
    let refused = || unsupported(fields, "a table of another type");
    let frame = pandas::Frame::read(value).ok_or_else(refused)?;
    let width = frame.columns.len();
    let index = frame.index().ok_or_else(refused)?;
    if index.len().checked_mul(width).is_none_or(|cells| cells > CELLS_MAX) {
        return Err(fields.malformed(format!("a table of {} rows of {width}", index.len())));
    }
    let mut rows: Vec<Vec<f64>> = index.cells.iter().map(|_| Vec::with_capacity(width)).collect();
    for at in 0..width {
        let column = frame.column(at).ok_or_else(refused)?;
        fields.check_length("a column of a table", column.len(), rows.len())?;
        for (row, cell) in rows.iter_mut().zip(&column.cells) {
            row.push(number(cell));
        }
    }
    let names = frame.columns.iter().enumerate().map(|(at, name)| match name {
        Cell::Text(name) => name.clone(),
        Cell::Number(_) | Cell::Missing => at.to_string(),
    });
    Ok((index.cells.iter().map(key).zip(rows).collect(), names.collect()))
}

/// Of an encoder that makes one column of one.
fn own_name() -> Vec<String> {
    vec![String::new()]
}

/// The number of each category; of others none where these are refused.
struct Numbers {
    by_category: Vec<(Key, f64)>,
    unknown: Option<f64>,
    /// What [`MISSING`] becomes.
    missing: f64,
}

impl Numbers {
    fn read(encoder: Fields<'_>, name: Value<'_>) -> Result<Self> {
        let policy = |name: &str| match encoder.optional(name) {
            None => Ok("value"),
            Some(value) => value
                .text()
                .filter(|policy| matches!(*policy, "value" | "return_nan" | "error"))
                .ok_or_else(|| unsupported(encoder, &format!("{name}={}", value.describe()))),
        };
        let by_category = series(encoder, of_column(encoder, "mapping", name)?)?;
        let unknown = match policy("handle_unknown")? {
            "value" => Some(UNKNOWN),
            "error" => None,
            _ => Some(f64::NAN),
        };
        let missing = if policy("handle_missing")? == "return_nan" { f64::NAN } else { MISSING };
        Ok(Self { by_category, unknown, missing })
    }

    fn shown(&self, number: f64) -> f64 {
        if number == MISSING { self.missing } else { number }
    }

    /// The table in which `row` says what a number becomes.
    fn table(&self, names: Vec<String>, row: impl Fn(f64) -> Rule) -> Encoded {
        let row = |number: f64| row(self.shown(number));
        let unknown = self.unknown.map_or(Rule::Refused, &row);
        let mut missing = unknown.clone();
        let mut by_category = HashMap::with_capacity(self.by_category.len());
        for (key, number) in &self.by_category {
            match (key, row(*number)) {
                (Key::Missing, rule) => missing = rule,
                (key, Rule::Becomes(values)) => {
                    by_category.insert(key.clone(), values);
                }
                (_, Rule::Refused) => {}
            }
        }
        let has_text = has_text(by_category.keys());
        Encoded { names, by_category, has_text, unknown, missing }
    }
}

/// `OrdinalEncoder`: the numbers themselves.
fn ordinal(fields: Fields<'_>, name: Value<'_>) -> Result<Encoded> {
    Ok(Numbers::read(fields, name)?.table(own_name(), |number| Rule::Becomes(vec![number])))
}

/// Encoders with a table by number.
fn by_number(fields: Fields<'_>, name: Value<'_>) -> Result<Encoded> {
    numbered(fields, name, false)
}

/// A table by number; `is_one_hot` looks numbers that are NaN up as what is missing.
fn numbered(fields: Fields<'_>, name: Value<'_>, is_one_hot: bool) -> Result<Encoded> {
    let encoder = Fields(fields.value("ordinal_encoder")?);
    let numbers = Numbers::read(encoder, name)?;
    let (rows, names) = rows(fields, of_column(fields, "mapping", name)?)?;
    let (categories, width) = (numbers.by_category.len(), names.len());
    if categories.checked_mul(width).is_none_or(|cells| cells > CELLS_MAX) {
        let what = format!("{categories} categories of {width} numbers each");
        return Err(unsupported(fields, &what));
    }
    let refuses = fields.text("handle_unknown", "value") == "error";
    Ok(numbers.table(names, |number| {
        let number = if is_one_hot && number.is_nan() { MISSING } else { number };
        if refuses && number == UNKNOWN {
            return Rule::Refused;
        }
        let row = rows.get(&Key::number(number));
        Rule::Becomes(row.cloned().unwrap_or_else(|| vec![f64::NAN; width]))
    }))
}

/// `LeaveOneOutEncoder` and `CatBoostEncoder`: means of the target by category, which are that of all rows for a
/// category that training had once.
fn means(fields: Fields<'_>, name: Value<'_>) -> Result<Encoded> {
    let table = of_column(fields, "mapping", name)?;
    let refused = || unsupported(fields, "a table of another type");
    let frame = pandas::Frame::read(table).ok_or_else(refused)?;
    let (index, sums, counts) = (frame.index(), frame.named("sum"), frame.named("count"));
    let (Some(index), Some(sums), Some(counts)) = (index, sums, counts) else {
        return Err(refused());
    };
    fields.check_length("sums", sums.len(), index.len())?;
    fields.check_length("counts", counts.len(), index.len())?;
    let mean = fields.float("_mean")?;
    // How many rows of the mean of all are added to those of a category.
    let added = if fields.name() == "CatBoostEncoder" { fields.float("a")? } else { 0.0 };
    let of_category = |sum: f64, count: f64| {
        if count <= 1.0 {
            mean
        } else if fields.name() == "CatBoostEncoder" {
            (sum + mean * added) / (count + added)
        } else {
            sum / count
        }
    };
    let each = sums.cells.iter().zip(&counts.cells);
    let values = each.map(|(sum, count)| vec![of_category(number(sum), number(count))]);
    let mut by_category: HashMap<Key, Vec<f64>> = index.cells.iter().map(key).zip(values).collect();
    let rule = |name: &str| match fields.text(name, "value") {
        "value" => Ok(Rule::Becomes(vec![mean])),
        "return_nan" => Ok(Rule::Becomes(vec![f64::NAN])),
        "error" => Ok(Rule::Refused),
        other => Err(unsupported(fields, &format!("{name}={other:?}"))),
    };
    let mut missing = rule("handle_missing")?;
    // As a category of its own, where training had it.
    if let Some(seen) = by_category.remove(&Key::Missing)
        && fields.text("handle_missing", "value") == "value"
    {
        missing = Rule::Becomes(seen);
    }
    let has_text = has_text(by_category.keys());
    let unknown = rule("handle_unknown")?;
    Ok(Encoded { names: own_name(), by_category, has_text, unknown, missing })
}

/// `CountEncoder`: how often training had a category.
fn counts(fields: Fields<'_>, name: Value<'_>) -> Result<Encoded> {
    let counted = series(fields, of_column(fields, "mapping", name)?)?;
    let unknown = of_column(fields, "_handle_unknown", name)?;
    let keeps_missing = of_column(fields, "_handle_missing", name)?.text() == Some("return_nan");
    let other = match (unknown.text(), unknown.float()) {
        (Some("value"), _) => Rule::Becomes(vec![if keeps_missing { f64::NAN } else { 0.0 }]),
        (Some("error"), _) => Rule::Refused,
        (Some("return_nan"), _) => Rule::Becomes(vec![f64::NAN]),
        (None, Some(number)) => Rule::Becomes(vec![number]),
        _ => return Err(unsupported(fields, &format!("handle_unknown={}", unknown.describe()))),
    };
    let mut missing = other.clone();
    let mut by_category = HashMap::with_capacity(counted.len());
    for (key, count) in counted {
        if count.is_nan() {
            continue; // what is counted as NaN is as if it were unknown
        }
        if key == Key::Missing {
            missing = Rule::Becomes(vec![count]);
        } else {
            by_category.insert(key, vec![count]);
        }
    }
    let has_text = has_text(by_category.keys());
    Ok(Encoded { names: own_name(), by_category, has_text, unknown: other, missing })
}

impl Encoded {
    /// Numbers that a category becomes.
    fn width(&self) -> usize {
        self.names.len()
    }

    /// Bytes held, roughly.
    fn size_bytes(&self) -> usize {
        let text = |key: &Key| if let Key::Text(text) = key { text.len() } else { 0 };
        let each = size_of::<Key>() + size_of::<Vec<f64>>() + self.width() * size_of::<f64>();
        let names: usize = self.names.iter().map(|name| size_of::<String>() + name.len()).sum();
        names + self.by_category.len() * each + self.by_category.keys().map(text).sum::<usize>()
    }

    /// The columns that one becomes.
    fn columns(&self, x: &Table, at: usize) -> Result<Vec<Vec<f64>>> {
        let given = x.column(at)?;
        if self.has_text {
            check_texts(x, at, &given)?;
        }
        let mut columns: Vec<Vec<f64>> = vec![Vec::new(); self.width()];
        for (row, key) in keys(&given).iter().enumerate() {
            let rule = if *key == Key::Missing { &self.missing } else { &self.unknown };
            let values = match (self.by_category.get(key), rule) {
                (Some(values), _) | (None, Rule::Becomes(values)) => values,
                (None, Rule::Refused) => {
                    let what = if *key == Key::Missing { "nothing" } else { "a category" };
                    return Err(Error::Input(format!(
                        "column {:?}, row {row}: {what} that the model does not know",
                        x.name(at)
                    )));
                }
            };
            for (column, value) in columns.iter_mut().zip(values) {
                column.push(*value);
            }
        }
        Ok(columns)
    }
}

impl Estimator for Encoder {
    fn transform(&self, x: Table) -> Result<Table> {
        x.check_width(self.columns.len())?;
        let rows = x.rows();
        Matrix::cells(rows, width(&self.columns) + usize::from(self.has_intercept))?;
        let mut frame = Frame::new(rows);
        if self.has_intercept {
            frame.push(INTERCEPT.to_owned(), Column::Numbers(vec![1.0; rows]), false);
        }
        for (at, encoded) in self.columns.iter().enumerate() {
            let name = x.name(at);
            let Some(encoded) = encoded else {
                frame.push(name, x.column(at)?, x.is_single_column(at));
                continue;
            };
            for (own, column) in encoded.names.iter().zip(encoded.columns(&x, at)?) {
                let name = if own.is_empty() { &name } else { own };
                frame.push(name.clone(), Column::Numbers(column), false);
            }
        }
        Table::beside(vec![Table::Frame(frame)], rows)
    }

    fn origins(&self, _x: &Table) -> Option<Result<Vec<usize>>> {
        // Ones are made of no column.
        if self.has_intercept {
            return None;
        }
        let each = self.columns.iter().enumerate();
        let columns = each.flat_map(|(at, encoded)| {
            std::iter::repeat_n(at, encoded.as_ref().map_or(1, Encoded::width))
        });
        Some(Ok(columns.collect()))
    }

    fn takes_frame(&self) -> bool {
        true
    }

    fn size_bytes(&self) -> usize {
        self.columns.iter().flatten().map(Encoded::size_bytes).sum()
    }
}
