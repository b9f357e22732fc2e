//! Feature operators of ai.onnx.ml: scaling, imputing, encoding, picking columns.

use std::collections::HashMap;

use super::shaping::concat;
use crate::onnx::attributes::Attributes;
use crate::onnx::kernel::{Inputs, Kernel, MapKeys, Value, one};
use crate::onnx::tensor::{Data, Outcome, Tensor};

/// `Scaler`: `(x - offset) * scale` by column, or with one pair for all.
#[derive(Debug)]
pub(crate) struct Scaler {
    offset: Vec<f32>,
    scale: Vec<f32>,
}

impl Scaler {
    pub(crate) fn read(attributes: Attributes<'_>) -> Outcome<Box<dyn Kernel>> {
        let (offset, scale) =
            (attributes.floats("offset").to_vec(), attributes.floats("scale").to_vec());
        if offset.is_empty() || offset.len() != scale.len() {
            return Err(format!("{} offsets and {} scales", offset.len(), scale.len()));
        }
        Ok(Box::new(Self { offset, scale }))
    }
}

impl Kernel for Scaler {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let (_, columns) = input.rows_and_columns()?;
        if self.offset.len() != 1 && self.offset.len() != columns {
            return Err(format!("{columns} columns where the model has {}", self.offset.len()));
        }
        let pairs = self.offset.iter().zip(&self.scale).cycle();
        let values = input
            .data
            .to_f32()?
            .into_iter()
            .zip(pairs)
            .map(|(x, (offset, scale))| (x - offset) * scale);
        one(Tensor::new(input.shape.clone(), Data::F32(values.collect()))?)
    }
}

/// `Imputer`: one value of each column stands for "missing" and is replaced.
#[derive(Debug)]
pub(crate) enum Imputer {
    Floats { replaced: f32, imputed: Vec<f32> },
    Integers { replaced: i64, imputed: Vec<i64> },
}

impl Imputer {
    pub(crate) fn read(attributes: Attributes<'_>) -> Outcome<Box<dyn Kernel>> {
        let (floats, integers) =
            (attributes.floats("imputed_value_floats"), attributes.ints("imputed_value_int64s"));
        Ok(Box::new(if !floats.is_empty() {
            Self::Floats {
                replaced: attributes.float("replaced_value_float", f32::NAN),
                imputed: floats.to_vec(),
            }
        } else if !integers.is_empty() {
            Self::Integers {
                replaced: attributes.int("replaced_value_int64", 0),
                imputed: integers.to_vec(),
            }
        } else {
            return Err("no values to impute".into());
        }))
    }
}

impl Kernel for Imputer {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let (_, columns) = input.rows_and_columns()?;
        let count = match self {
            Self::Floats { imputed, .. } => imputed.len(),
            Self::Integers { imputed, .. } => imputed.len(),
        };
        if count != 1 && count != columns {
            return Err(format!("{columns} columns where the model has {count}"));
        }
        let data =
            match (self, &input.data) {
                (Self::Floats { replaced, imputed }, Data::F32(v)) => Data::F32(
                    v.iter()
                        .zip(imputed.iter().cycle())
                        .map(|(&x, &y)| {
                            if x == *replaced || (x.is_nan() && replaced.is_nan()) { y } else { x }
                        })
                        .collect(),
                ),
                (Self::Floats { replaced, imputed }, Data::F64(v)) => Data::F64(
                    v.iter()
                        .zip(imputed.iter().cycle())
                        .map(|(&x, &y)| {
                            if x == f64::from(*replaced) || (x.is_nan() && replaced.is_nan()) {
                                f64::from(y)
                            } else {
                                x
                            }
                        })
                        .collect(),
                ),
                (Self::Integers { replaced, imputed }, Data::I64(v)) => Data::I64(
                    v.iter()
                        .zip(imputed.iter().cycle())
                        .map(|(&x, &y)| if x == *replaced { y } else { x })
                        .collect(),
                ),
                (_, other) => return Err(format!("imputing {:?}", other.kind())),
            };
        one(Tensor::new(input.shape.clone(), data)?)
    }
}

