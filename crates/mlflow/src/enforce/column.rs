//! A column that fills from JSON values, one a row, and becomes an Arrow array.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array,
    ListArray, MapArray, StringArray, StructArray, TimestampNanosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer as Bytes, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType as ArrowType, Field, Fields, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::context::{Casting, Context};
use super::datetime::{self, Datetime};
use super::json::{Kind, Number, Reader, Syntax};
use super::names::mlflow_name;
use crate::model::DataType;

/// Why a value does not become what the signature says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is of another type.
    Type,
    /// It has a fraction that a whole number cannot keep.
    Fraction,
    /// It is beyond the range of the type.
    Range,
    /// It is null and the column has no null.
    Null,
    /// It has a time zone.
    TimeZone,
    /// It is a text, but not of a date.
    Date,
    /// It is a text, but not base64.
    Base64,
    /// It is longer than the limit.
    Length,
}

impl Refusal {
    fn tail(self) -> &'static str {
        match self {
            Self::Type | Self::Null => "",
            Self::Fraction => ", which would lose its fraction",
            Self::Range => ", which is out of its range",
            Self::TimeZone => ", which has a time zone; write the time without one",
            Self::Date => ", which is not an ISO 8601 date between 1677 and 2262",
            Self::Base64 => ", which is not base64",
            Self::Length => ", which is too long",
        }
    }
}

/// What reading one value came to: a refusal leaves the column one value short.
type Cell = Result<Option<Refusal>, Syntax>;

/// Variable-length values behind each other.
#[derive(Debug, Default)]
struct Runs {
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl Runs {
    /// Appends one value; refuses what 32-bit offsets cannot hold.
    fn push(&mut self, value: &[u8]) -> Option<Refusal> {
        let Ok(end) = i32::try_from(self.bytes.len() + value.len()) else {
            return Some(Refusal::Length);
        };
        self.bytes.extend_from_slice(value);
        self.ends.push(end);
        None
    }
}

fn offsets(ends: Vec<i32>) -> OffsetBuffer<i32> {
    let mut all = Vec::with_capacity(ends.len() + 1);
    all.push(0);
    all.extend(ends);
    OffsetBuffer::new(ScalarBuffer::from(all))
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
    Array { ends: Vec<i32>, items: Box<Column<'s>> },
    Object(Vec<(&'s str, Column<'s>)>),
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
        let runs = || Runs { ends: Vec::with_capacity(capacity), bytes: Vec::new() };
        let values = match data_type {
            DataType::Boolean => Values::Boolean(Vec::with_capacity(capacity)),
            DataType::Integer => Values::Integer(Vec::with_capacity(capacity)),
            DataType::Long => Values::Long(Vec::with_capacity(capacity)),
            DataType::Float => Values::Float(Vec::with_capacity(capacity)),
            DataType::Double => Values::Double(Vec::with_capacity(capacity)),
            DataType::Datetime => Values::Datetime(Vec::with_capacity(capacity)),
            DataType::String => Values::String(runs()),
            DataType::Binary => Values::Binary(runs()),
            DataType::Any => Values::Any(runs()),
            DataType::Array(items) => Values::Array {
                ends: Vec::with_capacity(capacity),
                items: Box::new(Self::build(items, true, true, 0)),
            },
            DataType::Map(values) => Values::Map {
                ends: Vec::with_capacity(capacity),
                keys: Runs::default(),
                values: Box::new(Self::build(values, true, true, 0)),
            },
            DataType::Object(properties) => Values::Object(
                properties
                    .iter()
                    .map(|(name, data_type, required)| {
                        (name.as_str(), Self::build(data_type, *required, true, capacity))
                    })
                    .collect(),
            ),
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
            Values::Object(_) => self.valid.as_ref().map_or(0, Vec::len),
        }
    }

    /// Reads the next JSON value as the next row. Whatever the value is, the column is one longer
    /// afterwards; what does not fit is reported to `context`.
    #[inline]
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>, context: &mut Context<'_>) -> Result<(), Syntax> {
        let kind = reader.kind()?;
        let start = reader.position();
        // The commonest case by far, without the detour.
        if let (Values::Double(values), Kind::Number) = (&mut self.values, kind) {
            let number = reader.number()?;
            if !matches!(number, Number::Overflow(_)) {
                values.push(number.as_f64());
                self.mark(true);
                return Ok(());
            }
            reader.seek(start);
        }
        if kind == Kind::Null {
            reader.null()?;
            if let Some(refusal) = self.null(context.casting) {
                self.refuse(refusal, "null", kind, context);
            }
            return Ok(());
        }
        if let Some(refusal) = self.cell(reader, kind, context)? {
            reader.seek(start);
            let value = reader.skip()?;
            self.refuse(refusal, value, kind, context);
        } else {
            self.mark(true);
        }
        Ok(())
    }

