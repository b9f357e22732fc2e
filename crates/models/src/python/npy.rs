//! The `.npy` format: an array with its type and shape in words of Python.

use super::array::Array;
use super::dtype::Dtype;
use crate::refusal::{Refusal, Result};

/// Reads a `.npy` file of plain elements.
pub(super) fn read(bytes: &[u8]) -> Result<Array> {
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
        other => return Err(format!("npy version {other}").into()),
    };
    let (header, data) = rest.split_at_checked(header_len).ok_or("a cut npy file")?;
    let header = std::str::from_utf8(header).map_err(|_| "an npy header that is not text")?;
    let header = Header::parse(header)?;
    header.dtype.array(data, header.shape, header.fortran)
}

/// The header of an npy file: a Python dict with three known keys.
struct Header {
    dtype: Dtype,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self> {
        let after = |key: &str| {
            let at = text
                .find(&format!("'{key}':"))
                .ok_or_else(|| format!("an npy header without {key}"))?;
            Ok::<_, Refusal>(text.get(at + key.len() + 3..).unwrap_or_default().trim_start())
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
            .collect::<Result<Vec<usize>, _>>()?;
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
fn structure(list: &str) -> Result<Dtype> {
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
