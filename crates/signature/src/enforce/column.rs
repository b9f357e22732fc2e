//! A column that fills from JSON values or cells of CSV, one a row, and becomes an Arrow array.

use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{ArrowError, DataType as ArrowType, Field, Fields};
use trainyard_base::json::{Kind, Number, Reader, Syntax};

use super::cast::{Casting, Refusal, takes_null};
use super::context::Context;
use super::rejection::described;
use super::scalars::{Cell, Runs, Scalars, offsets};
use crate::model::DataType;

/// Bytes of a number that most are written in fewer of.
const PLAIN_BYTES_MAX: usize = 40;

#[derive(Debug)]
enum Values<'s> {
    Scalars(Scalars),
    Array { ends: Vec<i32>, items: Box<Column<'s>> },
    Object { length: usize, properties: Vec<(&'s str, Column<'s>)> },
    Map { ends: Vec<i32>, keys: Runs, values: Box<Column<'s>> },
}

/// A column under construction.
#[derive(Debug)]
pub(crate) struct Column<'s> {
    data_type: &'s DataType,
    required: bool,
    /// Within an array, object or map, where upstream converts nothing.
    nested: bool,
    values: Values<'s>,
    /// Which values are not null; none while all are.
    valid: Option<Vec<bool>>,
}

impl<'s> Column<'s> {
    pub(crate) fn new(data_type: &'s DataType, required: bool, capacity: usize) -> Self {
        Self::build(data_type, required, false, capacity)
    }

    fn build(data_type: &'s DataType, required: bool, nested: bool, capacity: usize) -> Self {
        let inner = |data_type, required| Self::build(data_type, required, true, 0);
        let values = match data_type {
            DataType::Array(items) => Values::Array {
                ends: Vec::with_capacity(capacity),
                items: Box::new(inner(items, true)),
            },
            DataType::Map(values) => Values::Map {
                ends: Vec::with_capacity(capacity),
                keys: Runs::default(),
                values: Box::new(inner(values, true)),
            },
            DataType::Object(properties) => Values::Object {
                length: 0,
                properties: properties
                    .iter()
                    .map(|(name, data_type, required)| (name.as_str(), inner(data_type, *required)))
                    .collect(),
            },
            scalar => Values::Scalars(Scalars::new(scalar, capacity)),
        };
        Self { data_type, required, nested, values, valid: None }
    }

