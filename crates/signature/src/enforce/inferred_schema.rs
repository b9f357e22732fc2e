//! A schema for a model that has none, from the request itself, as numpy and pandas would type it.
//!
//! The text is walked once, and of each column only its type is kept: a tree of the request would take
//! a hundred times its size.

use std::borrow::Cow;

use indexmap::IndexMap;
use trainyard_base::json::{Kind, Number, Reader};

use super::forms::body::FORMATS;
use super::forms::split::column_names;
use super::plan::UNKNOWN_COLUMNS_MAX;
use super::protocol::Protocol;
use super::rejection::Rejection;
use super::request::{Result, Stop};
use crate::model::{ColSpec, DataType, Schema, TensorSpec};

/// Columns, and properties of objects in them, of a request for a model without signature. Each is a
/// buffer of its own.
pub(crate) const INFERRED_MAX: usize = UNKNOWN_COLUMNS_MAX;

/// What was seen of the values of a column.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// The type of those that are there.
    kind: Option<DataType>,
    /// Some are null.
    null: bool,
    /// Some are NaN, which is a missing value in a column of anything, and a number in one of nothing
    /// else.
    nan: bool,
}

impl Seen {
    fn of(kind: DataType) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }

    fn null() -> Self {
        Self { null: true, ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        self.null |= other.null;
        self.nan |= other.nan;
        self.kind = match (self.kind.take(), other.kind) {
            (Some(left), Some(right)) => Some(common(left, right)),
            (left, right) => left.or(right),
        };
    }

    fn has_missing(&self) -> bool {
        self.null || self.nan
    }

    /// The type of a column. A column of nothing but nulls is of any type: what it is, the model says.
    fn data_type(&self) -> DataType {
        match &self.kind {
            // Whole numbers beside a missing one become floats, as in pandas.
            Some(DataType::Long) if self.has_missing() => DataType::Double,
            Some(kind) => kind.clone(),
            None if self.nan => DataType::Double,
            None => DataType::Any,
        }
    }

    /// The type of the elements of a list: only any type holds missing ones.
    fn item(self) -> DataType {
        match self.kind {
            Some(kind) if !self.null && !self.nan => kind,
            Some(DataType::Double | DataType::Long) | None if !self.null && self.nan => {
                DataType::Double
            }
            _ => DataType::Any,
        }
    }

    fn dtype(&self) -> &'static str {
        match self.kind {
            Some(DataType::Boolean) if !self.has_missing() => "bool",
            Some(DataType::Long) if !self.has_missing() => "int64",
            Some(DataType::Long | DataType::Double | DataType::Boolean) | None => "float64",
            Some(_) => "str",
        }
    }
}

/// The type that holds values of both.
fn common(left: DataType, right: DataType) -> DataType {
    use DataType::{Any, Array, Boolean, Double, Long};
    match (left, right) {
        (left, right) if left == right => left,
        (Double | Boolean, Long) | (Long | Boolean, Double) | (Long | Double, Boolean) => Double,
        (Array(left), Array(right)) => Array(Box::new(common(*left, *right))),
        _ => Any,
    }
}

/// The schema that fits the body of a request. Columns stand in the order in which they came. What is no
/// request gets some schema: reading it says what is wrong.
pub(crate) fn schema(reader: &mut Reader<'_>, protocol: Protocol) -> Result<Schema> {
    let start = reader.position();
    if reader.kind()? != Kind::Object {
        return value(reader, protocol == Protocol::Predict);
    }
    let mut has_data = false;
    let mut more = reader.object_start()?;
    while more {
        let key = reader.key()?;
        if let Some(format) = FORMATS.iter().find(|format| **format == key) {
            return value(reader, format.starts_with("dataframe"));
        }
        has_data |= key == "data";
        reader.skip()?;
        more = reader.object_next()?;
    }
    reader.seek(start);
    if protocol == Protocol::Predict && has_data { split(reader) } else { columns(reader) }
}

/// The schema of the data itself; `frame` says that it is a data frame.
fn value(reader: &mut Reader<'_>, frame: bool) -> Result<Schema> {
    match reader.kind()? {
        Kind::Array => {
            let mut ahead = reader.clone();
            if ahead.array_start()? && ahead.kind()? == Kind::Object {
                return records(reader);
            }
        }
        Kind::Object if frame => return split(reader),
        Kind::Object => return columns(reader),
        _ => {}
    }
    tensor(reader)
}

