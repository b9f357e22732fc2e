//! pandas' series, frames and indexes as data, out of the objects that a pickle holds of them.
//!
//! A frame is blocks of columns of one type, with two indexes. Texts are Python objects, or Arrow's buffers (pandas 3).

use super::array::{Array, Elements};
use super::heap::{Node, Value};
use crate::any::Cell;

/// How deep arrays hold each other: an index the categories of a column, these their texts.
const DEPTH_MAX: usize = 8;

/// Bytes of the texts of one column or index. Each value has its own here, and a file may refer to a long one often.
const TEXT_MAX: usize = 256 << 20;

/// Texts as they are copied out, and the bytes that they may still have.
struct Texts(usize);

impl Texts {
    fn new() -> Self {
        Self(TEXT_MAX)
    }

    fn cell(&mut self, text: &str) -> Option<Cell> {
        self.0 = self.0.checked_sub(text.len())?;
        Some(Cell::Text(text.to_owned()))
    }
}

/// Values of a column or an index.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Values {
    pub(crate) cells: Vec<Cell>,
    pub(crate) kind: Kind,
}

/// What a column of pandas holds; it decides how its values are written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Boolean,
    Integer,
    Float,
    Object,
    /// Its categories, in their order, and how they are written.
    Category(Box<Values>),
}

impl Values {
    fn new(cells: Vec<Cell>, kind: Kind) -> Self {
        Self { cells, kind }
    }

    /// The values of an index, an extension array or an array of NumPy with one dimension; none for what is
    /// neither numbers nor text (times, intervals, several levels).
    pub(crate) fn read(value: Value<'_>) -> Option<Self> {
        Self::head(value, usize::MAX)
    }

    /// The first so many of them.
    fn head(value: Value<'_>, count: usize) -> Option<Self> {
        Self::within(value, count, 0)
    }

    /// The values of what `depth` others hold; a file may say that something holds itself.
    fn within(value: Value<'_>, count: usize, depth: usize) -> Option<Self> {
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some(array) = value.array() {
            return of_array(value, array, 0, array.elements.len().min(count));
        }
        let class = value.class()?;
        match class.rsplit('.').next().unwrap_or_default() {
            "_new_Index" => index(value, count, depth),
            "ArrowStringArray" | "ArrowStringArrayNumpySemantics" | "ArrowExtensionArray" => {
                arrow(value, count)
            }
            "__pyx_unpickle_NDArrayBacked" => backed(value, count, depth),
            // Numbers beside a mask of what is missing.
            "IntegerArray" | "FloatingArray" | "BooleanArray" => {
                let mut values = Self::within(value.get("_data")?, count, depth + 1)?;
                let Elements::Bool(mask) = &value.get("_mask")?.array()?.elements else {
                    return None;
                };
                for (cell, _) in values.cells.iter_mut().zip(mask).filter(|(_, mask)| **mask) {
                    *cell = Cell::Missing;
                }
                Some(values)
            }
            _ => None,
        }
    }

