//! Tensors of the types that tabular graphs use, and their constants as files hold them.

use super::proto::TensorProto;

/// Elements of one tensor. A model whose constants or results are larger than this is refused.
pub(crate) const ELEMENTS_MAX: usize = 1 << 28;

/// A result inside the evaluator; the text says what is wrong and the caller adds which node it was.
pub(crate) type Outcome<T> = Result<T, String>;

/// A dense tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Data,
}

/// Elements by type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
    I32(Vec<i32>),
    Bool(Vec<bool>),
    Text(Vec<String>),
}

/// The type of the elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    F32,
    F64,
    I64,
    I32,
    Bool,
    Text,
}

/// Runs an expression for whichever element type it is; `$v` is the vector.
macro_rules! for_each_type {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            Data::F32($v) => $body,
            Data::F64($v) => $body,
            Data::I64($v) => $body,
            Data::I32($v) => $body,
            Data::Bool($v) => $body,
            Data::Text($v) => $body,
        }
    };
}

/// The same, with the result wrapped in the same type again.
macro_rules! map_each_type {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            Data::F32($v) => Data::F32($body),
            Data::F64($v) => Data::F64($body),
            Data::I64($v) => Data::I64($body),
            Data::I32($v) => Data::I32($body),
            Data::Bool($v) => Data::Bool($body),
            Data::Text($v) => Data::Text($body),
        }
    };
}

impl Type {
    /// The type of this number in `TensorProto.DataType`.
    pub(crate) fn from_onnx(number: i32) -> Option<Self> {
        Some(match number {
            1 => Self::F32,
            11 => Self::F64,
            7 => Self::I64,
            6 => Self::I32,
            9 => Self::Bool,
            8 => Self::Text,
            _ => return None,
        })
    }
}

impl Data {
    pub(crate) fn len(&self) -> usize {
        for_each_type!(self, v => v.len())
    }

    pub(crate) fn kind(&self) -> Type {
        match self {
            Self::F32(_) => Type::F32,
            Self::F64(_) => Type::F64,
            Self::I64(_) => Type::I64,
            Self::I32(_) => Type::I32,
            Self::Bool(_) => Type::Bool,
            Self::Text(_) => Type::Text,
        }
    }

    /// Elements at these places, in this order.
    pub(crate) fn take(&self, places: impl Iterator<Item = usize> + Clone) -> Outcome<Self> {
        fn pick<T: Clone>(values: &[T], places: impl Iterator<Item = usize>) -> Outcome<Vec<T>> {
            places
                .map(|at| {
                    values.get(at).cloned().ok_or_else(|| format!("index {at} is out of range"))
                })
                .collect()
        }
        Ok(map_each_type!(self, v => pick(v, places)?))
    }

    /// Numbers as `f32`, as the classical operators take them; text is refused.
    pub(crate) fn to_f32(&self) -> Outcome<Vec<f32>> {
        Ok(match self {
            Self::F32(v) => v.clone(),
            Self::F64(v) => v.iter().map(|&x| x as f32).collect(),
            Self::I64(v) => v.iter().map(|&x| x as f32).collect(),
            Self::I32(v) => v.iter().map(|&x| x as f32).collect(),
            Self::Bool(v) => v.iter().map(|&x| f32::from(u8::from(x))).collect(),
            Self::Text(_) => return Err("text where numbers are needed".into()),
        })
    }

    /// Numbers as `f64`; text is refused.
    pub(crate) fn to_f64(&self) -> Outcome<Vec<f64>> {
        Ok(match self {
            Self::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::F64(v) => v.clone(),
            Self::I64(v) => v.iter().map(|&x| x as f64).collect(),
            Self::I32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::Bool(v) => v.iter().map(|&x| f64::from(u8::from(x))).collect(),
            Self::Text(_) => return Err("text where numbers are needed".into()),
        })
    }

    /// Integers, for shapes, axes and indices.
    pub(crate) fn to_i64(&self) -> Outcome<Vec<i64>> {
        Ok(match self {
            Self::I64(v) => v.clone(),
            Self::I32(v) => v.iter().map(|&x| i64::from(x)).collect(),
            Self::Bool(v) => v.iter().map(|&x| i64::from(x)).collect(),
            Self::F32(_) | Self::F64(_) | Self::Text(_) => return Err("integers are needed".into()),
        })
    }
}

impl Tensor {
    /// A tensor whose shape and number of elements agree.
    pub(crate) fn new(shape: Vec<usize>, data: Data) -> Outcome<Self> {
        let elements = element_count(&shape)?;
        if elements != data.len() {
            return Err(format!("shape {shape:?} does not hold {} elements", data.len()));
        }
        Ok(Self { shape, data })
    }