/// `OneHotEncoder`: a new last dimension with a 1 at the place of the category.
#[derive(Debug)]
pub(crate) struct OneHotEncoder {
    integers: HashMap<i64, usize>,
    text: HashMap<String, usize>,
    zeros: bool,
}

impl OneHotEncoder {
    pub(crate) fn read(attributes: Attributes<'_>) -> Outcome<Box<dyn Kernel>> {
        let integers = attributes
            .ints("cats_int64s")
            .iter()
            .enumerate()
            .map(|(at, &x)| (x, at))
            .collect::<HashMap<_, _>>();
        let text = attributes
            .strings("cats_strings")?
            .into_iter()
            .enumerate()
            .map(|(at, x)| (x, at))
            .collect::<HashMap<_, _>>();
        if integers.is_empty() == text.is_empty() {
            return Err("either integer or text categories are needed".into());
        }
        Ok(Box::new(Self { integers, text, zeros: attributes.int("zeros", 1) != 0 }))
    }
}

impl Kernel for OneHotEncoder {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let places: Vec<Option<usize>> = match &input.data {
            Data::Text(v) => v.iter().map(|x| self.text.get(x).copied()).collect(),
            Data::F32(_) | Data::F64(_) => input
                .data
                .to_f64()?
                .into_iter()
                .map(|x| self.integers.get(&(x as i64)).copied())
                .collect(),
            other => other.to_i64()?.into_iter().map(|x| self.integers.get(&x).copied()).collect(),
        };
        let count = self.integers.len() + self.text.len();
        let mut hot = vec![0.0_f32; places.len() * count];
        for (row, place) in hot.chunks_exact_mut(count.max(1)).zip(places) {
            match place.and_then(|place| row.get_mut(place)) {
                Some(slot) => *slot = 1.0,
                None if self.zeros => {}
                None => return Err("a category that the model does not know".into()),
            }
        }
        let mut shape = input.shape.clone();
        shape.push(count);
        one(Tensor::new(shape, Data::F32(hot))?)
    }
}

/// A key of a dictionary; floats by their bits, all NaNs alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Integer(i64),
    Float(u64),
    Text(String),
}

fn keys(data: &Data) -> Vec<Key> {
    let float = |x: f64| {
        Key::Float(
            if x.is_nan() {
                f64::NAN
            } else if x == 0.0 {
                0.0
            } else {
                x
            }
            .to_bits(),
        )
    };
    match data {
        Data::F32(v) => v.iter().map(|&x| float(f64::from(x))).collect(),
        Data::F64(v) => v.iter().map(|&x| float(x)).collect(),
        Data::I64(v) => v.iter().map(|&x| Key::Integer(x)).collect(),
        Data::I32(v) => v.iter().map(|&x| Key::Integer(i64::from(x))).collect(),
        Data::Bool(v) => v.iter().map(|&x| Key::Integer(i64::from(x))).collect(),
        Data::Text(v) => v.iter().map(|x| Key::Text(x.clone())).collect(),
    }
}

/// `LabelEncoder` and `CategoryMapper`: a dictionary from one type to another.
#[derive(Debug)]
pub(crate) struct Dictionary {
    place: HashMap<Key, usize>,
    /// The values, then the one for keys that are not there.
    values: Data,
}

impl Dictionary {
    fn boxed(keys_of: &Data, values: &Data, default: Data) -> Outcome<Box<dyn Kernel>> {
        if keys_of.len() != values.len() {
            return Err(format!("{} keys and {} values", keys_of.len(), values.len()));
        }
        let place = keys(keys_of).into_iter().enumerate().map(|(at, key)| (key, at)).collect();
        let values = concat(&[&Tensor::vector(values.clone()), &Tensor::vector(default)], 0)?.data;
        Ok(Box::new(Self { place, values }))
    }

