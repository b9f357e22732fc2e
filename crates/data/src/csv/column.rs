//! One column of one block: typed as far as the block tells, with what the whole column must know.

use std::sync::Arc;

use arrow_array::{Array as _, new_null_array};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, UInt64Array};
use arrow_buffer::{BooleanBufferBuilder, NullBufferBuilder, OffsetBufferBuilder};
use arrow_schema::{ArrowError, DataType};

use super::nulls::Nulls;
use super::split::Cell;
use super::value::{Number, boolean, float, number};

/// What a column of a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nulls alone.
    Null,
    /// Numbers, written as integers or not (see [`Facts`]).
    Number,
    /// Truth values.
    Boolean,
    /// Anything else.
    Text,
}

/// What decides the type of the whole column; blocks add up with [`Facts::merge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations, merged one by one")]
pub(super) struct Facts {
    kind: Kind,
    has_nulls: bool,
    /// A number with a point, an exponent, or infinite.
    has_floats: bool,
    /// An integer below zero.
    has_negatives: bool,
    /// An integer beyond 64 bits with sign.
    has_wide: bool,
    /// An integer beyond 64 bits without sign, or a negative wide one.
    has_huge: bool,
    /// An integer written with zeros before it.
    has_padded: bool,
    /// A text column in which `NA` was taken for missing.
    has_na: bool,
}

impl Facts {
    pub(super) const NONE: Self = Self {
        kind: Kind::Null,
        has_nulls: false,
        has_floats: false,
        has_negatives: false,
        has_wide: false,
        has_huge: false,
        has_padded: false,
        has_na: false,
    };

    /// The facts of both together.
    pub(super) fn merge(self, other: Self) -> Self {
        let kind = match (self.kind, other.kind) {
            (Kind::Null, kind) | (kind, Kind::Null) => kind,
            (left, right) if left == right => left,
            // Truth values among numbers are text, as pandas has it.
            _ => Kind::Text,
        };
        Self {
            kind,
            has_nulls: self.has_nulls || other.has_nulls,
            has_floats: self.has_floats || other.has_floats,
            has_negatives: self.has_negatives || other.has_negatives,
            has_wide: self.has_wide || other.has_wide,
            has_huge: self.has_huge || other.has_huge,
            has_padded: self.has_padded || other.has_padded,
            has_na: self.has_na || other.has_na,
        }
    }

    /// Whether all is missing.
    pub(super) fn is_nothing(self) -> bool {
        self.kind == Kind::Null
    }

    /// Whether the column is digits of which some have leading zeros: postal codes, not numbers.
    pub(super) fn are_padded_digits(self) -> bool {
        self.kind == Kind::Number && self.has_padded && !self.has_floats
    }

    /// Whether the column is numbers some of which have a decimal point.
    pub(super) fn are_floats(self) -> bool {
        self.kind == Kind::Number && self.has_floats
    }

    /// Whether the word `NA` was taken for a missing text.
    pub(super) fn has_na(self) -> bool {
        self.has_na
    }

    /// The type pandas gives the column: int64, uint64, float64, bool, then text.
    ///
    /// A column of nulls is `Null` here: other files may know better, alone it becomes Float64.
    pub(super) fn data_type(self) -> DataType {
        match self.kind {
            Kind::Null => DataType::Null,
            Kind::Boolean => DataType::Boolean,
            Kind::Text => DataType::Utf8,
            Kind::Number if self.has_floats => DataType::Float64,
            Kind::Number if self.has_wide => {
                if self.has_negatives || self.has_huge || self.has_nulls {
                    DataType::Utf8
                } else {
                    DataType::UInt64
                }
            }
            Kind::Number if self.has_nulls => DataType::Float64,
            Kind::Number => DataType::Int64,
        }
    }