#[derive(Debug, Default)]
struct Columns<'a>(IndexMap<Cow<'a, str>, (Seen, usize)>);

impl<'a> Columns<'a> {
    /// Adds a value of a column, which is probably the one at `hint`; returns its position.
    fn add(&mut self, name: Cow<'a, str>, hint: usize, seen: Seen) -> Result<usize> {
        let expected = self.0.get_index_mut(hint).filter(|(known, _)| **known == name);
        if let Some((_, (known, count))) = expected {
            known.add(seen);
            *count += 1;
            return Ok(hint);
        }
        check_width(self.0.len())?;
        let entry = self.0.entry(name);
        let position = entry.index();
        let (known, count) = entry.or_default();
        known.add(seen);
        *count += 1;
        Ok(position)
    }

    /// The schema; columns with fewer values than `rows` are optional.
    fn schema(self, rows: usize) -> Result<Schema> {
        let columns = self.0.into_iter().map(|(name, (seen, count))| ColSpec {
            name: Some(name.into_owned()),
            required: !seen.has_missing() && count >= rows,
            // Whole numbers of a column that some records lack are beside missing ones.
            data_type: match seen.data_type() {
                DataType::Long if count < rows => DataType::Double,
                kind => kind,
            },
        });
        bounded(columns.collect())
    }
}

/// `[{"a": 1, "b": 2}, …]`
fn records(reader: &mut Reader<'_>) -> Result<Schema> {
    let mut columns = Columns::default();
    let mut rows = 0;
    let mut more = reader.array_start()?;
    while more {
        rows += 1;
        if reader.kind()? == Kind::Object {
            let mut hint = 0;
            let mut more = reader.object_start()?;
            while more {
                let name = reader.key()?;
                let seen = cell(reader, 0)?;
                hint = columns.add(name, hint, seen)? + 1;
                more = reader.object_next()?;
            }
        } else {
            reader.skip()?;
        }
        more = reader.array_next()?;
    }
    columns.schema(rows)
}

/// `{"a": [1, 3], "b": [2, 4]}`, or one row of it.
fn columns(reader: &mut Reader<'_>) -> Result<Schema> {
    let mut columns = Columns::default();
    let mut more = reader.object_start()?;
    while more {
        let name = reader.key()?;
        let mut seen = Seen::default();
        if reader.kind()? == Kind::Array {
            let mut more = reader.array_start()?;
            while more {
                seen.add(cell(reader, 1)?);
                more = reader.array_next()?;
            }
        } else {
            seen = cell(reader, 0)?;
        }
        let hint = columns.0.len();
        columns.add(name, hint, seen)?;
        more = reader.object_next()?;
    }
    columns.schema(0)
}

/// `{"columns": ["a", "b"], "data": [[1, 2], …]}`
fn split(reader: &mut Reader<'_>) -> Result<Schema> {
    let mut names = None;
    let mut seen: Vec<Seen> = Vec::new();
    let mut more = reader.object_start()?;
    while more {
        let key = reader.key()?;
        match (key.as_ref(), reader.kind()?) {
            ("columns", Kind::Array) => names = column_names(reader, INFERRED_MAX)?,
            ("data", Kind::Array) => rows(reader, &mut seen)?,
            _ => {
                reader.skip()?;
            }
        }
        more = reader.object_next()?;
    }
    let width = names.as_ref().map_or(seen.len(), Vec::len);
    seen.resize_with(width, Seen::default);
    let mut names = names.map(Vec::into_iter);
    let columns = seen.iter().map(|seen| ColSpec {
        name: names.as_mut().and_then(Iterator::next).map(Cow::into_owned),
        data_type: seen.data_type(),
        required: !seen.has_missing(),
    });
    bounded(columns.collect())
}

fn rows(reader: &mut Reader<'_>, seen: &mut Vec<Seen>) -> Result<()> {
    let mut more = reader.array_start()?;
    while more {
        if reader.kind()? == Kind::Array {
            let mut position = 0;
            let mut more = reader.array_start()?;
            while more {
                let value = cell(reader, 2)?;
                if position == seen.len() {
                    check_width(position)?;
                    seen.push(Seen::default());
                }
                if let Some(seen) = seen.get_mut(position) {
                    seen.add(value);
                }
                position += 1;
                more = reader.array_next()?;
            }
        } else {
            reader.skip()?;
        }
        more = reader.array_next()?;
    }
    Ok(())
}

