//! Values of one scalar type, as JSON and CSV write them, and the Arrow array of them.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array,
    StringArray, TimestampNanosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use trainyard_base::json::{Kind, Number, Reader, Syntax};

use super::cast::{self, Casting, Refusal};
use super::context::Context;
use super::datetime::{self, Datetime};
use crate::model::DataType;

/// Reading one value: pushed, or refused (nothing is pushed then), or not JSON.
pub(crate) type Cell = Result<Result<(), Refusal>, Syntax>;

/// Values of different lengths behind each other.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    pub(crate) ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl Runs {
    fn with_capacity(capacity: usize) -> Self {
        Self { ends: Vec::with_capacity(capacity), bytes: Vec::new() }
    }

    /// Appends one value; refuses what 32-bit offsets cannot hold.
    pub(crate) fn push(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let end = i32::try_from(self.bytes.len() + value.len()).map_err(|_big| Refusal::Length)?;
        self.bytes.extend_from_slice(value);
        self.ends.push(end);
        Ok(())
    }

    pub(crate) fn push_empty(&mut self) {
        self.ends.push(self.ends.last().copied().unwrap_or(0));
    }

    /// The array of texts.
    pub(crate) fn texts(self, nulls: Option<NullBuffer>) -> Result<StringArray, ArrowError> {
        StringArray::try_new(offsets(self.ends), Buffer::from_vec(self.bytes), nulls)
    }
}

/// Arrow's offsets of values that end here.
pub(crate) fn offsets(ends: Vec<i32>) -> OffsetBuffer<i32> {
    let mut all = Vec::with_capacity(ends.len() + 1);
    all.push(0);
    all.extend(ends);
    OffsetBuffer::new(ScalarBuffer::from(all))
}

#[derive(Debug)]
pub(crate) enum Scalars {
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
}