    /// Reads a text that came from elsewhere than JSON (CSV) as the next row.
    pub(crate) fn read_text(&mut self, text: &str, context: &mut Context<'_>) {
        if text.is_empty() {
            if let Some(refusal) = self.null(context.casting) {
                self.refuse(refusal, "", Kind::Null, context);
            }
            return;
        }
        let casting = match context.casting {
            Casting::Strict => Casting::Lossless,
            other => other,
        };
        if let Some(refusal) = self.text(text, casting, context) {
            self.refuse(refusal, text, Kind::Text, context);
        } else {
            self.mark(true);
        }
    }

    /// Appends a null, or says that the column has none.
    pub(crate) fn null(&mut self, casting: Casting) -> Option<Refusal> {
        let allowed = match &self.values {
            // A missing number is a NaN to every library, a missing date a NaT.
            Values::Float(_) | Values::Double(_) | Values::Datetime(_) | Values::String(_) => {
                !self.nested || !self.required
            }
            Values::Any(_) => true,
            Values::Boolean(_) => !self.required || casting == Casting::Upstream,
            _ => !self.required,
        };
        if !allowed {
            return Some(Refusal::Null);
        }
        // Upstream's bool(None) is False.
        let stays_null = !(self.required && matches!(self.values, Values::Boolean(_)));
        self.push_default();
        self.mark(!stays_null);
        None
    }

    fn refuse(&mut self, refusal: Refusal, value: &str, kind: Kind, context: &mut Context<'_>) {
        self.push_default();
        self.mark(true);
        let expected = mlflow_name(self.data_type);
        let what = match (refusal, kind) {
            (_, Kind::Null) if value.is_empty() => "nothing",
            (_, Kind::Null) => "null",
            (_, Kind::Text) => "the string ",
            (_, Kind::Boolean) => "the boolean ",
            (_, Kind::Array) => "the list ",
            (_, Kind::Object) => "the object ",
            (_, Kind::Number) => "",
        };
        let shown = if kind == Kind::Null { String::new() } else { super::rejection::shorten(value) };
        let problem = format!("expected {expected}, got {what}{shown}{}", refusal.tail());
        context.report_cast(Some(value), expected, problem);
    }