    fn see(&mut self, number: Number, text: &[u8]) {
        match number {
            Number::Int(value) => {
                self.has_negatives |= value < 0;
                self.has_padded |= matches!(text, [b'0', rest @ ..] if is_digits(rest));
            }
            Number::Float(_) => self.has_floats = true,
            Number::Wide { nearest, unsigned } => {
                self.has_wide = true;
                self.has_negatives |= nearest < 0.0;
                self.has_huge |= !unsigned;
            }
        }
    }
}

/// Whether there are digits, and nothing else.
fn is_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// The values of a column of one block, in the narrowest form that holds them.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) facts: Facts,
    /// Null, Int64, Float64, Boolean or Utf8.
    pub(super) values: ArrayRef,
}

/// Types the cells of a column as far as this block tells. `block` must be UTF-8.
pub(super) fn infer(block: &[u8], cells: &[Cell], nulls: Nulls<'_>) -> Result<Parsed, ArrowError> {
    let first = cells.iter().find(|cell| !nulls.has(&cell.text(block)));
    let Some(first) = first else {
        let facts = Facts { has_nulls: !cells.is_empty(), ..Facts::NONE };
        return Ok(Parsed { facts, values: new_null_array(&DataType::Null, cells.len()) });
    };
    let first = first.text(block);
    let parsed = if number(&first).is_some() {
        numbers(block, cells, nulls)
    } else if boolean(&first).is_some() {
        booleans(block, cells, nulls)
    } else {
        None
    };
    if let Some(parsed) = parsed {
        return Ok(parsed);
    }
    let values = texts(block, cells, nulls)?;
    let has_nulls = values.null_count() > 0;
    let is_na = |cell: &Cell| *cell.text(block) == *b"NA" && nulls.has(b"NA");
    let has_na = has_nulls && cells.iter().any(is_na);
    let facts = Facts { kind: Kind::Text, has_nulls, has_na, ..Facts::NONE };
    Ok(Parsed { facts, values })
}

/// The cells of a column that is text whatever they hold; it has no facts.
pub(super) fn as_text(
    block: &[u8],
    cells: &[Cell],
    nulls: Nulls<'_>,
) -> Result<Parsed, ArrowError> {
    Ok(Parsed { facts: Facts::NONE, values: texts(block, cells, nulls)? })
}

/// Integers until the first float (or wide integer), then floats; `None` when a value is no number.
fn numbers(block: &[u8], cells: &[Cell], missing: Nulls<'_>) -> Option<Parsed> {
    let mut facts = Facts { kind: Kind::Number, ..Facts::NONE };
    let mut nulls = NullBufferBuilder::new(cells.len());
    let mut ints: Vec<i64> = Vec::with_capacity(cells.len());
    let mut rest = cells.iter();
    let mut floats: Vec<f64> = loop {
        let Some(cell) = rest.next() else {
            let nulls = nulls.finish();
            facts.has_nulls = nulls.is_some();
            return Some(Parsed { facts, values: Arc::new(Int64Array::new(ints.into(), nulls)) });
        };
        let text = cell.text(block);
        match number(&text) {
            Some(number @ Number::Int(value)) => {
                facts.see(number, &text);
                ints.push(value);
                nulls.append_non_null();
            }
            Some(number) => {
                facts.see(number, &text);
                nulls.append_non_null();
                let mut floats = Vec::with_capacity(cells.len());
                floats.extend(ints.iter().map(|&value| value as f64));
                floats.push(number.as_f64());
                break floats;
            }
            None if missing.has(&text) => {
                ints.push(0);
                nulls.append_null();
            }
            None => return None,
        }
    };
    for cell in rest {
        let text = cell.text(block);
        // In a column of floats it does not matter what else the numbers are.
        if facts.has_floats
            && let Some(number) = float(&text)
        {
            floats.push(number);
            nulls.append_non_null();
        } else if let Some(number) = number(&text) {
            facts.see(number, &text);
            floats.push(number.as_f64());
            nulls.append_non_null();
        } else if missing.has(&text) {
            floats.push(0.0);
            nulls.append_null();
        } else {
            return None;
        }
    }
    let nulls = nulls.finish();
    facts.has_nulls = nulls.is_some();
    Some(Parsed { facts, values: Arc::new(Float64Array::new(floats.into(), nulls)) })
}

