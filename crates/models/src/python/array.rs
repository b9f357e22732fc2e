//! NumPy arrays in memory, and the `.npy` format.

use super::Id;
use super::dtype::Dtype;

/// An array, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) elements: Elements,
    /// Width of the numbers in the file; 0 for what is no number.
    pub(crate) bits: u8,
}

/// Elements by kind; integers of all widths become 64 bits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Elements {
    F64(Vec<f64>),
    F32(Vec<f32>),
    Int(Vec<i64>),
    Bool(Vec<bool>),
    Text(Vec<String>),
    Objects(Vec<Id>),
    Struct(Vec<(String, Elements)>),
}

impl Elements {
    /// Bytes held, roughly.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::F64(v) => size_of_val(v.as_slice()),
            Self::F32(v) => size_of_val(v.as_slice()),
            Self::Int(v) => size_of_val(v.as_slice()),
            Self::Bool(v) => v.len(),
            Self::Text(v) => v.iter().map(|text| size_of::<String>() + text.len()).sum(),
            Self::Objects(v) => size_of_val(v.as_slice()),
            Self::Struct(fields) => fields.iter().map(|(_, elements)| elements.bytes()).sum(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F64(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::Int(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Text(v) => v.len(),
            Self::Objects(v) => v.len(),
            Self::Struct(fields) => fields.first().map_or(0, |(_, elements)| elements.len()),
        }
    }

    /// Numbers as doubles; `None` for what is no number.
    pub(crate) fn to_f64(&self) -> Option<Vec<f64>> {
        Some(match self {
            Self::F64(v) => v.clone(),
            Self::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::Int(v) => v.iter().map(|&x| x as f64).collect(),
            Self::Bool(v) => v.iter().map(|&x| f64::from(u8::from(x))).collect(),
            _ => return None,
        })
    }

    /// Integers; `None` for anything else.
    pub(crate) fn to_i64(&self) -> Option<Vec<i64>> {
        match self {
            Self::Int(v) => Some(v.clone()),
            Self::Bool(v) => Some(v.iter().map(|&x| i64::from(x)).collect()),
            _ => None,
        }
    }

    fn take(&self, order: &[usize]) -> Self {
        fn pick<T: Clone>(values: &[T], order: &[usize]) -> Vec<T> {
            order.iter().filter_map(|&at| values.get(at).cloned()).collect()
        }
        match self {
            Self::F64(v) => Self::F64(pick(v, order)),
            Self::F32(v) => Self::F32(pick(v, order)),
            Self::Int(v) => Self::Int(pick(v, order)),
            Self::Bool(v) => Self::Bool(pick(v, order)),
            Self::Text(v) => Self::Text(pick(v, order)),
            Self::Objects(v) => Self::Objects(pick(v, order)),
            Self::Struct(fields) => {
                Self::Struct(fields.iter().map(|(name, v)| (name.clone(), v.take(order))).collect())
            }
        }
    }
}

impl Array {
    /// Turns column-major elements into row-major ones.
    pub(super) fn into_row_major(self) -> Self {
        let count = self.elements.len();
        let mut order = Vec::with_capacity(count);
        for flat in 0..count {
            let mut rest = flat;
            let mut coordinates: Vec<usize> = self
                .shape
                .iter()
                .rev()
                .map(|&dim| {
                    let here = rest % dim.max(1);
                    rest /= dim.max(1);
                    here
                })
                .collect();
            coordinates.reverse();
            let (mut place, mut stride) = (0, 1);
            for (coordinate, dim) in coordinates.iter().zip(&self.shape) {
                place += coordinate * stride;
                stride *= dim;
            }
            order.push(place);
        }
        Self { elements: self.elements.take(&order), ..self }
    }

    /// Reads a `.npy` file of plain elements.
    pub(crate) fn from_npy(bytes: &[u8]) -> Result<Self, String> {
        let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or("not an npy file")?;
        let (version, rest) = rest.split_first_chunk::<2>().ok_or("a cut npy file")?;
        let (header_len, rest) = match version[0] {
            1 => {
                let (len, rest) = rest.split_first_chunk::<2>().ok_or("a cut npy file")?;
                (usize::from(u16::from_le_bytes(*len)), rest)
            }
            2 | 3 => {
                let (len, rest) = rest.split_first_chunk::<4>().ok_or("a cut npy file")?;
                (u32::from_le_bytes(*len) as usize, rest)
            }
            other => return Err(format!("npy version {other}")),
        };
        let (header, data) = rest.split_at_checked(header_len).ok_or("a cut npy file")?;
        let header = std::str::from_utf8(header).map_err(|_| "an npy header that is not text")?;
        let header = Header::parse(header)?;
        header.dtype.array(data, header.shape, header.fortran)
    }
}

/// The header of an npy file: a Python dict with three known keys.
struct Header {
    dtype: Dtype,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, String> {
        let after = |key: &str| {
            let at = text
                .find(&format!("'{key}':"))
                .ok_or_else(|| format!("an npy header without {key}"))?;
            Ok::<_, String>(text.get(at + key.len() + 3..).unwrap_or_default().trim_start())
        };
        let shape = after("shape")?
            .strip_prefix('(')
            .and_then(|rest| rest.split(')').next())
            .ok_or("an npy header without a shape")?;
        let shape = shape
            .split(',')
            .map(str::trim)
            .filter(|dim| !dim.is_empty())
            .map(|dim| dim.parse().map_err(|_| format!("dimension {dim:?}")))
            .collect::<Result<Vec<usize>, String>>()?;
        let descr = after("descr")?;
        let dtype = if let Some(list) = descr.strip_prefix('[') {
            structure(list.split(']').next().unwrap_or_default())?
        } else {
            Dtype::parse(quoted(descr).next().unwrap_or_default())?
        };
        Ok(Self { dtype, fortran: after("fortran_order")?.starts_with("True"), shape })
    }
}

/// Quoted words of a Python literal.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('\'').skip(1).step_by(2)
}

/// `('left_child', '<i8'), ('right_child', '<i8'), …`
fn structure(list: &str) -> Result<Dtype, String> {
    let words: Vec<&str> = quoted(list).collect();
    let mut offset = 0_usize;
    let mut fields = Vec::new();
    for (name, dtype) in words.iter().step_by(2).zip(words.iter().skip(1).step_by(2)) {
        let dtype = Dtype::parse(dtype)?;
        let size = dtype.size;
        if !name.is_empty() {
            fields.push(((*name).to_owned(), dtype, offset));
        }
        offset += size;
    }
    Dtype::structure(fields, offset)
}
