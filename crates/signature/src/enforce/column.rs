//! A column that fills from JSON values, one a row, and becomes an Arrow array.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array,
    ListArray, MapArray, StringArray, StructArray, TimestampNanosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType as ArrowType, Field, Fields};

use super::cast::{self, Refusal};
use super::context::{Casting, Context};
use super::datetime::{self, Datetime};
use super::json::{Kind, Number, Reader, Syntax};
use super::rejection::shorten;
use crate::model::DataType;

/// Reading one value: pushed, or refused (the column is then one value short), or not JSON.
type Cell = Result<Result<(), Refusal>, Syntax>;

/// Values of different lengths behind each other.
#[derive(Debug, Default)]
struct Runs {
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl Runs {
    fn with_capacity(capacity: usize) -> Self {
        Self { ends: Vec::with_capacity(capacity), bytes: Vec::new() }
    }

    /// Appends one value; refuses what 32-bit offsets cannot hold.
    fn push(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let end = i32::try_from(self.bytes.len() + value.len()).map_err(|_big| Refusal::Length)?;
        self.bytes.extend_from_slice(value);
        self.ends.push(end);
        Ok(())
    }

    fn push_empty(&mut self) {
        self.ends.push(self.ends.last().copied().unwrap_or(0));
    }
}

#[derive(Debug)]
enum Values<'s> {
    Boolean(Vec<bool>),
    Integer(Vec<i32>),
    Long(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Datetime(Vec<i64>),
    String(Runs),
    Binary(Runs),
    /// JSON text of each value.
    Any(Runs),
    Array {
        ends: Vec<i32>,
        items: Box<Column<'s>>,
    },
    Object {
        length: usize,
        properties: Vec<(&'s str, Column<'s>)>,
    },
    Map {
        ends: Vec<i32>,
        keys: Runs,
        values: Box<Column<'s>>,
    },
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
        let values = match data_type {
            DataType::Boolean => Values::Boolean(Vec::with_capacity(capacity)),
            DataType::Integer => Values::Integer(Vec::with_capacity(capacity)),
            DataType::Long => Values::Long(Vec::with_capacity(capacity)),
            DataType::Float => Values::Float(Vec::with_capacity(capacity)),
            DataType::Double => Values::Double(Vec::with_capacity(capacity)),
            DataType::Datetime => Values::Datetime(Vec::with_capacity(capacity)),
            DataType::String => Values::String(Runs::with_capacity(capacity)),
            DataType::Binary => Values::Binary(Runs::with_capacity(capacity)),
            DataType::Any => Values::Any(Runs::with_capacity(capacity)),
            DataType::Array(items) => Values::Array {
                ends: Vec::with_capacity(capacity),
                items: Box::new(Self::build(items, true, true, 0)),
            },
            DataType::Map(values) => Values::Map {
                ends: Vec::with_capacity(capacity),
                keys: Runs::default(),
                values: Box::new(Self::build(values, true, true, 0)),
            },
            DataType::Object(properties) => Values::Object {
                length: 0,
                properties: properties
                    .iter()
                    .map(|(name, data_type, required)| {
                        (name.as_str(), Self::build(data_type, *required, true, 0))
                    })
                    .collect(),
            },
        };
        Self { data_type, required, nested, values, valid: None }
    }

    /// Values so far.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match &self.values {
            Values::Boolean(values) => values.len(),
            Values::Integer(values) => values.len(),
            Values::Long(values) | Values::Datetime(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Double(values) => values.len(),
            Values::String(runs) | Values::Binary(runs) | Values::Any(runs) => runs.ends.len(),
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
        // The commonest case by far, without the detour.
        if let (Values::Double(values), Kind::Number) = (&mut self.values, kind) {
            let number = reader.number()?;
            if !matches!(number, Number::Overflow(_) | Number::BigInt(_)) {
                values.push(number.as_f64());
                self.mark(true);
                return Ok(());
            }
            reader.seek(start);
        }
        let outcome = if kind == Kind::Null {
            reader.null()?;
            Err(Refusal::Null)
        } else {
            self.cell(reader, kind, context)?
        };
        let outcome = match outcome {
            Err(Refusal::Null) => self.null(context.casting),
            Ok(()) => {
                self.mark(true);
                return Ok(());
            }
            refused => refused,
        };
        if let Err(refusal) = outcome {
            reader.seek(start);
            let value = reader.skip()?;
            self.refuse(refusal, value, kind, context);
        }
        Ok(())
    }