    /// Values so far.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match &self.values {
            Values::Scalars(values) => values.len(),
            Values::Array { ends, .. } | Values::Map { ends, .. } => ends.len(),
            Values::Object { length, .. } => *length,
        }
    }

    /// Reads the next JSON value as the next row. Whatever the value is, the column is one longer
    /// afterwards; what does not fit is reported to `context`.
    #[inline]
    pub(crate) fn read(
        &mut self,
        reader: &mut Reader<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Syntax> {
        let kind = reader.kind()?;
        let start = reader.position();
        if kind == Kind::Number {
            let number = reader.number()?;
            self.push_number(number, reader.since(start), context);
            return Ok(());
        }
        let outcome = if kind == Kind::Null {
            reader.null()?;
            Err(Refusal::Null)
        } else {
            self.read_cell(reader, kind, context)?
        };
        if let Err(refusal) = self.settle(outcome, context.casting) {
            reader.seek(start);
            let value = reader.skip()?;
            self.refuse(refusal, value, kind, context);
        }
        Ok(())
    }

    /// Appends a number that was read already, as it was `written`.
    #[inline]
    pub(crate) fn push_number(
        &mut self,
        number: Number<'_>,
        written: &str,
        context: &mut Context<'_>,
    ) {
        // The commonest case by far, without the detour.
        if let Values::Scalars(Scalars::Double(values)) = &mut self.values
            && !matches!(number, Number::Overflow(_) | Number::BigInt(_))
        {
            values.push(number.as_f64());
            return self.mark(true);
        }
        let is_nan = matches!(number, Number::Real(value) if value.is_nan());
        let casting = self.casting(context);
        let outcome = match &mut self.values {
            Values::Scalars(values) => values.push_number(number, written, casting),
            _ if is_nan => Err(Refusal::Null),
            _ => Err(Refusal::Type),
        };
        if let Err(refusal) = self.settle(outcome, context.casting) {
            self.refuse(refusal, written, Kind::Number, context);
        }
    }

    /// Reads a cell of a CSV file, where everything is text, as the next row.
    pub(crate) fn read_text(&mut self, text: &str, context: &mut Context<'_>) {
        let casting = match context.casting {
            Casting::Strict => Casting::Lossless,
            other => other,
        };
        let outcome = match &mut self.values {
            _ if text.is_empty() => Err(Refusal::Null),
            Values::Scalars(values) => values.push_csv(text, casting, context),
            _ => Err(Refusal::Type),
        };
        if let Err(refusal) = self.settle(outcome, casting) {
            self.refuse(refusal, text, Kind::Text, context);
        }
    }

    /// Reads a cell as [`Self::read_text`] does if it is what most cells are: a plain number, in a column of such. It says
    /// whether it was.
    #[inline]
    pub(crate) fn push_plain_number(&mut self, text: &str) -> bool {
        let Values::Scalars(Scalars::Double(values)) = &mut self.values else { return false };
        let digits = text.strip_prefix('-').unwrap_or(text);
        // Not a word, such as `inf`, and nothing around it; longer ones have their limit.
        if text.len() > PLAIN_BYTES_MAX || !digits.starts_with(|first: char| first.is_ascii_digit())
        {
            return false;
        }
        let Some(number) = text.parse().ok().filter(|number: &f64| number.is_finite()) else {
            return false;
        };
        values.push(number);
        self.mark(true);
        true
    }

    fn casting(&self, context: &Context<'_>) -> Casting {
        if self.nested { Casting::Strict } else { context.casting }
    }

    /// What is left of a refusal when a missing value may be one.
    #[inline]
    fn settle(&mut self, outcome: Result<(), Refusal>, casting: Casting) -> Result<(), Refusal> {
        match outcome {
            Ok(()) => {
                self.mark(true);
                Ok(())
            }
            Err(Refusal::Null) => self.push_null(casting),
            refused => refused,
        }
    }

    /// Appends a null, or refuses it.
    fn push_null(&mut self, casting: Casting) -> Result<(), Refusal> {
        if !takes_null(self.data_type, self.required, self.nested, casting) {
            return Err(Refusal::Null);
        }
        // Upstream's bool(None) is False.
        let is_false = self.required && *self.data_type == DataType::Boolean;
        self.push_default();
        self.mark(is_false);
        Ok(())
    }

    /// Appends a null for a value that the request does not have.
    pub(crate) fn push_missing(&mut self) {
        self.push_default();
        self.mark(false);
    }

    #[cold]
    fn refuse(&mut self, refusal: Refusal, value: &str, kind: Kind, context: &mut Context<'_>) {
        self.push_default();
        self.mark(true);
        let data_type = self.data_type;
        context.report_cast(value, data_type, || {
            format!("expected {data_type}, got {}{}", described(kind, value), refusal.tail())
        });
    }

    /// Notes whether the value just pushed is there.
    #[inline]
    fn mark(&mut self, valid: bool) {
        if let Some(flags) = &mut self.valid {
            flags.push(valid);
        } else if !valid {
            let mut flags = vec![true; self.len().saturating_sub(1)];
            flags.push(false);
            self.valid = Some(flags);
        }
    }

    /// The value under a null.
    fn push_default(&mut self) {
        match &mut self.values {
            Values::Scalars(values) => values.push_default(),
            Values::Array { ends, .. } | Values::Map { ends, .. } => {
                ends.push(ends.last().copied().unwrap_or(0));
            }
            Values::Object { length, properties } => {
                *length += 1;
                for (_, column) in properties {
                    column.push_missing();
                }
            }
        }
    }

    /// Reads a value that is neither null nor a number.
    fn read_cell(
        &mut self,
        reader: &mut Reader<'_>,
        kind: Kind,
        context: &mut Context<'_>,
    ) -> Cell {
        let casting = self.casting(context);
        match (&mut self.values, kind) {
            (Values::Scalars(values), _) => values.read(reader, kind, casting, context),
            (Values::Array { ends, items }, Kind::Array) => {
                read_array(ends, items, reader, context).map(Ok)
            }
            (Values::Object { length, properties }, Kind::Object) => {
                *length += 1;
                read_object(*length, properties, reader, context).map(Ok)
            }
            (Values::Map { ends, keys, values }, Kind::Object) => {
                read_map(ends, keys, values, reader, context).map(Ok)
            }
            _ => Ok(Err(Refusal::Type)),
        }
    }

    fn is_float(&self) -> bool {
        matches!(self.values, Values::Scalars(Scalars::Float(_) | Scalars::Double(_)))
    }

    /// Whether a value is missing for which there is none of the type, such as NaN.
    pub(crate) fn lacks_values(&self) -> bool {
        !self.is_float() && self.valid.as_ref().is_some_and(|valid| valid.contains(&false))
    }

    /// The same with what lies under a null (NaN) as its value; other types keep their nulls.
    pub(crate) fn without_nulls(mut self) -> Self {
        if self.is_float() {
            self.valid = None;
        }
        self
    }

    /// The array of all values read, with nulls where they were.
    pub(crate) fn finish(self) -> Result<ArrayRef, ArrowError> {
        let nulls = self.valid.map(|flags| NullBuffer::new(BooleanBuffer::from(flags)));
        Ok(match self.values {
            Values::Scalars(values) => values.finish(nulls)?,
            Values::Array { ends, items } => {
                let field = Arc::new(Field::new("item", items.data_type.arrow_type(), true));
                Arc::new(ListArray::try_new(field, offsets(ends), items.finish()?, nulls)?)
            }
            Values::Object { length, properties } => {
                let ArrowType::Struct(fields) = self.data_type.arrow_type() else {
                    return Err(ArrowError::SchemaError("an object is a struct".to_owned()));
                };
                let mut arrays = Vec::with_capacity(properties.len());
                for (_, column) in properties {
                    arrays.push(column.finish()?);
                }
                if arrays.is_empty() {
                    Arc::new(StructArray::new_empty_fields(length, nulls))
                } else {
                    Arc::new(StructArray::try_new(fields, arrays, nulls)?)
                }
            }
            Values::Map { ends, keys, values } => {
                let fields = Fields::from(vec![
                    Field::new("keys", ArrowType::Utf8, false),
                    Field::new("values", values.data_type.arrow_type(), true),
                ]);
                let columns: Vec<ArrayRef> = vec![Arc::new(keys.texts(None)?), values.finish()?];
                let entries = StructArray::try_new(fields.clone(), columns, None)?;
                let field = Arc::new(Field::new("entries", ArrowType::Struct(fields), false));
                Arc::new(MapArray::try_new(field, offsets(ends), entries, nulls, false)?)
            }
        })
    }
}