    /// `LabelEncoder` of versions 2 (lists) and 4 (tensors).
    pub(crate) fn label_encoder(attributes: Attributes<'_>) -> Outcome<Box<dyn Kernel>> {
        let side = |name: &str| -> Outcome<Option<Data>> {
            let (text, ints, floats) = (
                attributes.strings(&format!("{name}_strings"))?,
                attributes.ints(&format!("{name}_int64s")),
                attributes.floats(&format!("{name}_floats")),
            );
            Ok(if let Some(tensor) = attributes.tensor(&format!("{name}_tensor"))? {
                Some(tensor.data)
            } else if !text.is_empty() {
                Some(Data::Text(text))
            } else if !ints.is_empty() {
                Some(Data::I64(ints.to_vec()))
            } else if !floats.is_empty() {
                Some(Data::F32(floats.to_vec()))
            } else {
                None
            })
        };
        let classes = attributes.strings("classes_strings")?;
        if !classes.is_empty() {
            // Version 1: text to its number; the other direction came with version 2.
            let numbers = Data::I64((0..classes.len() as i64).collect());
            return Self::boxed(
                &Data::Text(classes),
                &numbers,
                Data::I64(vec![attributes.int("default_int64", -1)]),
            );
        }
        let (Some(keys), Some(values)) = (side("keys")?, side("values")?) else {
            return Err("keys or values are missing".into());
        };
        let default = match (attributes.tensor("default_tensor")?, &values) {
            (Some(tensor), _) => tensor.data,
            (None, Data::Text(_)) => {
                Data::Text(vec![attributes.string("default_string", "_Unused")?])
            }
            (None, Data::F32(_)) => Data::F32(vec![attributes.float("default_float", -0.0)]),
            (None, Data::I64(_)) => Data::I64(vec![attributes.int("default_int64", -1)]),
            (None, Data::F64(_)) => Data::F64(vec![-0.0]),
            (None, other) => return Err(format!("values of {:?}", other.kind())),
        };
        Self::boxed(&keys, &values, default)
    }
}

impl Kernel for Dictionary {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let places: Vec<usize> = keys(&input.data)
            .iter()
            .map(|key| self.place.get(key).copied().unwrap_or(self.values.len() - 1))
            .collect();
        one(Tensor::new(input.shape.clone(), self.values.take(places.into_iter())?)?)
    }
}

/// `CategoryMapper`: text to integer or back, by the type of the input.
#[derive(Debug)]
pub(crate) struct CategoryMapper {
    to_integer: Box<dyn Kernel>,
    to_text: Box<dyn Kernel>,
}

impl CategoryMapper {
    pub(crate) fn read(attributes: Attributes<'_>) -> Outcome<Box<dyn Kernel>> {
        let text = Data::Text(attributes.strings("cats_strings")?);
        let integers = Data::I64(attributes.ints("cats_int64s").to_vec());
        let default_integer = Data::I64(vec![attributes.int("default_int64", -1)]);
        let default_text = Data::Text(vec![attributes.string("default_string", "_Unused")?]);
        Ok(Box::new(Self {
            to_integer: Dictionary::boxed(&text, &integers, default_integer)?,
            to_text: Dictionary::boxed(&integers, &text, default_text)?,
        }))
    }
}

impl Kernel for CategoryMapper {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        match &inputs.tensor(0)?.data {
            Data::Text(_) => self.to_integer.run(inputs),
            _ => self.to_text.run(inputs),
        }
    }
}

/// `Normalizer`: each row divided by its norm.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Normalizer {
    Max,
    L1,
    L2,
}

impl Normalizer {
    pub(crate) fn read(attributes: Attributes<'_>) -> Outcome<Box<dyn Kernel>> {
        Ok(Box::new(match attributes.string("norm", "MAX")?.as_str() {
            "MAX" => Self::Max,
            "L1" => Self::L1,
            "L2" => Self::L2,
            other => return Err(format!("norm {other:?}")),
        }))
    }
}