    /// Reads a cell of a CSV file, where everything is text, as the next row.
    pub(crate) fn read_text(&mut self, text: &str, context: &mut Context<'_>) {
        let casting = match context.casting {
            Casting::Strict => Casting::Lossless,
            other => other,
        };
        let outcome = if text.is_empty() {
            Err(Refusal::Null)
        } else {
            self.csv_cell(text, casting, context)
        };
        let outcome = match outcome {
            Err(Refusal::Null) => self.null(casting),
            Ok(()) => return self.mark(true),
            refused => refused,
        };
        if let Err(refusal) = outcome {
            self.refuse(refusal, text, Kind::Text, context);
        }
    }

    /// A cell of CSV, as pandas reads it: no underscores in numbers, whole numbers also with a point, and
    /// 0 and 1 for booleans.
    fn csv_cell(
        &mut self,
        text: &str,
        casting: Casting,
        context: &Context<'_>,
    ) -> Result<(), Refusal> {
        let is_whole = matches!(self.values, Values::Long(_) | Values::Integer(_));
        let is_boolean = matches!(self.values, Values::Boolean(_));
        let is_number = matches!(self.values, Values::Double(_) | Values::Float(_));
        if (is_whole || is_boolean || is_number) && text.contains('_') {
            return Err(Refusal::Type);
        }
        let trimmed = text.trim();
        if (is_boolean || (is_whole && trimmed.parse::<i64>().is_err()))
            && let Ok(value) = trimmed.parse()
        {
            return self.number(Number::Real(value), text, Casting::Lossless);
        }
        self.text(text, casting, context)
    }

    /// Appends a null, or refuses it.
    pub(crate) fn null(&mut self, casting: Casting) -> Result<(), Refusal> {
        let allowed = match &self.values {
            Values::Any(_) => true,
            // A missing number is a NaN to every library, a missing date a NaT.
            Values::Float(_) | Values::Double(_) | Values::Datetime(_) | Values::String(_) => {
                !self.required || !self.nested
            }
            Values::Boolean(_) => !self.required || casting == Casting::Upstream,
            _ => !self.required,
        };
        if !allowed {
            return Err(Refusal::Null);
        }
        // Upstream's bool(None) is False.
        let is_false = self.required && matches!(self.values, Values::Boolean(_));
        self.push_default();
        self.mark(is_false);
        Ok(())
    }

    /// Appends a null for a value that the request does not have.
    pub(crate) fn push_missing(&mut self) {
        self.push_default();
        self.mark(false);
    }

    /// Whether a column of this type has a value for "missing" even when it is required.
    pub(crate) fn holds_missing(data_type: &DataType) -> bool {
        use DataType::{Any, Datetime, Double, Float, String};
        matches!(data_type, Float | Double | Datetime | String | Any)
    }