    #[inline]
    fn mark(&mut self, valid: bool) {
        if let Some(flags) = &mut self.valid {
            flags.push(valid);
        } else if !valid || matches!(self.values, Values::Object(_)) {
            // Objects have no values of their own to count, so they always keep flags.
            let before = match self.values {
                Values::Object(_) => 0,
                _ => self.len().saturating_sub(1),
            };
            let mut flags = vec![true; before];
            flags.push(valid);
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
            Values::String(runs) | Values::Binary(runs) => {
                runs.push(b"");
            }
            Values::Any(runs) => {
                runs.push(b"null");
            }
            Values::Array { ends, .. } | Values::Map { ends, .. } => {
                ends.push(ends.last().copied().unwrap_or(0));
            }
            Values::Object(properties) => {
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
            (Values::Array { .. }, Kind::Array) => self.array(reader, context),
            (Values::Object(_), Kind::Object) => self.object(reader, context),
            (Values::Map { .. }, Kind::Object) => self.map(reader, context),
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
            _ => Ok(Some(Refusal::Type)),
        }
    }

    fn number(&mut self, number: Number<'_>, written: &str, casting: Casting) -> Option<Refusal> {
        match &mut self.values {
            Values::Double(values) => {
                let value = double(number, casting)?;
                push(values, value)
            }
            Values::Float(values) => push(values, float(number, casting)),
            Values::Long(values) => push(values, long(number, casting)),
            Values::Integer(values) => push(values, integer(number, casting)),
            Values::Boolean(values) => match (casting, number.as_f64()) {
                (Casting::Strict, _) => Some(Refusal::Type),
                (_, 0.0) => push(values, Ok(false)),
                (_, 1.0) => push(values, Ok(true)),
                (Casting::Lossless, _) => Some(Refusal::Type),
                (Casting::Upstream, _) => push(values, Ok(true)),
            },
            // pandas.to_datetime reads a number as nanoseconds.
            Values::Datetime(values) if casting != Casting::Strict => {
                push(values, long(number, Casting::Lossless))
            }
            Values::String(runs) if casting == Casting::Upstream => runs.push(written.as_bytes()),
            _ => Some(Refusal::Type),
        }
    }

    fn boolean(&mut self, value: bool, casting: Casting) -> Option<Refusal> {
        if let Values::Boolean(values) = &mut self.values {
            values.push(value);
            return None;
        }
        if casting == Casting::Strict {
            return Some(Refusal::Type);
        }
        match &mut self.values {
            Values::Double(values) => values.push(f64::from(u8::from(value))),
            Values::Float(values) => values.push(f32::from(u8::from(value))),
            Values::Long(values) => values.push(i64::from(value)),
            Values::Integer(values) => values.push(i32::from(value)),
            Values::String(runs) if casting == Casting::Upstream => {
                return runs.push(if value { b"True" } else { b"False" });
            }
            _ => return Some(Refusal::Type),
        }
        None
    }

    fn text(&mut self, text: &str, casting: Casting, context: &Context<'_>) -> Option<Refusal> {
        if text.len() > context.limits.string_bytes_max {
            return Some(Refusal::Length);
        }
        match &mut self.values {
            Values::String(runs) => runs.push(text.as_bytes()),
            Values::Binary(runs) if !context.base64 => runs.push(text.as_bytes()),
            Values::Binary(runs) => match decode_base64(text, casting) {
                Some(bytes) => runs.push(&bytes),
                None => Some(Refusal::Base64),
            },
            Values::Datetime(values) => match datetime::parse(text) {
                Datetime::Nanoseconds(value) => push(values, Ok(value)),
                Datetime::Missing if casting == Casting::Strict => Some(Refusal::Date),
                Datetime::Missing => {
                    self.push_default();
                    self.mark(false);
                    // The caller marks a value as present; the flag just set must be the last.
                    if let Some(flags) = &mut self.valid {
                        flags.pop();
                    }
                    None
                }
                Datetime::WithTimeZone => Some(Refusal::TimeZone),
                Datetime::Unreadable => Some(Refusal::Date),
            },
            _ if casting == Casting::Strict => Some(Refusal::Type),
            Values::Double(values) => push(values, python_float(text, casting)),
            Values::Float(values) => push(
                values,
                python_float(text, casting).and_then(|value| float(Number::Real(value), casting)),
            ),
            Values::Long(values) => push(values, python_int(text, casting)),
            Values::Integer(values) => push(
                values,
                python_int(text, casting).and_then(|value| integer(Number::Int(value), casting)),
            ),
            // Upstream's bool("false") is True: only --lenient repeats that.
            Values::Boolean(values) if casting == Casting::Upstream => push(values, Ok(!text.is_empty())),
            Values::Boolean(values) if context.csv => match text {
                "True" | "true" | "TRUE" => push(values, Ok(true)),
                "False" | "false" | "FALSE" => push(values, Ok(false)),
                _ => Some(Refusal::Type),
            },
            _ => Some(Refusal::Type),
        }
    }
}