/// Nested lists, or a bare value.
fn tensor(reader: &mut Reader<'_>) -> Result<Schema> {
    let mut rank = 0;
    let mut ahead = reader.clone();
    while ahead.kind()? == Kind::Array {
        reader.check_depth(rank)?;
        rank += 1;
        if !ahead.array_start()? {
            break;
        }
    }
    let mut seen = Seen::default();
    leaves(reader, 0, &mut seen)?;
    let shape = vec![-1; rank];
    Ok(Schema::Tensors(vec![TensorSpec { name: None, dtype: seen.dtype().to_owned(), shape }]))
}

/// numpy's name of the type of all values in nested lists.
pub(crate) fn dtype(reader: &mut Reader<'_>) -> Result<&'static str> {
    let mut seen = Seen::default();
    leaves(reader, 0, &mut seen)?;
    Ok(seen.dtype())
}

/// The type of all values in nested lists, as a column of them.
pub(crate) fn flat_type(reader: &mut Reader<'_>) -> Result<DataType> {
    let mut seen = Seen::default();
    leaves(reader, 0, &mut seen)?;
    Ok(seen.data_type())
}

fn leaves(reader: &mut Reader<'_>, depth: usize, seen: &mut Seen) -> Result<()> {
    reader.check_depth(depth)?;
    if reader.kind()? != Kind::Array {
        seen.add(cell(reader, depth)?);
        return Ok(());
    }
    let mut more = reader.array_start()?;
    while more {
        leaves(reader, depth + 1, seen)?;
        more = reader.array_next()?;
    }
    Ok(())
}

fn cell(reader: &mut Reader<'_>, depth: usize) -> Result<Seen> {
    reader.check_depth(depth)?;
    Ok(match reader.kind()? {
        Kind::Null => {
            reader.null()?;
            Seen::null()
        }
        Kind::Boolean => {
            reader.boolean()?;
            Seen::of(DataType::Boolean)
        }
        Kind::Number => match reader.number()? {
            Number::Int(_) => Seen::of(DataType::Long),
            Number::Real(value) if value.is_nan() => Seen { nan: true, ..Seen::default() },
            _ => Seen::of(DataType::Double),
        },
        Kind::Text => {
            reader.skip()?;
            Seen::of(DataType::String)
        }
        Kind::Array => {
            let mut items = Seen::default();
            let mut more = reader.array_start()?;
            while more {
                items.add(cell(reader, depth + 1)?);
                more = reader.array_next()?;
            }
            Seen::of(DataType::Array(Box::new(items.item())))
        }
        Kind::Object => {
            let mut properties: Vec<(String, DataType, bool)> = Vec::new();
            let mut more = reader.object_start()?;
            while more {
                check_width(properties.len())?;
                let name = reader.key()?.into_owned();
                properties.push((name, cell(reader, depth + 1)?.data_type(), false));
                more = reader.object_next()?;
            }
            properties.sort_by(|(left, ..), (right, ..)| left.cmp(right));
            properties.dedup_by(|(left, ..), (right, ..)| left == right);
            Seen::of(DataType::Object(properties))
        }
    })
}

/// Refuses one more column than there may be.
fn check_width(width: usize) -> Result<()> {
    if width < INFERRED_MAX {
        return Ok(());
    }
    Err(Stop::Rejected(too_wide()))
}

pub(crate) fn too_wide() -> Rejection {
    Rejection::parse(format!(
        "Invalid input. The request has more than {INFERRED_MAX} columns; a model without signature \
         takes no more."
    ))
}

fn bounded(columns: Vec<ColSpec>) -> Result<Schema> {
    fn size(kind: &DataType) -> usize {
        match kind {
            DataType::Array(items) | DataType::Map(items) => 1 + size(items),
            DataType::Object(properties) => {
                1 + properties.iter().map(|(_, kind, _)| size(kind)).sum::<usize>()
            }
            _ => 1,
        }
    }
    let parts: usize = columns.iter().map(|column| size(&column.data_type)).sum();
    if parts > INFERRED_MAX {
        Err(Stop::Rejected(too_wide()))
    } else {
        Ok(Schema::Columns(columns))
    }
}