    /// A one-dimensional tensor.
    pub(crate) fn vector(data: Data) -> Self {
        Self { shape: vec![data.len()], data }
    }

    /// Rows and columns: `[N, C]`, or a vector as one row, as the classical operators see their input.
    pub(crate) fn rows_and_columns(&self) -> Outcome<(usize, usize)> {
        match self.shape.as_slice() {
            [columns] => Ok((1, *columns)),
            [rows, columns] => Ok((*rows, *columns)),
            other => Err(format!("a table is needed, not shape {other:?}")),
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        match &self.data {
            Data::Text(v) => v.iter().map(|s| s.len() + size_of::<String>()).sum(),
            Data::Bool(v) => v.len(),
            Data::F32(_) | Data::I32(_) => self.data.len() * 4,
            Data::F64(_) | Data::I64(_) => self.data.len() * 8,
        }
    }

    /// Reads a constant of a model file.
    pub(crate) fn from_proto(proto: &TensorProto) -> Outcome<Self> {
        if proto.data_location == 1 || !proto.external_data.is_empty() {
            return Err(format!("constant {:?} is kept in another file", proto.name));
        }
        let shape = proto
            .dims
            .iter()
            .map(|&dim| {
                usize::try_from(dim)
                    .map_err(|_| format!("constant {:?} has dimension {dim}", proto.name))
            })
            .collect::<Outcome<Vec<_>>>()?;
        let raw = proto.raw_data.as_slice();
        let data = match Type::from_onnx(proto.data_type) {
            Some(Type::F32) if raw.is_empty() => Data::F32(proto.float_data.clone()),
            Some(Type::F32) => Data::F32(little_endian(raw, f32::from_le_bytes)?),
            Some(Type::F64) if raw.is_empty() => Data::F64(proto.double_data.clone()),
            Some(Type::F64) => Data::F64(little_endian(raw, f64::from_le_bytes)?),
            Some(Type::I64) if raw.is_empty() => Data::I64(proto.int64_data.clone()),
            Some(Type::I64) => Data::I64(little_endian(raw, i64::from_le_bytes)?),
            Some(Type::I32) if raw.is_empty() => Data::I32(proto.int32_data.clone()),
            Some(Type::I32) => Data::I32(little_endian(raw, i32::from_le_bytes)?),
            Some(Type::Bool) if raw.is_empty() => {
                Data::Bool(proto.int32_data.iter().map(|&x| x != 0).collect())
            }
            Some(Type::Bool) => Data::Bool(raw.iter().map(|&x| x != 0).collect()),
            Some(Type::Text) => Data::Text(
                proto.string_data.iter().map(|bytes| text(bytes)).collect::<Outcome<_>>()?,
            ),
            // Small integers are kept as 32-bit ones: only sizes and modes come in these types.
            None if matches!(proto.data_type, 2..=5) && raw.is_empty() => {
                Data::I32(proto.int32_data.clone())
            }
            None if proto.data_type == 2 => Data::I32(raw.iter().map(|&x| i32::from(x)).collect()),
            None if proto.data_type == 3 => {
                Data::I32(raw.iter().map(|&x| i32::from(x as i8)).collect())
            }
            None => {
                return Err(format!(
                    "constant {:?} has element type {}",
                    proto.name, proto.data_type
                ));
            }
        };
        Self::new(shape, data).map_err(|reason| format!("constant {:?}: {reason}", proto.name))
    }
}

/// UTF-8 text of a file.
pub(crate) fn text(bytes: &[u8]) -> Outcome<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "text is not UTF-8".into())
}

/// Product of the dimensions, within [`ELEMENTS_MAX`].
pub(crate) fn element_count(shape: &[usize]) -> Outcome<usize> {
    shape
        .iter()
        .try_fold(1_usize, |product, &dim| product.checked_mul(dim))
        .filter(|&product| product <= ELEMENTS_MAX)
        .ok_or_else(|| {
            format!("shape {shape:?} is larger than the limit of {ELEMENTS_MAX} elements")
        })
}

fn little_endian<T, const N: usize>(raw: &[u8], read: fn([u8; N]) -> T) -> Outcome<Vec<T>> {
    let (chunks, rest) = raw.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(format!("{} bytes are not whole elements of {N}", raw.len()));
    }
    Ok(chunks.iter().map(|&chunk| read(chunk)).collect())
}
