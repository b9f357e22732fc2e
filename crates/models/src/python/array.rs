//! NumPy arrays in memory.

/// Number of an object in its heap.
pub(crate) type Id = u32;

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
}
