//! From Arrow columns to the row-major values that models take.
//!
//! A column of lists of one length is a tensor input: it counts as many columns. Missing values of numeric
//! columns are NaN, as pandas has them, and a column that misses all of its values is of the type that the
//! model takes: without a signature nothing else says it.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array as _, ArrayRef, ArrowPrimitiveType, Float32Array, Float64Array, ListArray,
    PrimitiveArray, RecordBatch,
};
use arrow_schema::DataType;

use crate::any::{Cell, is_json};
use crate::{Error, Result};

/// Rows of numbers, row-major, and how many numbers a row has.
pub(crate) type Rows<T> = (Vec<T>, usize);

/// The rows of a batch in 32 bits.
pub(crate) fn rows_f32(batch: &RecordBatch) -> Result<Rows<f32>> {
    if let Some(rows) = plain_rows(batch, |x| x as f32, |x| x) {
        return Ok(rows);
    }
    let input = Input::new(batch);
    Ok((input.rows_f32()?, input.width()))
}

/// The rows of a batch in 64 bits.
pub(crate) fn rows_f64(batch: &RecordBatch) -> Result<Rows<f64>> {
    if let Some(rows) = plain_rows(batch, |x| x, f64::from) {
        return Ok(rows);
    }
    let input = Input::new(batch);
    Ok((input.rows_f64()?, input.width()))
}

/// The rows of columns that are all floats and miss none: the usual request, which asks nothing more of a column
/// than what it is.
fn plain_rows<T: Default + Clone>(
    batch: &RecordBatch,
    from_double: impl Fn(f64) -> T,
    from_single: impl Fn(f32) -> T,
) -> Option<Rows<T>> {
    let width = batch.num_columns();
    let mut rows = vec![T::default(); batch.num_rows() * width];
    for (at, column) in batch.columns().iter().enumerate() {
        let column = column.as_any();
        let place = (at, 1, width);
        if let Some(doubles) = column.downcast_ref::<Float64Array>() {
            lay(&mut rows, place, floats_of(doubles, 0)?, &from_double);
        } else {
            let singles = column.downcast_ref::<Float32Array>()?;
            lay(&mut rows, place, floats_of(singles, 0)?, &from_single);
        }
    }
    Some((rows, width))
}

/// The columns of a batch, lists taken apart.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    rows: usize,
    columns: Vec<Column<'a>>,
    width: usize,
}

#[derive(Debug)]
struct Column<'a> {
    name: &'a str,
    /// rows x width values.
    values: &'a ArrayRef,
    /// Where the values of the batch begin (lists can be slices of longer ones).
    start: usize,
    width: usize,
    /// Its texts are the JSON of values of any type.
    is_json: bool,
}

/// Refuses an input that is not as wide as the model.
pub(crate) fn check_width(given: usize, taken: usize) -> Result<()> {
    if given == taken {
        return Ok(());
    }
    Err(Error::Input(format!("the model takes {taken} columns, the input has {given}")))
}

/// How many numbers a row of this column holds.
pub(crate) fn width(column: &ArrayRef) -> usize {
    match column.data_type() {
        DataType::FixedSizeList(item, size) => {
            let inner = match item.data_type() {
                DataType::FixedSizeList(_, inner) => usize::try_from(*inner).unwrap_or(0),
                _ => 1,
            };
            usize::try_from(*size).unwrap_or(0) * inner
        }
        DataType::List(_) => column.as_list_opt().and_then(even_length).unwrap_or(1),
        _ => 1,
    }
}

/// Whether all values are of 32 bits, in which NumPy then keeps the rows.
pub(crate) fn is_single(batch: &RecordBatch) -> bool {
    fn innermost(kind: &DataType) -> &DataType {
        match kind {
            DataType::FixedSizeList(item, _) | DataType::List(item) => innermost(item.data_type()),
            other => other,
        }
    }
    batch.columns().iter().all(|column| *innermost(column.data_type()) == DataType::Float32)
}