    /// A value as Python prints it, for a column of this kind.
    pub(crate) fn written(&self, cell: &Cell) -> String {
        match (cell, &self.kind) {
            (Cell::Text(text), _) => text.clone(),
            (Cell::Missing, _) => "nan".to_owned(),
            (Cell::Number(x), Kind::Boolean) => if *x == 0.0 { "False" } else { "True" }.to_owned(),
            (Cell::Number(x), Kind::Category(categories)) => categories.written(&Cell::Number(*x)),
            (Cell::Number(x), Kind::Float) => format!("{x:?}"),
            (Cell::Number(x), _) => format!("{x}"),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }
}

/// A part of an array of NumPy; objects may be numbers, text, booleans or missing.
fn of_array(owner: Value<'_>, array: &Array, start: usize, end: usize) -> Option<Values> {
    let number = |x: f64| if x.is_nan() { Cell::Missing } else { Cell::Number(x) };
    Some(match &array.elements {
        Elements::F64(v) => {
            Values::new(v.get(start..end)?.iter().map(|&x| number(x)).collect(), Kind::Float)
        }
        Elements::F32(v) => {
            let cells = v.get(start..end)?.iter().map(|&x| number(f64::from(x)));
            Values::new(cells.collect(), Kind::Float)
        }
        Elements::Int(v) => {
            let cells = v.get(start..end)?.iter().map(|&x| Cell::Number(x as f64));
            Values::new(cells.collect(), Kind::Integer)
        }
        Elements::Bool(v) => {
            let cells = v.get(start..end)?.iter().map(|&x| Cell::Number(f64::from(u8::from(x))));
            Values::new(cells.collect(), Kind::Boolean)
        }
        Elements::Text(v) => {
            let mut texts = Texts::new();
            let cells = v.get(start..end)?.iter().map(|text| texts.cell(text));
            Values::new(cells.collect::<Option<_>>()?, Kind::Object)
        }
        Elements::Objects(ids) => {
            let values: Vec<Value<'_>> =
                ids.get(start..end)?.iter().map(|&id| owner.sibling(id)).collect();
            let are_booleans = !values.is_empty()
                && values.iter().all(|value| matches!(value.node(), Node::Bool(_)));
            let mut texts = Texts::new();
            let cells = values.into_iter().map(|value| object(value, &mut texts));
            let cells = cells.collect::<Option<_>>()?;
            Values::new(cells, if are_booleans { Kind::Boolean } else { Kind::Object })
        }
        Elements::Struct(_) => return None,
    })
}

/// One of Python's objects.
fn object(value: Value<'_>, texts: &mut Texts) -> Option<Cell> {
    if let Some(text) = value.text() {
        return texts.cell(text);
    }
    match value.node() {
        Node::None => Some(Cell::Missing),
        // pandas.NA
        Node::Global(name) if name.rsplit_once('.').is_some_and(|(_, last)| last == "NA") => {
            Some(Cell::Missing)
        }
        Node::Object(object) if object.class.ends_with(".NAType") => Some(Cell::Missing),
        _ => value.float().map(|x| if x.is_nan() { Cell::Missing } else { Cell::Number(x) }),
    }
}

/// `_new_Index(class, {"data": …})`, or a range.
fn index(value: Value<'_>, count: usize, depth: usize) -> Option<Values> {
    let arguments = value.arguments();
    let [class, parts] = arguments.as_slice() else { return None };
    if class.global()?.ends_with(".RangeIndex") {
        let part = |name: &str| parts.get(name).and_then(Value::int);
        let (start, stop, step) = (part("start")?, part("stop")?, part("step")?);
        let step = usize::try_from(step).ok().filter(|&step| step > 0)?;
        let numbers = (start..stop).step_by(step).take(count.min(RANGE_MAX));
        let cells = numbers.map(|number| Cell::Number(number as f64)).collect();
        return Some(Values::new(cells, Kind::Integer));
    }
    Values::within(parts.get("data")?, count, depth + 1)
}

/// Entries of a range that are written out: columns, or codes of categories. Values that are more than that are no series.
const RANGE_MAX: usize = 1_000_000;

/// What wraps an array of NumPy: texts, or the codes of categories (-1 is missing).
fn backed(value: Value<'_>, count: usize, depth: usize) -> Option<Values> {
    let class = value.arguments().first()?.global()?;
    let parts = value.state()?.items()?;
    let array = parts.iter().copied().find(|part| part.array().is_some())?;
    if class.ends_with(".Categorical") {
        let dtype = parts
            .iter()
            .find(|part| part.class().is_some_and(|class| class.ends_with(".CategoricalDtype")))?;
        let categories = Values::within(dtype.get("categories")?, usize::MAX, depth + 1)?;
        let codes = array.array()?.elements.to_i64()?;
        let mut texts = Texts::new();
        let cell = |code: i64| {
            let at = usize::try_from(code).ok();
            match at.and_then(|at| categories.cells.get(at)) {
                Some(Cell::Text(text)) => texts.cell(text),
                other => Some(other.cloned().unwrap_or(Cell::Missing)),
            }
        };
        let cells = codes.into_iter().take(count).map(cell).collect::<Option<_>>()?;
        return Some(Values::new(cells, Kind::Category(Box::new(categories))));
    }
    (class.ends_with(".StringArray") || class.ends_with(".StringArrayNumpySemantics"))
        .then(|| Values::within(array, count, depth + 1))?
}

/// Texts in Arrow's buffers: which are there, where each begins, all of their bytes.
fn arrow(value: Value<'_>, count: usize) -> Option<Values> {
    let array = value.get("_pa_array").or_else(|| value.get("_data"))?;
    let (mut cells, mut texts) = (Vec::new(), Texts::new());
    if array.class()?.ends_with(".chunked_array") {
        for chunk in array.arguments().first()?.items()? {
            arrow_chunk(chunk, count, &mut cells, &mut texts)?;
        }
    } else {
        arrow_chunk(array, count, &mut cells, &mut texts)?;
    }
    Some(Values::new(cells, Kind::Object))
}

/// `_restore_array((type, length, missing, offset, buffers, children, dictionary))`
fn arrow_chunk(
    chunk: Value<'_>,
    count: usize,
    cells: &mut Vec<Cell>,
    texts: &mut Texts,
) -> Option<()> {
    if !chunk.class()?.ends_with("._restore_array") {
        return None;
    }
    let parts = chunk.arguments().first()?.items()?;
    let [kind, length, _missing, offset, buffers, ..] = parts.as_slice() else { return None };
    let width = match kind.arguments().first()?.text()? {
        "string" | "utf8" => 4,
        "large_string" | "large_utf8" => 8,
        _ => return None,
    };
    let length = usize::try_from(length.int()?).ok()?;
    let offset = usize::try_from(offset.int()?).ok()?;
    let buffers = buffers.items()?;
    let [valid, starts, bytes] = buffers.as_slice() else { return None };
    let start = |at: usize| -> Option<usize> {
        let from = at.checked_mul(width)?;
        let word = buffer(*starts)?.get(from..from.checked_add(width)?)?;
        let number = match word.first_chunk::<8>() {
            Some(word) => i64::from_le_bytes(*word),
            None => i64::from(i32::from_le_bytes(*word.first_chunk()?)),
        };
        usize::try_from(number).ok()
    };
    // A length beyond the buffers finds no start: nothing is taken on its word.
    for at in 0..length.min(count.saturating_sub(cells.len())) {
        let at = at.checked_add(offset)?;
        let text = buffer(*bytes).unwrap_or_default().get(start(at)?..start(at + 1)?)?;
        let is_there = match buffer(*valid) {
            Some(bits) => bits.get(at / 8)? >> (at % 8) & 1 == 1,
            None => true,
        };
        cells.push(if is_there {
            texts.cell(std::str::from_utf8(text).ok()?)?
        } else {
            Cell::Missing
        });
    }
    Some(())
}

/// The bytes of `py_buffer(bytes)`; none where there is no buffer.
fn buffer(value: Value<'_>) -> Option<&[u8]> {
    match value.arguments().first()?.node() {
        Node::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// `pandas.Series`: values under an index.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) index: Values,
    pub(crate) values: Values,
}

impl Series {
    pub(crate) fn read(value: Value<'_>) -> Option<Self> {
        let manager = manager(value)?;
        let [index] = manager.axes.as_slice() else { return None };
        let [(values, _)] = manager.blocks.as_slice() else { return None };
        let read = Self { index: Values::read(*index)?, values: Values::read(*values)? };
        (read.index.len() == read.values.len()).then_some(read)
    }
}

/// `pandas.DataFrame`: columns that are read when they are asked for.
pub(crate) struct Frame<'a> {
    /// Names of the columns; numbers for those without.
    pub(crate) columns: Vec<Cell>,
    rows: Value<'a>,
    /// By column: the values of its block, and which of that block's it is.
    placed: Vec<Option<(Value<'a>, usize)>>,
}

impl<'a> Frame<'a> {
    pub(crate) fn read(value: Value<'a>) -> Option<Self> {
        let manager = manager(value)?;
        let [columns, rows] = manager.axes.as_slice() else { return None };
        let columns = Values::read(*columns)?.cells;
        let places = |places: Value<'_>| -> Option<Vec<usize>> {
            if let Some(array) = places.array() {
                let places = array.elements.to_i64()?;
                return places.into_iter().map(|at| usize::try_from(at).ok()).collect();
            }
            let bounds: Option<Vec<i64>> = places.arguments().into_iter().map(Value::int).collect();
            let [start, stop, step] = *bounds?.as_slice() else { return None };
            let (start, stop) = (usize::try_from(start).ok()?, usize::try_from(stop).ok()?);
            let step = usize::try_from(step).ok().filter(|&step| step > 0)?;
            Some((start..stop.min(columns.len())).step_by(step).collect())
        };
        let mut placed = vec![None; columns.len()];
        // Each column is in one block.
        let mut left = columns.len();
        for (values, at) in &manager.blocks {
            let places = places(*at)?;
            left = left.checked_sub(places.len())?;
            for (row, place) in places.into_iter().enumerate() {
                *placed.get_mut(place)? = Some((*values, row));
            }
        }
        Some(Self { columns, rows: *rows, placed })
    }

    /// The index of the rows.
    pub(crate) fn index(&self) -> Option<Values> {
        Values::read(self.rows)
    }

    /// A column by its place.
    pub(crate) fn column(&self, at: usize) -> Option<Values> {
        self.head(at, usize::MAX)
    }

    /// The first so many values of a column by its place.
    pub(crate) fn head(&self, at: usize, count: usize) -> Option<Values> {
        let (values, row) = self.placed.get(at).copied().flatten()?;
        // Blocks of NumPy's types hold their columns one after the other.
        let Some(array) = values.array() else { return Values::head(values, count) };
        match array.shape.as_slice() {
            [_] if row == 0 => Values::head(values, count),
            [_, rows] => {
                let start = row.checked_mul(*rows)?;
                of_array(values, array, start, start.checked_add(count.min(*rows))?)
            }
            _ => None,
        }
    }

    /// The place of a column.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        let is_it = |column: &Cell| matches!(column, Cell::Text(text) if text == name);
        self.columns.iter().position(is_it)
    }