fn read_array(
    ends: &mut Vec<i32>,
    items: &mut Column<'_>,
    reader: &mut Reader<'_>,
    context: &mut Context<'_>,
) -> Result<(), Syntax> {
    let mut more = reader.array_start()?;
    while more {
        items.read(reader, context)?;
        more = reader.array_next()?;
    }
    ends.push(i32::try_from(items.len()).unwrap_or(i32::MAX));
    Ok(())
}

fn read_object(
    length: usize,
    properties: &mut [(&str, Column<'_>)],
    reader: &mut Reader<'_>,
    context: &mut Context<'_>,
) -> Result<(), Syntax> {
    let mut more = reader.object_start()?;
    while more {
        let key = reader.key()?;
        match properties.iter_mut().find(|(name, _)| *name == key) {
            Some((_, column)) if column.len() < length => column.read(reader, context)?,
            known => {
                let is_known = known.is_some();
                let value = reader.skip()?;
                context.report_cast(value, &DataType::Any, || {
                    if is_known {
                        return format!("property '{key}' is given twice");
                    }
                    format!("Invalid properties not defined in the schema found: {{'{key}'}}")
                });
            }
        }
        more = reader.object_next()?;
    }
    for (name, column) in properties {
        if column.len() < length {
            if column.required {
                context.report_cast("", column.data_type, || {
                    format!("Missing required properties: {{'{name}'}}")
                });
            }
            column.push_missing();
        }
    }
    Ok(())
}

fn read_map(
    ends: &mut Vec<i32>,
    keys: &mut Runs,
    values: &mut Column<'_>,
    reader: &mut Reader<'_>,
    context: &mut Context<'_>,
) -> Result<(), Syntax> {
    let mut more = reader.object_start()?;
    while more {
        let key = reader.key()?;
        if keys.push(key.as_bytes()).is_err() {
            keys.push_empty();
            let column = context.column;
            context.report_row(|| format!("the keys of map {column} are too long"));
        }
        values.read(reader, context)?;
        more = reader.object_next()?;
    }
    ends.push(i32::try_from(values.len()).unwrap_or(i32::MAX));
    Ok(())
}
