//! A column as bytes: a head that describes it and a body of little-endian numbers or text.

use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

use crate::Column;
use crate::values::{InMemory, Native, Numbers, Sorted, Strings, Values};

/// What a stored column is, beside its body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    data_type: DataType,
    rows: u64,
    missing: u64,
    negative_infinities: u64,
    positive_infinities: u64,
    form: Form,
    /// Distinct values or single values in the body.
    items: usize,
    /// Whether the body holds a count for every item.
    counted: bool,
    /// Bytes of text in the body.
    text_bytes: usize,
    /// Whether the values are a sample of those that the rows have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_sample: bool,
}

/// The type of the items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    F64,
    F32,
    F16,
    I64,
    U64,
    Text,
    Other,
}

impl Head {
    /// Bytes of the body that belongs to this head; `None` when no body could be that long.
    pub(crate) fn body_bytes(&self) -> Option<usize> {
        let (item, count) = match self.form {
            Form::F64 | Form::I64 | Form::U64 => (8_usize, 4),
            Form::F32 | Form::F16 => (4, 4),
            Form::Text => (8, 8),
            Form::Other => (0, 0),
        };
        let each = item + if self.counted { count } else { 0 };
        self.items.checked_mul(each)?.checked_add(self.text_bytes)
    }
}

impl Column {
    /// Takes the column apart. The order of rows is not kept.
    pub(crate) fn stored(&self) -> (Head, Vec<u8>) {
        let mut body = Vec::new();
        let (form, items, counted, text_bytes) = match &self.values {
            Values::Numbers(numbers) => {
                let (form, (items, counted)) = match numbers {
                    Numbers::F64(sorted) => (Form::F64, put(sorted, f64::to_le_bytes, &mut body)),
                    Numbers::F32(sorted) => (Form::F32, put(sorted, f32::to_le_bytes, &mut body)),
                    Numbers::F16(sorted) => (Form::F16, put(sorted, f32::to_le_bytes, &mut body)),
                    Numbers::I64(sorted) => (Form::I64, put(sorted, i64::to_le_bytes, &mut body)),
                    Numbers::U64(sorted) => (Form::U64, put(sorted, u64::to_le_bytes, &mut body)),
                };
                (form, items, counted, 0)
            }
            Values::Strings(strings) => {
                let (text, ends, counts) = strings.parts();
                body.extend(ends.iter().flat_map(|end| (*end as u64).to_le_bytes()));
                body.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
                body.extend_from_slice(text.as_bytes());
                (Form::Text, ends.len(), true, text.len())
            }
            Values::Other => (Form::Other, 0, false, 0),
        };
        let head = Head {
            data_type: self.data_type.clone(),
            rows: self.rows,
            missing: self.missing,
            negative_infinities: self.negative_infinities,
            positive_infinities: self.positive_infinities,
            form,
            items,
            counted,
            text_bytes,
            is_sample: self.is_sample(),
        };
        (head, body)
    }

    /// Puts together what [`Column::stored`] took apart; `None` when head and body do not fit.
    pub(crate) fn from_stored(head: &Head, body: &[u8]) -> Option<Self> {
        if body.len() != head.body_bytes()? {
            return None;
        }
        let values = match head.form {
            Form::F64 => Values::Numbers(Numbers::F64(take(head, body, f64::from_le_bytes)?)),
            Form::F32 => Values::Numbers(Numbers::F32(take(head, body, f32::from_le_bytes)?)),
            Form::F16 => Values::Numbers(Numbers::F16(take(head, body, f32::from_le_bytes)?)),
            Form::I64 => Values::Numbers(Numbers::I64(take(head, body, i64::from_le_bytes)?)),
            Form::U64 => Values::Numbers(Numbers::U64(take(head, body, u64::from_le_bytes)?)),
            Form::Text => {
                let (ends, rest) = body.split_at_checked(head.items * 8)?;
                let (counts, text) = rest.split_at_checked(head.items * 8)?;
                let ends = each(ends, u64::from_le_bytes).map(usize::try_from);
                Values::Strings(Strings::from_parts(
                    String::from_utf8(text.to_vec()).ok()?,
                    ends.collect::<Result<_, _>>().ok()?,
                    each(counts, u64::from_le_bytes).collect(),
                )?)
            }
            Form::Other => Values::Other,
        };
        let column = Self {
            data_type: head.data_type.clone(),
            rows: head.rows,
            missing: head.missing,
            negative_infinities: head.negative_infinities,
            positive_infinities: head.positive_infinities,
            values,
            rows_in_order: None,
        };
        let seen = column.len().checked_add(column.missing)?;
        let seen = seen.checked_add(head.negative_infinities)?;
        let seen = seen.checked_add(head.positive_infinities)?;
        let fits = seen == head.rows || head.is_sample && seen < head.rows;
        (fits || column.values == Values::Other).then_some(column)
    }
}

/// Appends values and, for runs, where each ends.
fn put<T: Native, const N: usize>(
    sorted: &Sorted<T>,
    bytes: impl Fn(T) -> [u8; N],
    body: &mut Vec<u8>,
) -> (usize, bool) {
    let held = sorted.in_memory();
    let (values, ends) = held.parts();
    body.extend(values.iter().flat_map(|value| bytes(*value)));
    body.extend(ends.iter().flat_map(|ends| ends.iter()).flat_map(|end| end.to_le_bytes()));
    (values.len(), ends.is_some())
}

fn take<T: Native, const N: usize>(
    head: &Head,
    body: &[u8],
    value: impl Fn([u8; N]) -> T,
) -> Option<Sorted<T>> {
    let (values, ends) = body.split_at_checked(head.items.checked_mul(N)?)?;
    let ends = head.counted.then(|| each(ends, u32::from_le_bytes).collect());
    InMemory::from_parts(each(values, value).collect(), ends).map(Sorted::InMemory)
}

fn each<T, const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> impl Iterator<Item = T> {
    bytes.as_chunks().0.iter().map(move |chunk| value(*chunk))
}