    /// A column by its name.
    pub(crate) fn named(&self, name: &str) -> Option<Values> {
        self.column(self.place(name)?)
    }

    /// How many rows there are, without reading them; none where neither a block nor the index says it.
    pub(crate) fn length(&self) -> Option<usize> {
        let block = self.placed.iter().flatten().find_map(|(values, _)| values.array());
        block.and_then(|array| array.shape.last().copied()).or_else(|| count(self.rows, 0))
    }
}

/// How many values an index has, without reading them.
fn count(index: Value<'_>, depth: usize) -> Option<usize> {
    if let Some(array) = index.array() {
        return Some(array.elements.len());
    }
    if depth > DEPTH_MAX {
        return None;
    }
    match index.class()?.rsplit('.').next().unwrap_or_default() {
        "_new_Index" => {
            let arguments = index.arguments();
            let [_, parts] = arguments.as_slice() else { return None };
            let Some(data) = parts.get("data") else {
                let part = |name: &str| parts.get(name).and_then(Value::int);
                let (start, stop, step) = (part("start")?, part("stop")?, part("step")?);
                let step = u64::try_from(step).ok().filter(|&step| step > 0)?;
                let span = u64::try_from(stop.checked_sub(start)?).unwrap_or(0);
                return usize::try_from(span.div_ceil(step)).ok();
            };
            count(data, depth + 1)
        }
        "__pyx_unpickle_NDArrayBacked" => {
            let parts = index.state()?.items()?;
            parts.iter().find_map(|part| part.array()).map(|array| array.elements.len())
        }
        _ => Values::read(index).map(|values| values.len()),
    }
}