impl Scalars {
    /// No values yet, with room for so many. A type that is nested is its column's to hold.
    pub(crate) fn new(data_type: &DataType, capacity: usize) -> Self {
        match data_type {
            DataType::Boolean => Self::Boolean(Vec::with_capacity(capacity)),
            DataType::Integer => Self::Integer(Vec::with_capacity(capacity)),
            DataType::Long => Self::Long(Vec::with_capacity(capacity)),
            DataType::Float => Self::Float(Vec::with_capacity(capacity)),
            DataType::Double => Self::Double(Vec::with_capacity(capacity)),
            DataType::Datetime => Self::Datetime(Vec::with_capacity(capacity)),
            DataType::String => Self::String(Runs::with_capacity(capacity)),
            DataType::Binary => Self::Binary(Runs::with_capacity(capacity)),
            DataType::Any | DataType::Array(_) | DataType::Object(_) | DataType::Map(_) => {
                Self::Any(Runs::with_capacity(capacity))
            }
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Boolean(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Long(values) | Self::Datetime(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::String(runs) | Self::Binary(runs) | Self::Any(runs) => runs.ends.len(),
        }
    }

    /// The value under a null: NaN where there is one, so that a reader that does not look at
    /// nulls still sees a missing number.
    pub(crate) fn push_default(&mut self) {
        match self {
            Self::Boolean(values) => values.push(false),
            Self::Integer(values) => values.push(0),
            Self::Long(values) => values.push(0),
            Self::Datetime(values) => values.push(i64::MIN),
            Self::Float(values) => values.push(f32::NAN),
            Self::Double(values) => values.push(f64::NAN),
            Self::String(runs) | Self::Binary(runs) | Self::Any(runs) => runs.push_empty(),
        }
    }

    /// Reads a value that is neither null nor a number.
    pub(crate) fn read(
        &mut self,
        reader: &mut Reader<'_>,
        kind: Kind,
        casting: Casting,
        context: &Context<'_>,
    ) -> Cell {
        Ok(match (&mut *self, kind) {
            (Self::Any(runs), _) => runs.push(reader.skip()?.as_bytes()),
            // Python's bool() of a list or a dict.
            (Self::Boolean(values), Kind::Array | Kind::Object) if casting == Casting::Upstream => {
                let text = reader.skip()?;
                let inner = text.get(1..text.len() - 1).unwrap_or_default();
                values.push(!inner.trim().is_empty());
                Ok(())
            }
            (_, Kind::Boolean) => self.push_boolean(reader.boolean()?, casting),
            (_, Kind::Text) => self.push_text(&reader.string()?, casting, context),
            _ => Err(Refusal::Type),
        })
    }

    pub(crate) fn push_number(
        &mut self,
        number: Number<'_>,
        written: &str,
        casting: Casting,
    ) -> Result<(), Refusal> {
        let is_nan = matches!(number, Number::Real(value) if value.is_nan());
        match self {
            Self::Double(values) => values.push(cast::double(number, casting)?),
            Self::Float(values) => values.push(cast::float(number, casting)?),
            Self::Any(runs) => return runs.push(written.as_bytes()),
            // Python writes a missing value of any column as NaN, and pandas reads it so. Only its
            // bool() of one is true.
            Self::Boolean(values) if is_nan && casting == Casting::Upstream => values.push(true),
            _ if is_nan => return Err(Refusal::Null),
            Self::Long(values) => values.push(cast::long(number, casting)?),
            Self::Integer(values) => values.push(cast::integer(number, casting)?),
            Self::Boolean(values) if casting != Casting::Strict => {
                let value = number.as_f64();
                if value != 0.0 && value != 1.0 && casting != Casting::Upstream {
                    return Err(Refusal::Type);
                }
                values.push(value != 0.0);
            }
            // pandas.to_datetime reads a number as nanoseconds.
            Self::Datetime(values) if casting != Casting::Strict => {
                values.push(cast::long(number, Casting::Lossless)?);
            }
            Self::String(runs) if casting == Casting::Upstream => {
                return runs.push(written.as_bytes());
            }
            _ => return Err(Refusal::Type),
        }
        Ok(())
    }

    fn push_boolean(&mut self, value: bool, casting: Casting) -> Result<(), Refusal> {
        match self {
            Self::Boolean(values) => values.push(value),
            _ if casting == Casting::Strict => return Err(Refusal::Type),
            Self::Double(values) => values.push(f64::from(u8::from(value))),
            Self::Float(values) => values.push(f32::from(u8::from(value))),
            Self::Long(values) => values.push(i64::from(value)),
            Self::Integer(values) => values.push(i32::from(value)),
            Self::String(runs) if casting == Casting::Upstream => {
                return runs.push(if value { b"True" } else { b"False" });
            }
            _ => return Err(Refusal::Type),
        }
        Ok(())
    }

    fn push_text(
        &mut self,
        text: &str,
        casting: Casting,
        context: &Context<'_>,
    ) -> Result<(), Refusal> {
        if text.len() > context.limits.string_bytes_max {
            return Err(Refusal::Length);
        }
        match self {
            Self::Binary(runs) if context.base64 => {
                return runs.push(&cast::base64(text, casting)?);
            }
            Self::String(runs) | Self::Binary(runs) => return runs.push(text.as_bytes()),
            Self::Datetime(values) => match datetime::parse(text) {
                Datetime::Nanoseconds(value) => values.push(value),
                Datetime::Missing if casting != Casting::Strict => return Err(Refusal::Null),
                Datetime::WithTimeZone => return Err(Refusal::TimeZone),
                Datetime::Missing | Datetime::Unreadable => return Err(Refusal::Date),
            },
            _ if casting == Casting::Strict => return Err(Refusal::Type),
            Self::Double(values) => values.push(cast::float_text(text, casting)?),
            Self::Float(values) => {
                let number = Number::Real(cast::float_text(text, casting)?);
                values.push(cast::float(number, casting)?);
            }
            Self::Long(values) => values.push(cast::long_text(text)?),
            Self::Integer(values) => {
                values.push(cast::integer(Number::Int(cast::long_text(text)?), casting)?);
            }
            Self::Boolean(values) if context.csv => match text {
                "True" | "true" | "TRUE" => values.push(true),
                "False" | "false" | "FALSE" => values.push(false),
                _ => return Err(Refusal::Type),
            },
            Self::Boolean(values) if matches!(text, "True" | "true" | "TRUE") => values.push(true),
            // Upstream's bool("false") is True: only its own casting repeats that.
            Self::Boolean(values) if casting == Casting::Upstream => {
                values.push(!text.is_empty());
            }
            _ => return Err(Refusal::Type),
        }
        Ok(())
    }

    /// A cell of CSV, as pandas reads it: no underscores in numbers, whole numbers also with a point, 0 and 1 for
    /// booleans, and booleans for 0 and 1.
    pub(crate) fn push_csv(
        &mut self,
        text: &str,
        casting: Casting,
        context: &Context<'_>,
    ) -> Result<(), Refusal> {
        let is_whole = matches!(self, Self::Long(_) | Self::Integer(_));
        let is_boolean = matches!(self, Self::Boolean(_));
        let is_number = matches!(self, Self::Double(_) | Self::Float(_));
        if is_whole || is_number {
            match text {
                "True" | "true" | "TRUE" => return self.push_boolean(true, Casting::Lossless),
                "False" | "false" | "FALSE" => return self.push_boolean(false, Casting::Lossless),
                _ => {}
            }
        }
        if (is_whole || is_boolean || is_number) && text.contains('_') {
            return Err(Refusal::Type);
        }
        let trimmed = text.trim();
        if (is_boolean || (is_whole && trimmed.parse::<i64>().is_err()))
            && let Ok(value) = trimmed.parse()
        {
            return self.push_number(Number::Real(value), text, Casting::Lossless);
        }
        self.push_text(text, casting, context)
    }

    /// The array of all values, with nulls where they were.
    pub(crate) fn finish(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Boolean(values) => {
                Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls))
            }
            Self::Integer(values) => Arc::new(Int32Array::try_new(values.into(), nulls)?),
            Self::Long(values) => Arc::new(Int64Array::try_new(values.into(), nulls)?),
            Self::Float(values) => Arc::new(Float32Array::try_new(values.into(), nulls)?),
            Self::Double(values) => Arc::new(Float64Array::try_new(values.into(), nulls)?),
            Self::Datetime(values) => {
                Arc::new(TimestampNanosecondArray::try_new(values.into(), nulls)?)
            }
            Self::String(runs) | Self::Any(runs) => Arc::new(runs.texts(nulls)?),
            Self::Binary(runs) => {
                let bytes = Buffer::from_vec(runs.bytes);
                Arc::new(BinaryArray::try_new(offsets(runs.ends), bytes, nulls)?)
            }
        })
    }
}