/// The length that all lists have: without a signature nothing says it before the rows do.
fn even_length(lists: &ListArray) -> Option<usize> {
    let mut lengths = lists.offsets().lengths();
    let first = lengths.next().filter(|_| lists.null_count() == 0)?;
    lengths.all(|length| length == first).then_some(first)
}

impl<'a> Input<'a> {
    pub(crate) fn new(batch: &'a RecordBatch) -> Self {
        // Beside other columns, a list is a value that only models of their own kind take.
        let is_tensor = batch.num_columns() == 1;
        let columns: Vec<Column<'a>> = batch
            .schema_ref()
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, values)| {
                let (name, kind) = (field.name().as_str(), field.data_type());
                let is_json = (kind.is_nested() || *kind == DataType::Utf8) && is_json(field);
                let mut column = Column { name, values, start: 0, width: 1, is_json };
                // Most columns, and a request has many of them: nothing more is asked of one.
                if !kind.is_nested() {
                    return column;
                }
                while let Some(list) = column.values.as_fixed_size_list_opt() {
                    let size = list.value_length().max(0) as usize;
                    column.start = (column.start + list.offset()) * size;
                    column.width *= size;
                    column.values = list.values();
                }
                if let Some(list) = column.values.as_list_opt::<i32>()
                    && is_tensor
                    && column.width == 1
                    && let Some(size) = even_length(list)
                {
                    let first = list.offsets().first();
                    column.start = usize::try_from(first).unwrap_or(0) + column.start * size;
                    column.width = size;
                    column.values = list.values();
                }
                column.is_json &= *column.values.data_type() == DataType::Utf8;
                column
            })
            .collect();
        let width = columns.iter().map(|column| column.width).sum();
        Self { rows: batch.num_rows(), columns, width }
    }

    /// Numbers a row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Which columns are of 32 bits.
    pub(crate) fn singles(&self) -> Vec<bool> {
        let each = self.columns.iter().flat_map(|column| {
            let is_single = *column.values.data_type() == DataType::Float32;
            std::iter::repeat_n(is_single, column.width)
        });
        each.collect()
    }

    /// Names of the columns; those of a tensor are its places.
    pub(crate) fn names(&self) -> Vec<String> {
        let each =
            self.columns.iter().flat_map(|column| (0..column.width).map(move |at| (column, at)));
        each.map(
            |(column, at)| if column.width == 1 { column.name.to_owned() } else { at.to_string() },
        )
        .collect()
    }

    /// Columns one by one: text as text, numbers as numbers.
    pub(crate) fn columns(&self) -> Result<Vec<Cells>> {
        let mut cells = Vec::with_capacity(self.width);
        for column in &self.columns {
            if column.is_json && !column.is_missing() {
                let Some(values) = column.cells() else {
                    let other = Cells::Other(DataType::new_list(DataType::Utf8, true));
                    cells.extend(std::iter::repeat_n(other, column.width));
                    continue;
                };
                for at in 0..column.width {
                    let every = values.iter().skip(at).step_by(column.width).take(self.rows);
                    cells.push(Cells::of(every.cloned().collect()));
                }
                continue;
            }
            let is_text = matches!(column.values.data_type(), DataType::Utf8 | DataType::LargeUtf8);
            if is_text && !column.is_missing() {
                let mut text = Vec::with_capacity(self.rows * column.width);
                column.text(&mut |value| text.push(value))?;
                for at in 0..column.width {
                    let every = text.iter().skip(at).step_by(column.width).take(self.rows);
                    cells.push(Cells::Text(every.cloned().collect()));
                }
                continue;
            }
            let kind = column.values.data_type();
            let is_other =
                matches!(kind, DataType::Timestamp(..) | DataType::Binary | DataType::LargeBinary);
            if (is_other || kind.is_nested()) && !column.is_missing() {
                let other = Cells::Other(column.values.data_type().clone());
                cells.extend(std::iter::repeat_n(other, column.width));
                continue;
            }
            let mut numbers = Vec::with_capacity(self.rows * column.width);
            column.numbers(|x| x, f64::from, |x| x as f64, &mut |x| numbers.push(x))?;
            for at in 0..column.width {
                cells.push(Cells::Numbers(
                    numbers
                        .iter()
                        .skip(at)
                        .step_by(column.width)
                        .take(self.rows)
                        .copied()
                        .collect(),
                ));
            }
        }
        Ok(cells)
    }

    pub(crate) fn rows_f32(&self) -> Result<Vec<f32>> {
        if let Some(rows) = self.floats(|x| x as f32, |x| x) {
            return Ok(rows);
        }
        self.gather(|column, write| column.numbers(|x| x as f32, |x| x, |x| x as f32, write))
    }

    pub(crate) fn rows_f64(&self) -> Result<Vec<f64>> {
        if let Some(rows) = self.floats(|x| x, f64::from) {
            return Ok(rows);
        }
        self.gather(|column, write| column.numbers(|x| x, f64::from, |x| x as f64, write))
    }

    /// All columns at once, where they hold floats and miss none: the usual request, without a call for
    /// each cell.
    fn floats<T: Default + Clone>(
        &self,
        from_double: impl Fn(f64) -> T,
        from_single: impl Fn(f32) -> T,
    ) -> Option<Vec<T>> {
        let are_floats = self.columns.iter().all(|column| {
            matches!(column.values.data_type(), DataType::Float64 | DataType::Float32)
        });
        if !are_floats || self.width == 0 {
            return None;
        }
        let mut rows = vec![T::default(); self.rows * self.width];
        let mut first = 0;
        for column in &self.columns {
            let place = (first, column.width, self.width);
            if let Some(array) = column.values.as_primitive_opt::<Float64Type>() {
                lay(&mut rows, place, floats_of(array, column.start)?, &from_double);
            } else {
                let array = column.values.as_primitive::<Float32Type>();
                lay(&mut rows, place, floats_of(array, column.start)?, &from_single);
            }
            first += column.width;
        }
        Some(rows)
    }

    pub(crate) fn rows_i64(&self) -> Result<Vec<i64>> {
        let mut lossy = None;
        let rows = self.gather(|column, write| {
            let mut whole = |x: f64| {
                if x.fract() != 0.0 || !(-9.2e18..9.2e18).contains(&x) {
                    lossy.get_or_insert((column.name.to_owned(), x));
                }
                x as i64
            };
            let mut whole = |x: f64| whole(x);
            // Two closures would borrow the same state, so floats go through doubles.
            let cell = std::cell::RefCell::new(&mut whole);
            column.numbers(
                |x| (cell.borrow_mut())(x),
                |x| (cell.borrow_mut())(f64::from(x)),
                |x| x,
                write,
            )
        })?;
        match lossy {
            Some((name, x)) => Err(Error::Input(format!(
                "column {name:?} holds {x} where the model takes integers"
            ))),
            None => Ok(rows),
        }
    }

    pub(crate) fn rows_text(&self) -> Result<Vec<String>> {
        self.gather(|column, write| column.text(&mut |value| write(value.unwrap_or_default())))
    }

    /// Lays columns out row by row; `read` hands each value of a column to its writer in order.
    fn gather<T: Default + Clone>(
        &self,
        mut read: impl FnMut(&Column<'a>, &mut dyn FnMut(T)) -> Result<()>,
    ) -> Result<Vec<T>> {
        let mut values = vec![T::default(); self.rows * self.width];
        let mut first = 0;
        for column in &self.columns {
            let (mut row, mut at) = (0, 0);
            read(column, &mut |value| {
                if let Some(slot) = values.get_mut(row * self.width + first + at) {
                    *slot = value;
                }
                at += 1;
                if at == column.width {
                    at = 0;
                    row += 1;
                }
            })?;
            first += column.width;
        }
        Ok(values)
    }
}