fn booleans(block: &[u8], cells: &[Cell], missing: Nulls<'_>) -> Option<Parsed> {
    let mut nulls = NullBufferBuilder::new(cells.len());
    let mut values = BooleanBufferBuilder::new(cells.len());
    for cell in cells {
        let text = cell.text(block);
        let value = boolean(&text);
        if value.is_none() && !missing.has(&text) {
            return None;
        }
        values.append(value.unwrap_or_default());
        nulls.append(value.is_some());
    }
    let nulls = nulls.finish();
    let facts = Facts { kind: Kind::Boolean, has_nulls: nulls.is_some(), ..Facts::NONE };
    Some(Parsed { facts, values: Arc::new(BooleanArray::new(values.finish(), nulls)) })
}

fn texts(block: &[u8], cells: &[Cell], missing: Nulls<'_>) -> Result<ArrayRef, ArrowError> {
    let mut nulls = NullBufferBuilder::new(cells.len());
    let mut offsets = OffsetBufferBuilder::<i32>::new(cells.len());
    let mut bytes = Vec::new();
    for cell in cells {
        let text = cell.text(block);
        if missing.has(&text) {
            nulls.append_null();
            offsets.push_length(0);
        } else {
            nulls.append_non_null();
            offsets.push_length(text.len());
            bytes.extend_from_slice(&text);
        }
    }
    Ok(Arc::new(StringArray::try_new(offsets.finish(), bytes.into(), nulls.finish())?))
}

/// Why a column could not be read as the type that was asked for.
#[derive(Debug)]
pub(super) enum Refused {
    /// This cell is not of the type.
    Cell(Cell),
    /// Arrow refused the buffers.
    Arrow(ArrowError),
}

/// Reads the cells as the given type, or names the first cell that is not of it.
pub(super) fn read_as(
    block: &[u8],
    cells: &[Cell],
    data_type: &DataType,
    nulls: Nulls<'_>,
) -> Result<ArrayRef, Refused> {
    fn collect<'a, T, A: FromIterator<Option<T>>>(
        block: &'a [u8],
        cells: &'a [Cell],
        nulls: Nulls<'_>,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<A, Refused> {
        cells
            .iter()
            .map(|cell| {
                let text = cell.text(block);
                if nulls.has(&text) {
                    return Ok(None);
                }
                read(&text).map(Some).ok_or(Refused::Cell(*cell))
            })
            .collect()
    }
    match data_type {
        DataType::Int64 => Ok(Arc::new(collect::<_, Int64Array>(block, cells, nulls, |text| {
            match number(text)? {
                Number::Int(value) => Some(value),
                _ => None,
            }
        })?)),
        DataType::UInt64 => Ok(Arc::new(collect::<_, UInt64Array>(block, cells, nulls, |text| {
            match number(text)? {
                Number::Int(value) => u64::try_from(value).ok(),
                Number::Wide { unsigned: true, .. } => {
                    let text = std::str::from_utf8(text).ok()?.trim_ascii();
                    text.trim_start_matches('+').trim_ascii().parse().ok()
                }
                _ => None,
            }
        })?)),
        DataType::Float64 => {
            Ok(Arc::new(collect::<_, Float64Array>(block, cells, nulls, |text| {
                number(text).map(Number::as_f64)
            })?))
        }
        DataType::Boolean => {
            Ok(Arc::new(collect::<_, BooleanArray>(block, cells, nulls, boolean)?))
        }
        DataType::Null => Ok(new_null_array(&DataType::Null, cells.len())),
        _ => texts(block, cells, nulls).map_err(Refused::Arrow),
    }
}
