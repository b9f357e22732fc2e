//! NumPy's element types, and elements from bytes.

use super::array::{Array, Elements};
use crate::refusal::Result;

/// Fields of a structured type; trees have eight.
const FIELDS_MAX: usize = 64;

/// Elements without bytes (empty text) of one array.
const EMPTY_MAX: usize = 8_000_000;

/// An element type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dtype {
    pub(crate) kind: Kind,
    /// Bytes of one element.
    pub(crate) size: usize,
    pub(crate) big_endian: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Float,
    Int,
    Unsigned,
    Bool,
    /// Four bytes a character.
    Text,
    Bytes,
    Object,
    /// Name, type and offset of each field.
    Struct(Vec<(String, Dtype, usize)>),
}

impl Dtype {
    /// From a type string such as `<f8`, `|b1`, `<U12` or, as in `numpy.dtype("f8")`, `f8`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let bad = || format!("element type {text:?} is not known");
        let (order, rest) = match text.chars().next() {
            Some(c @ ('<' | '>' | '|' | '=')) => (c, text.get(1..).unwrap_or_default()),
            _ => ('=', text),
        };
        let letter = rest.chars().next().ok_or_else(bad)?;
        let digits = rest.get(letter.len_utf8()..).unwrap_or_default();
        let count =
            if digits.is_empty() { 0 } else { digits.parse::<usize>().map_err(|_| bad())? };
        let (kind, size) = match (letter, count) {
            ('f', 2 | 4 | 8) => (Kind::Float, count),
            ('i', 1 | 2 | 4 | 8) => (Kind::Int, count),
            ('u', 1 | 2 | 4 | 8) => (Kind::Unsigned, count),
            ('b', 0 | 1) => (Kind::Bool, 1),
            ('U', 0..=1_000_000) => (Kind::Text, count * 4),
            ('S' | 'a', 0..=1_000_000) => (Kind::Bytes, count),
            // Times and complex numbers may lie beside a model, in its rows of training; nothing reads them.
            ('V', 0..=1_000_000) | ('M' | 'm', 8) | ('c', 8 | 16) => {
                (Kind::Struct(Vec::new()), count)
            }
            ('O', _) => (Kind::Object, 8),
            _ => return Err(bad().into()),
        };
        Ok(Self { kind, size, big_endian: order == '>' })
    }

    /// A structured type; fields without a name are padding.
    pub(crate) fn structure(fields: Vec<(String, Self, usize)>, size: usize) -> Result<Self> {
        if fields.len() > FIELDS_MAX
            || fields.iter().any(|(_, dtype, offset)| offset.saturating_add(dtype.size) > size)
        {
            return Err("a structured element type does not fit its size".into());
        }
        Ok(Self { kind: Kind::Struct(fields), size, big_endian: false })
    }

    /// Elements of `count` values that lie `stride` bytes apart from `offset` on.
    fn read(&self, bytes: &[u8], count: usize, offset: usize, stride: usize) -> Result<Elements> {
        let at = |n: usize| {
            bytes.get(n * stride + offset..n * stride + offset + self.size).unwrap_or_default()
        };
        let word = |n: usize| -> u64 {
            let mut word = [0_u8; 8];
            for (to, from) in word.iter_mut().zip(at(n)) {
                *to = *from;
            }
            let size = self.size.clamp(1, 8);
            if self.big_endian {
                word.get_mut(..size).unwrap_or_default().reverse();
            }
            u64::from_le_bytes(word)
        };
        Ok(match (&self.kind, self.size) {
            (Kind::Float, 8) => {
                Elements::F64((0..count).map(|n| f64::from_bits(word(n))).collect())
            }
            (Kind::Float, 4) => {
                Elements::F32((0..count).map(|n| f32::from_bits(word(n) as u32)).collect())
            }
            (Kind::Float, _) => Elements::F32((0..count).map(|n| half(word(n) as u16)).collect()),
            (Kind::Int, size) => {
                let shift = 64 - 8 * size as u32;
                Elements::Int((0..count).map(|n| (word(n) << shift) as i64 >> shift).collect())
            }
            (Kind::Unsigned, _) => Elements::Int((0..count).map(|n| word(n) as i64).collect()),
            (Kind::Bool, _) => Elements::Bool((0..count).map(|n| word(n) != 0).collect()),
            (Kind::Text, _) => {
                Elements::Text((0..count).map(|n| self.text(at(n))).collect::<Result<_, _>>()?)
            }
            (Kind::Bytes, _) => Elements::Text(
                (0..count)
                    .map(|n| String::from_utf8_lossy(at(n)).trim_end_matches('\0').to_owned())
                    .collect(),
            ),
            (Kind::Object, _) => return Err("objects where plain elements are needed".into()),
            (Kind::Struct(fields), _) => Elements::Struct(
                fields
                    .iter()
                    .map(|(name, dtype, inner)| {
                        Ok((name.clone(), dtype.read(bytes, count, offset + inner, stride)?))
                    })
                    .collect::<Result<_>>()?,
            ),
        })
    }

    fn text(&self, bytes: &[u8]) -> Result<String> {
        let (chunks, _) = bytes.as_chunks::<4>();
        let code = |chunk: &[u8; 4]| {
            if self.big_endian { u32::from_be_bytes(*chunk) } else { u32::from_le_bytes(*chunk) }
        };
        let mut text: String = chunks
            .iter()
            .map(|chunk| char::from_u32(code(chunk)).ok_or("text that is not Unicode"))
            .collect::<Result<_, _>>()?;
        text.truncate(text.trim_end_matches('\0').len());
        Ok(text)
    }

    /// An array of this type in row-major order; `fortran` says that the bytes are column-major.
    pub(crate) fn array(&self, bytes: &[u8], shape: Vec<usize>, fortran: bool) -> Result<Array> {
        let count = shape
            .iter()
            .try_fold(1_usize, |n, &dim| n.checked_mul(dim))
            .ok_or("an array without end")?;
        if count.checked_mul(self.size) != Some(bytes.len()) {
            return Err(format!(
                "an array of shape {shape:?} and {} bytes an element has {} bytes",
                self.size,
                bytes.len()
            )
            .into());
        }
        // Elements without bytes (empty text) would let a small file ask for any number of them.
        if self.size == 0 && count > EMPTY_MAX {
            return Err(format!("an array of shape {shape:?} is too large").into());
        }
        let elements = self.read(bytes, count, 0, self.size)?;
        let bits = if matches!(self.kind, Kind::Int | Kind::Unsigned | Kind::Float) {
            self.size as u8 * 8
        } else {
            0
        };
        let array = Array { shape, elements, bits };
        Ok(if fortran && array.shape.len() > 1 { array.into_row_major() } else { array })
    }
}

fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (bits >> 15, bits >> 10 & 31, f32::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2.0_f32.powi(i32::from(exponent) - 15),
    };
    if sign == 1 { -magnitude } else { magnitude }
}