impl Kernel for Normalizer {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let (_, columns) = input.rows_and_columns()?;
        let mut values = input.data.to_f32()?;
        for row in values.chunks_exact_mut(columns.max(1)) {
            let norm = match self {
                Self::Max => row.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                Self::L1 => row.iter().map(|x| x.abs()).sum(),
                Self::L2 => row.iter().map(|x| x * x).sum::<f32>().sqrt(),
            };
            if norm != 0.0 {
                for x in row.iter_mut() {
                    *x /= norm;
                }
            }
        }
        one(Tensor::new(input.shape.clone(), Data::F32(values))?)
    }
}

/// `Binarizer`: 1 above the threshold, else 0.
#[derive(Debug)]
pub(crate) struct Binarizer {
    pub(crate) threshold: f32,
}

impl Kernel for Binarizer {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let values =
            input.data.to_f32()?.into_iter().map(|x| f32::from(u8::from(x > self.threshold)));
        one(Tensor::new(input.shape.clone(), Data::F32(values.collect()))?)
    }
}

/// `ArrayFeatureExtractor`: picks columns by number.
#[derive(Debug)]
pub(crate) struct ArrayFeatureExtractor;

impl Kernel for ArrayFeatureExtractor {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let (input, wanted) = (inputs.tensor(0)?, inputs.tensor(1)?.data.to_i64()?);
        let columns = input.shape.last().copied().ok_or("a scalar has no columns")?;
        let wanted = wanted
            .into_iter()
            .map(|at| {
                usize::try_from(at)
                    .ok()
                    .filter(|&at| at < columns)
                    .ok_or_else(|| format!("column {at} of {columns}"))
            })
            .collect::<Outcome<Vec<_>>>()?;
        let rows = input.data.len() / columns.max(1);
        let places: Vec<usize> =
            (0..rows).flat_map(|row| wanted.iter().map(move |at| row * columns + at)).collect();
        let mut shape = input.shape.clone();
        if let Some(last) = shape.last_mut() {
            *last = wanted.len();
        }
        if shape.len() == 1 {
            shape.insert(0, 1);
        }
        one(Tensor::new(shape, input.data.take(places.into_iter())?)?)
    }
}

/// `FeatureVectorizer`: joins columns as floats.
#[derive(Debug)]
pub(crate) struct FeatureVectorizer;

impl Kernel for FeatureVectorizer {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let tensors = (0..inputs.len())
            .map(|at| {
                let input = inputs.tensor(at)?;
                // A vector is one column, a value for each row.
                let shape = if let [rows] = input.shape.as_slice() {
                    vec![*rows, 1]
                } else {
                    input.shape.clone()
                };
                Tensor::new(shape, Data::F32(input.data.to_f32()?))
            })
            .collect::<Outcome<Vec<_>>>()?;
        one(concat(&tensors.iter().collect::<Vec<_>>(), 1)?)
    }
}

/// `ZipMap`: rows of scores become maps from class to score.
#[derive(Debug)]
pub(crate) struct ZipMap(MapKeys);

impl ZipMap {
    pub(crate) fn read(attributes: Attributes<'_>) -> Outcome<Box<dyn Kernel>> {
        let text = attributes.strings("classlabels_strings")?;
        let integers = attributes.ints("classlabels_int64s").to_vec();
        Ok(Box::new(Self(if text.is_empty() {
            MapKeys::Integers(integers)
        } else {
            MapKeys::Text(text)
        })))
    }
}

impl Kernel for ZipMap {
    fn run(&self, inputs: &Inputs<'_>) -> Outcome<Vec<Value>> {
        let input = inputs.tensor(0)?;
        let (_, columns) = input.rows_and_columns()?;
        let count = match &self.0 {
            MapKeys::Integers(keys) => keys.len(),
            MapKeys::Text(keys) => keys.len(),
        };
        if count != columns {
            return Err(format!("{columns} columns for {count} keys"));
        }
        Ok(vec![Value::Maps(self.0.clone(), input.clone())])
    }
}