    #[cold]
    fn refuse(&mut self, refusal: Refusal, value: &str, kind: Kind, context: &mut Context<'_>) {
        self.push_default();
        self.mark(true);
        if context.is_full() {
            return context.count();
        }
        let what = match kind {
            Kind::Null | Kind::Number => "",
            Kind::Text => "string ",
            Kind::Boolean => "boolean ",
            Kind::Array => "list ",
            Kind::Object => "object ",
        };
        let shown = if value.is_empty() { "nothing".to_owned() } else { shorten(value) };
        let expected = self.data_type.to_string();
        let problem = format!("expected {expected}, got {what}{shown}{}", refusal.tail());
        context.report_cast(value, self.data_type, problem);
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

    /// The value under a null: NaN where there is one, so that a reader that does not look at
    /// nulls still sees a missing number.
    fn push_default(&mut self) {
        match &mut self.values {
            Values::Boolean(values) => values.push(false),
            Values::Integer(values) => values.push(0),
            Values::Long(values) => values.push(0),
            Values::Datetime(values) => values.push(i64::MIN),
            Values::Float(values) => values.push(f32::NAN),
            Values::Double(values) => values.push(f64::NAN),
            Values::String(runs) | Values::Binary(runs) | Values::Any(runs) => runs.push_empty(),
            Values::Array { ends, .. } | Values::Map { ends, .. } => {
                ends.push(ends.last().copied().unwrap_or(0));
            }
            Values::Object { length, properties } => {
                *length += 1;
                for (_, column) in properties {
                    column.push_default();
                    column.mark(false);
                }
            }
        }
    }

    /// Reads a value that is not null.
    fn cell(&mut self, reader: &mut Reader<'_>, kind: Kind, context: &mut Context<'_>) -> Cell {
        let casting = if self.nested { Casting::Strict } else { context.casting };
        match (&mut self.values, kind) {
            (Values::Any(runs), _) => Ok(runs.push(reader.skip()?.as_bytes())),
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
            // Python's bool() of a list or a dict.
            (Values::Boolean(values), Kind::Array | Kind::Object)
                if casting == Casting::Upstream =>
            {
                let text = reader.skip()?;
                let inner = text.get(1..text.len() - 1).unwrap_or_default();
                values.push(!inner.trim().is_empty());
                Ok(Ok(()))
            }
            (_, Kind::Number) => {
                let start = reader.position();
                let number = reader.number()?;
                Ok(self.number(number, reader.since(start), casting))
            }
            (_, Kind::Boolean) => {
                let value = reader.boolean()?;
                Ok(self.boolean(value, casting))
            }
            (_, Kind::Text) => {
                let text = reader.string()?;
                Ok(self.text(&text, casting, context))
            }
            _ => Ok(Err(Refusal::Type)),
        }
    }

    fn number(
        &mut self,
        number: Number<'_>,
        written: &str,
        casting: Casting,
    ) -> Result<(), Refusal> {
        let is_nan = matches!(number, Number::Real(value) if value.is_nan());
        match &mut self.values {
            Values::Double(values) => values.push(cast::double(number, casting)?),
            Values::Float(values) => values.push(cast::float(number, casting)?),
            // Python writes a missing value of any column as NaN, and pandas reads it so. Only its
            // bool() of one is true.
            Values::Boolean(values) if is_nan && casting == Casting::Upstream => values.push(true),
            _ if is_nan => return Err(Refusal::Null),
            Values::Long(values) => values.push(cast::long(number, casting)?),
            Values::Integer(values) => values.push(cast::integer(number, casting)?),
            Values::Boolean(values) if casting != Casting::Strict => {
                let value = number.as_f64();
                if value != 0.0 && value != 1.0 && casting != Casting::Upstream {
                    return Err(Refusal::Type);
                }
                values.push(value != 0.0);
            }
            // pandas.to_datetime reads a number as nanoseconds.
            Values::Datetime(values) if casting != Casting::Strict => {
                values.push(cast::long(number, Casting::Lossless)?);
            }
            Values::String(runs) if casting == Casting::Upstream => {
                return runs.push(written.as_bytes());
            }
            _ => return Err(Refusal::Type),
        }
        Ok(())
    }

    fn boolean(&mut self, value: bool, casting: Casting) -> Result<(), Refusal> {
        match &mut self.values {
            Values::Boolean(values) => values.push(value),
            _ if casting == Casting::Strict => return Err(Refusal::Type),
            Values::Double(values) => values.push(f64::from(u8::from(value))),
            Values::Float(values) => values.push(f32::from(u8::from(value))),
            Values::Long(values) => values.push(i64::from(value)),
            Values::Integer(values) => values.push(i32::from(value)),
            Values::String(runs) if casting == Casting::Upstream => {
                return runs.push(if value { b"True" } else { b"False" });
            }
            _ => return Err(Refusal::Type),
        }
        Ok(())
    }

    fn text(&mut self, text: &str, casting: Casting, context: &Context<'_>) -> Result<(), Refusal> {
        if text.len() > context.limits.string_bytes_max {
            return Err(Refusal::Length);
        }
        match &mut self.values {
            Values::Binary(runs) if context.base64 => {
                return runs.push(&cast::base64(text, casting)?);
            }
            Values::String(runs) | Values::Binary(runs) => return runs.push(text.as_bytes()),
            Values::Datetime(values) => match datetime::parse(text) {
                Datetime::Nanoseconds(value) => values.push(value),
                Datetime::Missing if casting != Casting::Strict => return Err(Refusal::Null),
                Datetime::WithTimeZone => return Err(Refusal::TimeZone),
                Datetime::Missing | Datetime::Unreadable => return Err(Refusal::Date),
            },
            _ if casting == Casting::Strict => return Err(Refusal::Type),
            Values::Double(values) => values.push(cast::float_text(text, casting)?),
            Values::Float(values) => {
                let number = Number::Real(cast::float_text(text, casting)?);
                values.push(cast::float(number, casting)?);
            }
            Values::Long(values) => values.push(cast::long_text(text)?),
            Values::Integer(values) => {
                values.push(cast::integer(Number::Int(cast::long_text(text)?), casting)?);
            }
            Values::Boolean(values) if context.csv => match text {
                "True" | "true" | "TRUE" => values.push(true),
                "False" | "false" | "FALSE" => values.push(false),
                _ => return Err(Refusal::Type),
            },
            // Upstream's bool("false") is True: only its own casting repeats that.
            Values::Boolean(values) if casting == Casting::Upstream => {
                values.push(!text.is_empty());
            }
            _ => return Err(Refusal::Type),
        }
        Ok(())
    }

    /// Whether a value is missing for which there is none of the type, such as NaN.
    pub(crate) fn lacks_values(&self) -> bool {
        let has_none = !matches!(self.values, Values::Float(_) | Values::Double(_));
        has_none && self.valid.as_ref().is_some_and(|valid| valid.contains(&false))
    }

    /// The same with what lies under a null (NaN) as its value; other types keep their nulls.
    pub(crate) fn without_nulls(mut self) -> Self {
        if matches!(self.values, Values::Float(_) | Values::Double(_)) {
            self.valid = None;
        }
        self
    }

    /// The array of all values read, with nulls where they were.
    pub(crate) fn finish(self) -> Result<ArrayRef, ArrowError> {
        let nulls = self.valid.map(|flags| NullBuffer::new(BooleanBuffer::from(flags)));
        Ok(match self.values {
            Values::Boolean(values) => {
                Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls))
            }
            Values::Integer(values) => Arc::new(Int32Array::try_new(values.into(), nulls)?),
            Values::Long(values) => Arc::new(Int64Array::try_new(values.into(), nulls)?),
            Values::Float(values) => Arc::new(Float32Array::try_new(values.into(), nulls)?),
            Values::Double(values) => Arc::new(Float64Array::try_new(values.into(), nulls)?),
            Values::Datetime(values) => {
                Arc::new(TimestampNanosecondArray::try_new(values.into(), nulls)?)
            }
            Values::String(runs) | Values::Any(runs) => {
                let bytes = Buffer::from_vec(runs.bytes);
                Arc::new(StringArray::try_new(offsets(runs.ends), bytes, nulls)?)
            }
            Values::Binary(runs) => {
                let bytes = Buffer::from_vec(runs.bytes);
                Arc::new(BinaryArray::try_new(offsets(runs.ends), bytes, nulls)?)
            }
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
                let keys =
                    StringArray::try_new(offsets(keys.ends), Buffer::from_vec(keys.bytes), None)?;
                let fields = Fields::from(vec![
                    Field::new("keys", ArrowType::Utf8, false),
                    Field::new("values", values.data_type.arrow_type(), true),
                ]);
                let entries = StructArray::try_new(
                    fields.clone(),
                    vec![Arc::new(keys), values.finish()?],
                    None,
                )?;
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
                let problem = match known {
                    Some(_) => format!("property '{key}' is given twice"),
                    None => {
                        format!("Invalid properties not defined in the schema found: {{'{key}'}}")
                    }
                };
                let value = reader.skip()?;
                if context.is_full() {
                    context.count();
                } else {
                    context.report_cast(value, &DataType::Any, problem);
                }
            }
        }
        more = reader.object_next()?;
    }
    for (name, column) in properties {
        if column.len() < length {
            if column.required {
                if context.is_full() {
                    context.count();
                } else {
                    let problem = format!("Missing required properties: {{'{name}'}}");
                    context.report_cast("", column.data_type, problem);
                }
            }
            column.push_default();
            column.mark(false);
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

fn offsets(ends: Vec<i32>) -> OffsetBuffer<i32> {
    let mut all = Vec::with_capacity(ends.len() + 1);
    all.push(0);
    all.extend(ends);
    OffsetBuffer::new(ScalarBuffer::from(all))
}