/// The values of a column from a place on, if none of the column is missing.
fn floats_of<P: ArrowPrimitiveType>(
    array: &PrimitiveArray<P>,
    start: usize,
) -> Option<&[P::Native]> {
    (array.null_count() == 0).then(|| array.values().get(start..)).flatten()
}

/// Puts the values of a column into its places of each row: from `first` on, so many of the `width` of a row.
fn lay<S: Copy, T>(
    rows: &mut [T],
    (first, values_a_row, width): (usize, usize, usize),
    values: &[S],
    convert: impl Fn(S) -> T,
) {
    if values_a_row == 1 {
        let slots = rows.get_mut(first..).unwrap_or_default().iter_mut().step_by(width);
        slots.zip(values).for_each(|(slot, &value)| *slot = convert(value));
        return;
    }
    let place = first..first + values_a_row;
    for (row, values) in rows.chunks_exact_mut(width).zip(values.chunks_exact(values_a_row.max(1)))
    {
        let slots = row.get_mut(place.clone()).unwrap_or_default();
        slots.iter_mut().zip(values).for_each(|(slot, &value)| *slot = convert(value));
    }
}

impl Column<'_> {
    /// Whether no value is there at all.
    fn is_missing(&self) -> bool {
        self.values.logical_null_count() == self.values.len()
    }

    /// The values of a column of any type; none if a list or an object is among them.
    fn cells(&self) -> Option<Vec<Cell>> {
        let cell = |json: Option<&str>| json.map_or(Some(Cell::Missing), Cell::parse);
        self.values.as_string_opt::<i32>()?.iter().skip(self.start).map(cell).collect()
    }

    /// The values of a column of any type as numbers, NaN where they are missing.
    fn any_numbers(&self) -> Option<Vec<f64>> {
        let number = |cell| match cell {
            Cell::Number(x) => Some(x),
            Cell::Missing => Some(f64::NAN),
            Cell::Text(_) => None,
        };
        self.cells()?.into_iter().map(number).collect()
    }

    /// The values of a column of any type as texts.
    fn any_texts(&self) -> Option<Vec<Option<String>>> {
        let text = |cell| match cell {
            Cell::Text(text) => Some(Some(text)),
            Cell::Missing => Some(None),
            Cell::Number(_) => None,
        };
        self.cells()?.into_iter().map(text).collect()
    }

    /// Refuses values of another kind than the model takes.
    fn unfit(&self, taken: &str) -> Error {
        Error::Input(format!(
            "column {:?} holds something else where the model takes {taken}",
            self.name
        ))
    }

    fn numbers<T>(
        &self,
        from_double: impl Fn(f64) -> T,
        from_single: impl Fn(f32) -> T,
        from_integer: impl Fn(i64) -> T,
        write: &mut dyn FnMut(T),
    ) -> Result<()> {
        if self.is_json && !self.is_missing() {
            let numbers = self.any_numbers().ok_or_else(|| self.unfit("numbers"))?;
            for x in numbers {
                write(from_double(x));
            }
            return Ok(());
        }
        let values = self.values;
        macro_rules! each {
            ($type:ty, $convert:expr) => {{
                let array = values.as_primitive::<$type>();
                for at in self.start..array.len() {
                    write(if array.is_null(at) {
                        from_double(f64::NAN)
                    } else {
                        $convert(array.value(at))
                    });
                }
            }};
        }
        match values.data_type() {
            DataType::Float64 => each!(Float64Type, &from_double),
            DataType::Float32 => each!(Float32Type, &from_single),
            DataType::Float16 => each!(Float16Type, |x| from_single(f32::from(x))),
            DataType::Int64 => each!(Int64Type, &from_integer),
            DataType::Int32 => each!(Int32Type, |x| from_integer(i64::from(x))),
            DataType::Int16 => each!(Int16Type, |x| from_integer(i64::from(x))),
            DataType::Int8 => each!(Int8Type, |x| from_integer(i64::from(x))),
            DataType::UInt8 => each!(UInt8Type, |x| from_integer(i64::from(x))),
            DataType::UInt16 => each!(UInt16Type, |x| from_integer(i64::from(x))),
            DataType::UInt32 => each!(UInt32Type, |x| from_integer(i64::from(x))),
            DataType::UInt64 => each!(UInt64Type, |x: u64| from_integer(x as i64)),
            DataType::Boolean => {
                let array = values.as_boolean();
                for at in self.start..array.len() {
                    write(if array.is_null(at) {
                        from_double(f64::NAN)
                    } else {
                        from_integer(i64::from(array.value(at)))
                    });
                }
            }
            _ if self.is_missing() => {
                (self.start..values.len()).for_each(|_| write(from_double(f64::NAN)));
            }
            other => {
                return Err(Error::Input(format!(
                    "column {:?} is {other} where the model takes numbers",
                    self.name
                )));
            }
        }
        Ok(())
    }

    fn text(&self, write: &mut dyn FnMut(Option<String>)) -> Result<()> {
        if self.is_json && !self.is_missing() {
            let texts = self.any_texts().ok_or_else(|| self.unfit("text"))?;
            for text in texts {
                write(text);
            }
            return Ok(());
        }
        match self.values.data_type() {
            DataType::Utf8 => {
                self.values
                    .as_string::<i32>()
                    .iter()
                    .skip(self.start)
                    .for_each(|value| write(value.map(str::to_owned)));
                Ok(())
            }
            DataType::LargeUtf8 => {
                self.values
                    .as_string::<i64>()
                    .iter()
                    .skip(self.start)
                    .for_each(|value| write(value.map(str::to_owned)));
                Ok(())
            }
            _ if self.is_missing() => {
                (self.start..self.values.len()).for_each(|_| write(None));
                Ok(())
            }
            other => Err(Error::Input(format!(
                "column {:?} is {other} where the model takes text",
                self.name
            ))),
        }
    }
}