/// What holds the values of a series or frame.
struct Manager<'a> {
    axes: Vec<Value<'a>>,
    blocks: Vec<(Value<'a>, Value<'a>)>,
}

fn manager(value: Value<'_>) -> Option<Manager<'_>> {
    let manager = value.get("_mgr").or_else(|| value.get("_data"))?;
    // `BlockManager((block, …), axes)`, with `_unpickle_block(values, places, dimensions)`.
    if let [blocks, axes] = manager.arguments().as_slice() {
        let blocks = blocks.items()?.into_iter().map(|block| {
            let arguments = block.arguments();
            Some((arguments.first().copied()?, arguments.get(1).copied()?))
        });
        return Some(Manager { axes: axes.items()?, blocks: blocks.collect::<Option<_>>()? });
    }
    // `(axes, values, items, {"0.14.1": {"axes": …, "blocks": [{"values": …, "mgr_locs": …}]}})`
    let parts = manager.state()?.items()?;
    let parts = parts.last()?.get("0.14.1")?;
    let blocks = parts
        .get("blocks")?
        .items()?
        .into_iter()
        .map(|block| Some((block.get("values")?, block.get("mgr_locs")?)));
    Some(Manager { axes: parts.get("axes")?.items()?, blocks: blocks.collect::<Option<_>>()? })
}