/// The cells of one column.
#[derive(Debug, Clone)]
pub(crate) enum Cells {
    Numbers(Vec<f64>),
    /// Missing text is `None`.
    Text(Vec<Option<String>>),
    /// Numbers beside text, as in a column of Python's objects.
    Mixed(Vec<Cell>),
    /// What no model here looks at: times, binary data.
    Other(DataType),
}

impl Cells {
    /// Values of any type as what all of them are.
    pub(crate) fn of(cells: Vec<Cell>) -> Self {
        let (mut numbers, mut texts) = (false, false);
        for cell in &cells {
            numbers |= cell.is_number();
            texts |= cell.is_text();
        }
        match (numbers, texts) {
            (true, true) => Self::Mixed(cells),
            (false, true) => {
                let text = |cell| if let Cell::Text(text) = cell { Some(text) } else { None };
                Self::Text(cells.into_iter().map(text).collect())
            }
            _ => {
                let number = |cell| if let Cell::Number(x) = cell { x } else { f64::NAN };
                Self::Numbers(cells.into_iter().map(number).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn columns_of_floats_are_read_as_all_others_are() {
        let doubles: ArrayRef = Arc::new(Float64Array::from(vec![9.0, 1.5, 2.5]).slice(1, 2));
        let singles: ArrayRef = Arc::new(Float32Array::from(vec![0.1, -3.0]));
        let missing: ArrayRef = Arc::new(Float64Array::from(vec![Some(7.0), None]));
        let batch = |last: ArrayRef| {
            RecordBatch::try_from_iter([("a", Arc::clone(&doubles)), ("b", last)]).unwrap()
        };
        let plain = batch(singles);
        let (rows, width) = rows_f32(&plain).unwrap();
        assert_eq!((rows, width), (vec![1.5, 0.1, 2.5, -3.0], 2));
        assert_eq!(rows_f64(&plain).unwrap().0, Input::new(&plain).rows_f64().unwrap());
        let (rows, _) = rows_f64(&batch(missing)).unwrap();
        assert!(rows[3].is_nan() && rows[1] == 7.0);
        assert_eq!(rows_f64(&plain.slice(0, 0)).unwrap(), (vec![], 2));
    }
}
